# SPDX-License-Identifier: MIT
"""Who is near, by HTTP: compared with a look at every client; what is asked wrongly; who may ask."""
import json
import math
import os
import random
import time
import urllib.parse

from herd import Client, HerdTest, free_port, main, wait_for
from test_http import HOST, Answer, HttpTest
from trust import proof

RADIUS_M = 6371008.8


def metres(a, b):
    """Between two places (latitude, longitude), on a sphere."""
    (lat_a, lon_a), (lat_b, lon_b) = a, b
    x = math.sin(math.radians(lat_b - lat_a) / 2)
    y = math.sin(math.radians(lon_b - lon_a) / 2)
    h = x * x + math.cos(math.radians(lat_a)) * math.cos(math.radians(lat_b)) * y * y
    return 2 * RADIUS_M * math.asin(math.sqrt(min(1, h)))


def some_place(rng):
    """Anywhere, in a town, at a pole, at the date line, or where somebody else is."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.uniform(-90, 90), rng.uniform(-180, 180)
    if kind == 1:
        return rng.choice((1, -1)) * rng.uniform(89.9, 90), rng.uniform(-180, 180)
    if kind == 2:
        return rng.uniform(-1, 1), rng.choice((1, -1)) * rng.uniform(179.9, 180)
    if kind == 3:
        return 34.0689, -118.4451
    return rng.gauss(48.8566, 0.05), rng.gauss(2.3522, 0.05)


def digits(place):
    return "%+.6f%+.6f" % place


class NearTest(HttpTest):
    def near_server(self, **options):
        return self.server(more={"area": True, **options.pop("more", {})}, **options)

    def get(self, server, query, client=None, head=b"", path="/v1/clients"):
        if client is None:
            with Client(server.http_port) as client:
                return self.get(server, query, client, head, path)
        client.send(b"GET %s?%s HTTP/1.1\r\n" % (path.encode(), query.encode()) + HOST + head + b"\r\n")
        return Answer(client)

    def found(self, server, query, **more):
        answer = self.get(server, query, **more)
        self.assertEqual((answer.status, answer["content-type"]), (200, "application/geo+json"), answer.body)
        return answer.json()

    def ids(self, server, query, **more):
        return [feature["id"] for feature in self.found(server, query, **more)["features"]]

    def report(self, server, places, at=5):
        with Client(server.port) as client:
            client.send("".join(f"IAMAT {name} {digits(place)} {at}\n" for name, place in places.items()).encode())
            client.lines(len(places))

    def walk(self, server, query):
        """All pages of a list."""
        ids, path = [], query
        while path is not None:
            page = self.found(server, path)
            ids += [feature["id"] for feature in page["features"]]
            path = page.get("links", {}).get("next", "?").partition("?")[2] or None
        return ids


class Answers(NearTest):
    def check(self, server, rng, places):
        centre, limit = some_place(rng), rng.choice((1, 7, 100, 1000))
        radius = rng.choice((None, 10 ** rng.uniform(0, 7.3)))
        query = "near=%.6f,%.6f&limit=%d" % (*centre, limit) + (f"&radius={radius:.3f}" if radius else "")
        centre = tuple(float("%.6f" % x) for x in centre)
        radius = float(f"{radius:.3f}") if radius else math.inf
        wanted = sorted(d for d in (metres(centre, place) for place in places.values()) if d <= radius)
        found = self.found(server, query)
        got = [feature["properties"]["distance"] for feature in found["features"]]
        self.assertEqual(len(got), min(len(wanted), limit), query)
        self.assertEqual(found["truncated"], len(wanted) > limit, query)
        for feature, distance, want in zip(found["features"], got, wanted):
            lon, lat = feature["geometry"]["coordinates"]
            self.assertEqual((lat, lon), places[feature["id"]])
            # A centimetre, and what a sphere's far side makes of a double.
            self.assertAlmostEqual(distance, want, delta=0.0051 + (0.2 if want > 2e7 else 1e-6 * want), msg=query)
            self.assertAlmostEqual(distance, metres(centre, (lat, lon)), delta=0.21)
        self.assertEqual(len({feature["id"] for feature in found["features"]}), len(got))

    def test_equal_to_a_look_at_every_client(self):
        rng = random.Random(20261127)
        server = self.near_server(limits={"tombstones_max": 10000})
        places = {}
        for _ in range(4):
            moved = {f"c{rng.randrange(3000)}": some_place(rng) for _ in range(1500)}
            moved = {name: tuple(float("%.6f" % x) for x in place) for name, place in moved.items()}
            self.report(server, moved, repr(time.time()))
            places.update(moved)
            for name in rng.sample(sorted(places), 50):
                del places[name]
                with Client(server.http_port) as http:
                    http.send(f"DELETE /v1/clients/{name} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
                    self.assertEqual(Answer(http).status, 204)
            for _ in range(60):
                self.check(server, rng, places)
            for _ in range(20):
                self.check_box(server, rng, places)

    def check_box(self, server, rng, places):
        (south, west), (north, east) = some_place(rng), some_place(rng)
        if rng.randrange(2):
            north, east = south + rng.uniform(0, 1), west + rng.uniform(0, 1)
        south, north = sorted((south, north))
        west, south, east, north = ("%.4f" % x for x in (west, max(south, -90), min(east, 180), min(north, 90)))
        query = f"bbox={west},{south},{east},{north}&limit={rng.choice((3, 50, 1000))}"
        west, south, east, north = map(float, (west, south, east, north))

        def inside(place):
            lat, lon = place
            return south <= lat <= north and any(west <= x <= east if west <= east else x >= west or x <= east
                                                 for x in ({lon, -lon} if abs(lon) == 180 else {lon}))
        wanted = sorted(name for name, place in places.items() if inside(place))
        if len(wanted) > 300 and "limit=3" in query:
            return
        got = self.walk(server, query)
        self.assertEqual(len(got), len(set(got)))
        self.assertEqual(sorted(got), wanted, query)

    def test_what_was_reported_just_now_is_found(self):
        server = self.near_server()
        with Client(server.http_port) as client:
            for n in range(50):
                body = b'{"lat":1,"lon":%d}' % n
                client.send(b"PUT /v1/clients/c%d HTTP/1.1\r\n" % n + HOST +
                            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body +
                            b"GET /v1/clients?near=1,%d&radius=0 HTTP/1.1\r\n" % n + HOST + b"\r\n")
                self.assertEqual(Answer(client).status, 200)
                found = Answer(client).json()["features"]
                self.assertEqual([(f["id"], f["properties"]["distance"]) for f in found], [(f"c{n}", 0)])

    def test_near_a_client(self):
        server = self.near_server()
        names = {"kiwi": (48.8584, 2.2945), "near": (48.8590, 2.2950), "far": (48.9, 2.4), "a b": (48.8585, 2.2946),
                 "1,2": (48.8586, 2.2947), "caf\u00e9/x%": (48.8587, 2.2948)}
        del names["a b"]  # no id
        self.report(server, names)
        self.assertEqual(self.ids(server, "near=kiwi&radius=200"), ["1,2", "caf\u00e9/x%", "near"])
        self.assertEqual(self.ids(server, "near_id=kiwi"), ["1,2", "caf\u00e9/x%", "near", "far"])
        for id in ("caf\u00e9/x%", "near"):
            quoted = urllib.parse.quote(id, safe="")
            for name in ("near", "near_id"):
                self.assertEqual(self.ids(server, f"{name}={quoted}&limit=1"), ["1,2" if id != "near" else "caf\u00e9/x%"])
        self.assertEqual(self.ids(server, "near_id=1,2&limit=1"), ["caf\u00e9/x%"])  # an id that looks like a place
        self.assertEqual(self.ids(server, "near=1,2&limit=9")[0], "kiwi")
        self.assertEqual(self.found(server, "near=1,2&limit=9&radius=5")["features"], [])
        for query in ("near=nobody", "near_id=0,0", "near=nobody&radius=5"):
            self.assertEqual(self.get(server, query).status, 404, query)

    def test_distances(self):
        server = self.near_server()
        self.report(server, {"a": (0, 0.001), "b": (0, 0.0000014), "c": (0, 180), "d": (0, 0.1)})
        answer = self.get(server, "near=0,0").body.decode()
        for text in ('"distance":111.2,', '"distance":0.11,', '"distance":20015114.', '"distance":11119.51,'):
            self.assertIn(text, answer)
        self.assertNotIn("e+", answer)

    def test_box_across_the_date_line(self):
        server = self.near_server()
        self.report(server, {"fiji": (-17, 178), "samoa": (-14, -172), "paris": (48.8, 2.3), "line": (0, 180),
                             "east": (0, -180)})
        self.assertEqual(set(self.walk(server, "bbox=170,-20,-170,0")), {"fiji", "samoa", "line", "east"})
        self.assertEqual(set(self.walk(server, "bbox=170,-20,180,0")), {"fiji", "line", "east"})
        self.assertEqual(set(self.walk(server, "bbox=170,-20,-170,0&limit=1")), {"fiji", "samoa", "line", "east"})

    def test_bad_questions(self):
        server = self.near_server()
        for query in ("near=", "near_id=", "near=91,0", "near=0,180.1", "near=0,0&radius=-1", "near=0,0&radius=x",
                      "near=0,0&radius=", "near=0,0&radius=nan", "near=0,0&radius=inf", "near=0,0&limit=0",
                      "near=0,0&limit=1001", "near=0,0&bbox=0,0,1,1", "near=0,0&after=00000000", "radius=5",
                      "near=0,0&near=0,0", "near=0,0&radius=1&radius=2", "near=nan,0", "near=0,0,0", "near=a,b", "near=,",
                      "near=a%20b", "near=%00", "near=%zz", "near=0,0&radius=1e99",
                      "bbox=" + "0" * 200 + ",0,1,1", "near=a&near_id=a"):
            answer = self.get(server, query)
            self.assertEqual((answer.status, answer["content-type"]), (400, "application/problem+json"), query)
        self.report(server, {"kiwi": (1, 2)})
        for query in ("near=90,0", "near=-90,180&radius=1e9", "near=1e0,2E0&radius=0", "near=1.,2", "near=-0,-0",
                      "near=0,0&radius=99999999999999"):
            self.assertEqual(self.ids(server, query), ["kiwi"], query)
        self.report(server, {"nan,0": (1, 2)})
        self.assertEqual(self.ids(server, "near_id=nan,0"), ["kiwi"])  # near with a comma is a place

    def search(self, server, shape, query=""):
        body = shape if isinstance(shape, bytes) else json.dumps(shape).encode()
        with Client(server.http_port) as client:
            client.send(f"POST /v1/search{query} HTTP/1.1\r\nContent-Type: application/geo+json\r\n"
                        f"Content-Length: {len(body)}\r\n".encode() + HOST + b"\r\n" + body)
            return Answer(client)

    def test_in_a_shape(self):
        server = self.near_server()
        self.report(server, {"in": (5, 8), "hole": (2, 8), "out": (8, 5), "corner": (10, 10), "fiji": (-17, 178)})
        ring, hole = [[0, 0], [10, 10], [10, 0], [0, 0]], [[7, 1], [9, 1], [9, 3], [7, 3], [7, 1]]
        polygon = {"type": "Polygon", "coordinates": [ring, hole]}

        def ids(shape, query=""):
            answer = self.search(server, shape, query)
            self.assertEqual(answer.status, 200, answer.body)
            return [f["id"] for f in answer.json()["features"]]
        self.assertEqual(set(ids(polygon)), {"in", "corner"})
        self.assertEqual(set(ids({"type": "Polygon", "coordinates": [ring]})), {"in", "hole", "corner"})
        self.assertEqual(ids(polygon, "?near=9,9"), ["corner", "in"])
        self.assertEqual(ids(polygon, "?near=corner"), ["in"])
        self.assertEqual(ids({"type": "Feature", "properties": None, "geometry": polygon}, "?limit=1&near=0,0"), ["in"])
        self.assertTrue(self.search(server, polygon, "?limit=1").json()["truncated"])
        self.assertEqual(ids({"type": "Point", "coordinates": [-180, -17], "radius": 300000}), ["fiji"])
        for shape, query, status in ((b"", "", 400), (b"[]", "", 400), (b"{", "", 400), ({"type": "Point"}, "", 400),
                                     ({"type": "Polygon", "coordinates": [ring[:3]]}, "", 400),
                                     ({"type": "Polygon", "coordinates": [[[0, 91]] + ring[1:3] + [[0, 91]]]}, "", 422),
                                     (polygon, "?bbox=0,0,1,1", 400), (polygon, "?radius=5", 400),
                                     (polygon, "?near=nobody", 404), (b" " * 70000, "", 413)):
            answer = self.search(server, shape, query)
            self.assertEqual((answer.status, answer["content-type"]), (status, "application/problem+json"), (shape, query))
        for shape, why in (({"type": "Polygon", "coordinates": [ring[:3]]}, "four positions"), (b"{", "expected a string"),
                           ({"type": "Point", "coordinates": [0, 0]}, "a radius, in metres"),
                           ({"type": "Point", "coordinates": [0, 0], "radius": 1e8}, "at most 20015115 metres")):
            self.assertIn(why, self.search(server, shape).json()["detail"])
        with Client(server.http_port) as client:
            client.send(b"POST /v1/search HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n" + HOST + b"\r\n1")
            answer = Answer(client)
            self.assertEqual(answer.status, 415)
            self.assertIn("application/geo+json", answer.json()["detail"])
        self.assertEqual(self.search(self.server("B"), polygon).status, 400)

    def test_as_tile38_documents_it(self):
        """The trucks and the town of its README: what is nearby, and what is within (for points that is intersects)."""
        server = self.near_server()
        self.report(server, {"truck1": (33.5123, -112.2693), "truck2": (33.4626, -112.1695)})
        self.assertEqual(set(self.ids(server, "")), {"truck1", "truck2"})
        self.assertEqual(self.ids(server, "near=33.462,-112.268&radius=6000"), ["truck1"])
        self.assertEqual(self.ids(server, "near=33.462,-112.268&limit=1"), ["truck1"])
        self.assertEqual(set(self.walk(server, "bbox=-120,30,-100,40")), {"truck1", "truck2"})
        self.assertEqual(self.walk(server, "bbox=-110,30,-100,40"), [])
        town = {"type": "Polygon", "coordinates": [[[0, 0], [10, 10], [10, 0], [0, 0]]]}
        self.assertEqual(self.search(server, town).json()["features"], [])
        self.report(server, {"truck1": (1, 9)}, 6)
        self.assertEqual([f["id"] for f in self.search(server, town).json()["features"]], ["truck1"])

    def test_without_an_area(self):
        server = self.server()
        self.report(server, {"kiwi": (1, 2)})
        answer = self.get(server, "near=1,2")
        self.assertEqual(answer.status, 400)
        self.assertIn("area: true", answer.json()["detail"])
        answer = self.ask(server, b"GET /v1/events?fence=* HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(answer.status, 400)
        self.assertIn("area: true", answer.json()["detail"])
        self.assertEqual(self.ids(server, "bbox=0,0,9,9"), ["kiwi"])

    def test_expired_clients_are_not_found(self):
        server = self.near_server(limits={"expire_ms": 1000000000000})
        self.report(server, {"old": (1, 2)}, 5)
        with Client(server.port) as client:
            client.ask(b"IAMAT kiwi +1+2 1700000000\n")
        self.assertIn("kiwi", self.ids(server, "near=1,2"))
        herd = server.herd
        herd.config["limits"]["expire_ms"] = 1
        herd.write()
        self.assertEqual(self.ids(server, "near=1,2"), ["old", "kiwi"])
        server.signal(1)
        server.wait_event("configuration_reloaded")
        wait_for(lambda: self.ids(server, "near=1,2") == [], "both expired")

    def test_a_list_ends_where_it_is_long(self):
        """Ids of bytes that JSON writes as six: what is more than half of output_max_bytes is another page, or left out."""
        server = self.near_server(limits={"near_line": 1}, log={"traffic": False})
        names = ["%03d" % i + "\x01" * 60000 for i in range(20)]
        self.report(server, {name: (0.5, 0.5 + i / 1000) for i, name in enumerate(names)})
        found = self.found(server, "near=0.5,0.5&limit=1000")
        self.assertEqual((found["truncated"], [one["id"] for one in found["features"]]), (True, names[:1]))
        for query in ("limit=1000", "bbox=0,0,1,1&limit=1000"):
            pages = self.walk(server, query)
            self.assertEqual(sorted(pages), names)
        with Client(server.port) as client:
            client.send(b"NEAR +0.5+0.5 100 1000\n")
            lines = [client.line()]
            while lines[-1].startswith(b"NEAR ") and b" AT " in lines[-1][:40]:
                lines.append(client.line())
            self.assertEqual(lines[-1], b"NEAR MORE %d\n" % (len(lines) - 1))
            self.assertTrue(1 <= len(lines) - 1 < len(names))

    def test_long_questions_hold_nobody_up(self):
        """Many clients at one place; several ask for all of them while others report."""
        server = self.near_server(log={"traffic": False}, limits={"searches_max": 5})
        count = 30000
        self.report(server, {f"c{n}": (48.8566 + n % 100 * 1e-5, 2.3522 + n // 100 * 1e-5) for n in range(count)})
        askers = [self.http(server) for _ in range(8)]
        question = b"GET /v1/clients?near=48.8566,2.3522&radius=50000&limit=1000 HTTP/1.1\r\n" + HOST + b"\r\n"
        for asker in askers:
            asker.send(question)
        with Client(server.port) as client:
            for n in range(100):
                self.assertTrue(client.ask(b"IAMAT c%d +48.8566+2.3522 %d\n" % (n, 6 + n)).startswith(b"AT A "))
        answers = [Answer(asker) for asker in askers]
        self.assertEqual({answer.status for answer in answers} - {200, 503}, set())
        self.assertGreaterEqual(sum(answer.status == 200 for answer in answers), 5)
        for answer in answers:
            if answer.status == 503:
                self.assertEqual(answer["retry-after"], "1")
                continue
            found = answer.json()
            self.assertTrue(found["truncated"])
            self.assertEqual(len({f["id"] for f in found["features"]}), len(found["features"]))
            self.assertGreater(len(found["features"]), 900)
        for _ in range(20):  # those that go away leave nothing behind
            with Client(server.http_port) as client:
                client.send(question)
        wait_for(lambda: self.get(server, "near=48.8566,2.3522&limit=1000").status == 200, "there is room again")


class Lines(NearTest):
    def lines(self, client, question):
        client.send(question + b"\n")
        lines = [client.line()]
        while lines[-1].startswith(b"NEAR ") and lines[-1].split()[1] not in (b"END", b"MORE", b"BUSY"):
            lines.append(client.line())
        return lines

    def near_herd(self, **options):
        options.setdefault("limits", {})["near_line"] = 1
        return self.near_server(**options)

    def test_place_and_client(self):
        server = self.near_herd()
        with Client(server.port) as client:
            for name, position in ((b"kiwi", b"+0+0"), (b"a", b"+0+0.001"), (b"b", b"+0+0.002"), (b"far", b"+10+10")):
                client.ask(b"IAMAT %s %s 1621464827.9\n" % (name, position))
            found = self.lines(client, b"NEAR +0+0 1 9")
            self.assertEqual([line.split()[1] for line in found], [b"0.00", b"111.20", b"222.39", b"END"])
            self.assertEqual(found[-1], b"NEAR END 3\n")
            for line, name in zip(found, (b"kiwi", b"a", b"b")):
                self.assertRegex(line.partition(b" AT ")[2], rb"^A [+-][0-9.]+ %s [+-][0-9.+-]+ 1621464827\.9\n$" % name)
            self.assertEqual([line.split()[5] for line in self.lines(client, b"NEAR kiwi 0.2 9")[:-1]], [b"a"])
            self.assertEqual(self.lines(client, b"NEAR a 20000 2")[-1], b"NEAR MORE 2\n")
            self.assertEqual(self.lines(client, b"NEAR +50+50 0 1"), [b"NEAR END 0\n"])
            self.assertEqual(self.lines(client, b" NEAR\t+0+0.001  0  1\r")[-1], b"NEAR END 1\n")
            for line in (b"NEAR", b"NEAR kiwi", b"NEAR kiwi 1", b"NEAR kiwi 1 0", b"NEAR kiwi 1 1001", b"NEAR kiwi -1 5",
                         b"NEAR kiwi 1 5 5", b"NEAR nobody 1 5", b"NEAR +91+0 1 5", b"NEAR kiwi 1. 5", b"near kiwi 1 5",
                         b"NEAR kiwi 1e3 5", b"NEAR kiwi " + b"9" * 33 + b" 5", b"NEAR kiwi 1 00005", b"NEARBY kiwi 1 5"):
                self.assertEqual(self.lines(client, line), [b"? " + line + b"\n"])
            self.assertTrue(client.ask(b"WHATSAT nobody 1 1\n").startswith(b"? "))

    def test_in_order_of_the_commands(self):
        server = self.near_herd(log={"traffic": False})
        with Client(server.port) as client:
            client.send(b"".join(b"IAMAT c%d +0.%04d+0 5\n" % (n, n) for n in range(9999)))
            client.lines(9999)
            client.send(b"NEAR +0+0 200 1000\nIAMAT x +1+1 5\nNEAR x 0 5\n\nIAMAT y +1+1 5\nNEAR x 0 5\n")
            lines = [line.rstrip() for line in client.lines(1000 + 1 + 1 + 1 + 1 + 2)]
            self.assertEqual([lines[1000], lines[1002]], [b"NEAR MORE 1000", b"NEAR END 0"])
            self.assertIn(b" x ", lines[1001])
            self.assertIn(b" y ", lines[1003])
            self.assertEqual(lines[1005], b"NEAR END 1")
            distances = [float(line.split()[1]) for line in lines[:1000]]
            self.assertEqual(distances, sorted(distances))
            client.send(b"NEAR +0+0 200 1000\n")  # and what is asked last is answered at the end
            client.half_close()
            self.assertEqual(client.rest().count(b"\n"), 1001)
        with Client(server.port) as client:
            client.send(b"NEAR +0+0 200 1000\n" * 50)
        with Client(server.port) as client:
            wait_for(lambda: self.lines(client, b"NEAR x 1 1")[-1] == b"NEAR END 1\n", "those that went leave room")

    def test_switched_off_and_on(self):
        server = self.near_server()
        with Client(server.port) as client:
            client.ask(b"IAMAT kiwi +0+0 5\n")
            self.assertEqual(self.lines(client, b"NEAR kiwi 1 5"), [b"? NEAR kiwi 1 5\n"])
            server.herd.config["limits"] = {"near_line": 1}
            server.herd.write()
            server.signal(1)
            server.wait_event("configuration_reloaded")
            self.assertEqual(self.lines(client, b"NEAR kiwi 1 5"), [b"NEAR END 0\n"])
        without = self.server("B", limits={"near_line": 1})
        with Client(without.port) as client:
            self.assertEqual(self.lines(client, b"NEAR +0+0 1 5"), [b"? NEAR +0+0 1 5\n"])


class Rights(NearTest):
    def test_lines(self):
        kiwi = "herd_" + "k" * 43
        server = self.near_server(more={"identities": "who"}, limits={"near_line": 1}, start=False)
        path = os.path.join(server.herd.dir, "who")
        with open(path, "w") as file:
            file.write(f"kiwi {proof(kiwi)} * kiwi,a\n")
        os.chmod(path, 0o600)
        server.start()
        with Client(server.port) as client:
            self.assertEqual(client.ask(b"AUTH " + kiwi.encode() + b"\n"), b"OK kiwi\n")
            for name in (b"kiwi", b"a", b"b"):
                client.ask(b"IAMAT %s +0+0 5\n" % name)
            client.send(b"NEAR +0+0 1 5\nNEAR kiwi 1 5\nNEAR b 1 5\nNEAR c 1 5\n")
            lines = client.lines(7)
            self.assertEqual({lines[0].split()[5], lines[1].split()[5]}, {b"kiwi", b"a"})
            self.assertEqual(lines[2:3] + lines[4:], [b"NEAR END 2\n", b"NEAR END 1\n", b"? NEAR b 1 5\n", b"? NEAR c 1 5\n"])
        with Client(server.port) as client:  # nobody
            client.send(b"NEAR +0+0 1 5\n")
            self.assertEqual(client.line(), b"? NEAR +0+0 1 5\n")

    def test_only_what_one_may_ask_for(self):
        tokens = {name: "herd_" + name[0] * 43 for name in ("kiwi", "fleet", "boss")}
        lines = "".join(f"{name} {proof(token)} * {ask}\n" for (name, token), ask in
                        zip(tokens.items(), ("kiwi", "fleet-*,kiwi", "*")))
        server = self.near_server(more={"identities": "who"}, start=False)
        path = os.path.join(server.herd.dir, "who")

        def write(text):
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o600)
        write(lines + "anonymous - * -\n")
        server.start()
        self.report(server, {"kiwi": (1, 1), "fleet-1": (1, 1.001), "fleet-2": (1, 1.0018), "other": (1, 1.0005)})

        def ask(name, query):
            head = b"Authorization: Bearer " + tokens[name].encode() + b"\r\n" if name else b""
            answer = self.get(server, query, head=head)
            return [f["id"] for f in answer.json()["features"]] if answer.status == 200 else answer.status
        for query in ("near=1,1", "near=1,1&radius=1000"):
            self.assertEqual(ask("kiwi", query), ["kiwi"])
            self.assertEqual(ask("fleet", query), ["kiwi", "fleet-1", "fleet-2"])
            self.assertEqual(ask("boss", query), ["kiwi", "other", "fleet-1", "fleet-2"])
            self.assertEqual(ask(None, query), [])
        self.assertEqual(ask("fleet", "bbox=0,0,2,2"), ["kiwi", "fleet-1", "fleet-2"])
        self.assertEqual(ask("fleet", "near=fleet-1"), ["fleet-2", "kiwi"])
        self.assertEqual(ask("fleet", "near=fleet-1&limit=1"), ["fleet-2"])
        for name, query in (("fleet", "near=other"), ("fleet", "near=nobody"), ("kiwi", "near_id=fleet-1"), (None, "near=kiwi")):
            self.assertEqual(ask(name, query), 404, (name, query))  # unknown and not theirs look alike
        write(lines.replace("fleet-*,kiwi", "fleet-2"))
        server.signal(1)
        server.wait_event("configuration_reloaded")
        self.assertEqual(ask("fleet", "near=1,1"), ["fleet-2"])
        self.assertEqual(ask(None, "near=1,1"), 401)


if __name__ == "__main__":
    main()
