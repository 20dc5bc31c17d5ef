# SPDX-License-Identifier: MIT
"""The native API: one client (report, find, forget) and all of them, page by page."""
import json
import re
import urllib.parse

from herd import Client, free_port, main, wait_for
from test_http import HOST, Answer, HttpTest


class Api(HttpTest):
    def call(self, server, method, path, body=None, head=b""):
        text = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = f"{method} {path} HTTP/1.1\r\n".encode("latin-1") + HOST + head
        if text is not None:
            request += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(text)
        with Client(server.http_port) as client:
            client.send(request + b"\r\n" + (text or b""))
            return Answer(client, head_only=method == "HEAD")

    def test_report_and_find(self):
        server = self.server()
        body = b'{"lat":48.8568260,"lon":-2.29e0,"time":1621464827.959498503}'
        answer = self.call(server, "PUT", "/v1/clients/kiwi", body)
        self.assertEqual((answer.status, answer.json()["state"]), (200, "new"))
        self.assertRegex(answer.json()["at"], r"^AT A \+[0-9.]+ kiwi \+48\.8568260-2\.29 1621464827\.959498503$")
        self.assertEqual(self.call(server, "PUT", "/v1/clients/kiwi", body).json()["state"], "same")
        self.assertEqual(self.call(server, "PUT", "/v1/clients/kiwi", {"lat": 1, "lon": 1, "time": 5}).json()["state"],
                         "older")
        answer = self.call(server, "GET", "/v1/clients/kiwi")
        self.assertEqual(answer["content-type"], "application/geo+json")
        self.assertIn(b'"coordinates":[-2.29,48.8568260]', answer.body)
        found = answer.json()
        self.assertEqual(found["id"], "kiwi")
        self.assertEqual(found["properties"]["time"], "1621464827.959498503")
        self.assertEqual(found["properties"]["timestamp"], "2021-05-19T22:53:47Z")
        self.assertEqual(found["properties"]["server"], "A")
        self.assertEqual(answer["last-modified"], "Wed, 19 May 2021 22:53:47 GMT")
        again = self.call(server, "GET", "/v1/clients/kiwi", head=b"If-None-Match: %s\r\n" % answer["etag"].encode())
        self.assertEqual((again.status, again["etag"], again.body), (304, answer["etag"], b""))
        self.assertEqual(self.call(server, "HEAD", "/v1/clients/kiwi").status, 200)
        self.call(server, "PUT", "/v1/clients/kiwi", {"lat": 1, "lon": 1, "time": 1700000000})
        self.assertNotEqual(self.call(server, "GET", "/v1/clients/kiwi")["etag"], answer["etag"])
        self.assertEqual(self.call(server, "GET", "/v1/clients/nobody").status, 404)

    def test_same_line_by_line_and_by_http(self):
        server = self.server()
        with Client(server.port) as client:
            line = client.ask(b"IAMAT a +34.068930-118.445127 1621464827.959498503\n").decode()
        by_http = self.call(server, "PUT", "/v1/clients/b", b'{"lat":34.068930,"lon":-118.445127,'
                                                            b'"time":1621464827.959498503}').json()["at"]
        cut = [re.sub(r"^AT A \S+ [ab] ", "", text.strip()) for text in (line, by_http)]
        self.assertEqual(cut[0], cut[1])

    def test_hostile_ids(self):
        server = self.server()
        good = [b"a/b", b"%", b"caf\xc3\xa9", b"\xff\xfe", b'"quoted"', b"<script>", b"a?b#c", b"x" * 4000, b".", b".."]
        for one in good:
            path = "/v1/clients/" + urllib.parse.quote_from_bytes(one, safe="")
            self.assertEqual(self.call(server, "PUT", path, {"lat": 1, "lon": 1}).status, 200, one)
            answer = self.call(server, "GET", path)
            self.assertEqual(answer.status, 200, one)
            self.assertEqual(urllib.parse.unquote_to_bytes(answer.json()["properties"]["href"]),
                             b"/v1/clients/" + one)
            self.assertEqual(answer.json()["id"], one.decode(errors="replace"))
            # Whoever resolves it takes no segment out, and finds the client by it.
            href = answer.json()["properties"]["href"]
            self.assertEqual(urllib.parse.urljoin("http://localhost/v1/x/y/", href), "http://localhost" + href)
            self.assertEqual(self.call(server, "GET", href).json()["id"], answer.json()["id"])
        for path in ("a%20b", "a%00b", "a%0Ab", "a%", "%zz", "", "x" * 9000):
            self.assertIn(self.call(server, "PUT", "/v1/clients/" + path, {"lat": 1, "lon": 1}).status,
                          (400, 404, 414, 431), path[:20])

    def test_hostile_bodies(self):
        server = self.server()
        for body, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b"{}", 400), (b'{"lat":1}', 400),
                             (b'{"lat":"1","lon":1}', 400), (b'{"lat":NaN,"lon":1}', 400),
                             (b'{"lat":91,"lon":1}', 422), (b'{"lat":1,"lon":180.0000000000000000001}', 422),
                             (b'{"lat":1e400,"lon":1}', 422), (b'{"lat":1,"lat":2,"lon":1}', 400),
                             (b'{"lat":1,"lon":1,"time":-5}', 422), (b'{"lat":1,"lon":1,"time":"soon"}', 400),
                             (b'{"lat":1,"lon":1} x', 400), (b'{"lat":1,"lon":1,"tme":5}', 422), (b"[" * 10000, 400)):
            answer = self.call(server, "PUT", "/v1/clients/a", body)
            self.assertEqual(answer.status, status, body[:60])
            self.assertEqual(answer["content-type"], "application/problem+json")
            self.assertEqual(answer.json()["status"], status)
        self.assertEqual(self.call(server, "GET", "/v1/clients/a").status, 404)

    def test_three_servers(self):
        herd = self.herd(["A", "B", "C"], [["A", "B"], ["B", "C"]], limits={"tombstones_max": 100})
        for name in ("A", "B", "C"):
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        for server in herd:
            server.start()
        self.call(herd["A"], "PUT", "/v1/clients/kiwi", {"lat": 1, "lon": 2, "time": 1700000000})
        wait_for(lambda: self.call(herd["C"], "GET", "/v1/clients/kiwi").status == 200, "the report at C")
        self.assertEqual(self.call(herd["C"], "GET", "/v1/clients/kiwi").json()["properties"]["server"], "A")
        self.assertEqual(self.call(herd["C"], "DELETE", "/v1/clients/kiwi").status, 204)
        wait_for(lambda: self.call(herd["A"], "GET", "/v1/clients/kiwi").status == 404, "deleted at A")
        self.assertEqual(self.call(herd["A"], "GET", "/v1/clients").json()["features"], [])
        self.assertEqual(self.call(herd["A"], "DELETE", "/v1/clients/kiwi").status, 404)

    def test_nothing_is_deleted_unless_switched_on(self):
        server = self.server()
        self.call(server, "PUT", "/v1/clients/a", {"lat": 1, "lon": 2})
        self.assertEqual(self.call(server, "DELETE", "/v1/clients/a").status, 403)
        self.assertEqual(self.call(server, "GET", "/v1/clients/a").status, 200)

    def pages(self, server, query):
        ids, path = [], "/v1/clients?" + query
        while path:
            answer = self.call(server, "GET", path)
            self.assertEqual(answer.status, 200, answer.body)
            page = answer.json()
            ids += [feature["id"] for feature in page["features"]]
            path = page.get("links", {}).get("next")
            self.assertEqual(answer["link"], f'<{path}>; rel="next"' if path else None)
            yield ids

    def test_pages(self):
        server = self.server()
        with Client(server.port) as client:
            client.send(b"".join(b"IAMAT c%d %+d%+d 5\n" % (n, n % 90, n % 360 - 180) for n in range(20000)))
            for _ in range(20000):
                client.line()
            for limit in (1000, 7):
                ids = []
                for ids in self.pages(server, f"limit={limit}"):
                    client.ask(b"IAMAT c%d +1+1 6\n" % (len(ids) % 20000))
                    if limit == 7 and len(ids) > 200:
                        break
                self.assertEqual(len(ids), len(set(ids)))
                if limit == 1000:
                    self.assertEqual(len(ids), 20000)

    def test_cursors_say_nothing(self):
        """Where a page ended is not how many clients there are, and is for the server that said it."""
        server = self.server()
        for n in range(40):
            self.call(server, "PUT", f"/v1/clients/c{n}", {"lat": 1, "lon": 2})
        cursors, path = [], "/v1/clients?limit=1"
        while path:
            path = self.call(server, "GET", path).json().get("links", {}).get("next")
            cursors += re.findall("after=([^&]*)", path or "")
        self.assertGreater(len(cursors), 38)
        self.assertEqual(len(set(cursors)), len(cursors))
        for cursor in cursors:
            self.assertRegex(cursor, r"\A[0-9a-f]{32}\Z")
        # 39 slots in a row begin alike, and end with what is next; 39 random numbers have each digit in each place.
        for place in range(32):
            self.assertGreater(len({cursor[place] for cursor in cursors}), 4, cursors)
        other = self.server("B")
        for wrong in ("00000001", "0" * 32, cursors[0][:-1], cursors[0] + "0", cursors[0][::-1]):
            self.assertEqual(self.call(server, "GET", "/v1/clients?after=" + wrong).status, 400, wrong)
        for one in (other, server):
            if one is server:
                server.stop()
                server.start()
            answer = self.call(one, "GET", "/v1/clients?after=" + cursors[5])
            self.assertEqual(answer.status, 400)
            self.assertIn("begin without", answer.json()["detail"])

    def test_boxes(self):
        server = self.server()
        for name, lat, lon in (("fiji", -17, 178), ("samoa", -14, -172), ("paris", 48.8, 2.3), ("pole", 90, 0),
                               ("line", 0, 180), ("corner", 10, 20)):
            self.call(server, "PUT", f"/v1/clients/{name}", {"lat": lat, "lon": lon})
        for box, names in (("170,-20,-170,0", {"fiji", "samoa", "line"}), ("0,48,5,90", {"paris", "pole"}),
                           ("10,0,20,10", {"corner"}), ("-180,-90,180,90", {"fiji", "samoa", "paris", "pole", "line",
                                                                           "corner"}), ("2.3,48.8,2.3,48.8", {"paris"})):
            ids = []
            for ids in self.pages(server, "bbox=" + box):
                pass
            self.assertEqual(set(ids), names, box)
        for query in ("bbox=1,2,3", "bbox=1,2,3,4,5", "bbox=1,5,2,4", "bbox=181,0,0,0", "bbox=a,b,c,d", "limit=0",
                      "limit=1001", "limit=x", "after=zz", "after=", "what=1", "bbox=%zz", "limit=", "limit=4294967297",
                      "limit=5&limit=5", "bbox=0,0,1,1&bbox=0,0,1,1"):
            self.assertEqual(self.call(server, "GET", "/v1/clients?" + query).status, 400, query)


if __name__ == "__main__":
    main()
