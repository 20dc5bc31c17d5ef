# SPDX-License-Identifier: MIT
"""Places around a client by HTTP: the answer of a WHATSAT, later, to a connection that may be gone by then."""
import signal
from pathlib import Path

from herd import Client, main, wait_for
from openapi import Description
from places_stub import PlacesStub
from test_http import HOST, Answer, HttpTest

PATH = b"/v1/clients/kiwi/places?radius=10"


class PlacesNear(HttpTest):
    def with_client(self, server):
        with Client(server.port) as client:
            client.ask(b"IAMAT kiwi +34.068930-118.445127 1614209128.918963997\n")
        return server

    def with_stub(self, mode):
        self.stub = PlacesStub(self)
        self.stub.mode = mode
        server = self.server(start=False, more={"places": [self.stub.provider()]})
        return self.with_client(server.start(self.stub.env))

    def test_the_answer_of_a_whatsat(self):
        server = self.with_client(self.server())
        description = Description(self.get(server, b"/openapi.json").json())
        with Client(server.port) as client:
            for radius, limit in ((b"50", b"20"), (b"10.5", b"1"), (b"0", b"0")):
                answer = self.get(server, b"/v1/clients/kiwi/places?limit=%s&radius=%s" % (limit, radius))
                self.assertEqual((answer.status, answer["content-type"]), (200, "application/json"))
                self.assertEqual(answer.body, client.whatsat(b"kiwi", radius, limit)[1].rstrip(b"\n"))
                description.answer("GET", "/v1/clients/{id}/places", answer)
        self.assertTrue(self.get(server, PATH).json()["results"])
        self.assertEqual(self.get(server, PATH, method=b"HEAD").status, 200)
        for query in (b"", b"?limit=1", b"?radius=51", b"?radius=-1", b"?radius=", b"?radius=1+2&limit=", b"?radius=1e1",
                      b"?radius=1&limit=21", b"?radius=1&limit=1.0", b"?radius=1&limit=-1", b"?radius=1&limit=%201",
                      b"?radius=1&what=2", b"?radius=%zz", b"?radius=1%0a", b"?radius=10%001", b"?radius=1.2.3",
                      b"?radius=1&radius=2", b"?radius=1&limit=2&limit=2"):
            self.assertEqual(self.get(server, b"/v1/clients/kiwi/places" + query).status, 400, query)
        for name, status in ((b"nobody", 404), (b"a%20b", 400), (b"%0a", 400), (b"a%00b", 400), (b"", 404)):
            answer = self.get(server, b"/v1/clients/" + name + b"/places?radius=1")
            self.assertEqual(answer.status, status, name)
            description.answer("GET", "/v1/clients/{id}/places", answer)

    def test_pages_of_others_ask_nothing(self):
        """A question may cost, and one for a trace ends another's: an image or a script of somebody's page makes none."""
        server = self.with_stub("ok")
        for path in (PATH, b"/v1/clients/kiwi/trace"):
            for field in (b"Origin: https://evil.example", b"Origin: null", b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Site: same-site",
                          b"Referer: http://evil.example/"):
                self.assertEqual(self.get(server, path, field).status, 403, field)
        self.assertEqual(self.stub.requests, [])
        for path in (PATH, b"/v1/clients/kiwi/trace"):
            for field in (b"Origin: http://localhost", b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Site: none", b"A: b"):
                self.assertEqual(self.get(server, path, field).status, 200, field)

    def test_what_the_provider_says(self):
        for mode, status, said in (("ok", 200, "OK"), ("zero", 200, "ZERO_RESULTS"), ("denied", 502, "REQUEST_DENIED")):
            answer = self.get(self.with_stub(mode), PATH)
            self.assertEqual((answer.status, answer.json()["status"]), (status, said), mode)
            if mode == "ok":
                self.assertEqual(answer["content-length"], str(len(answer.body)))

    def test_requests_behind_it_wait(self):
        server = self.with_stub("hold")
        client = self.http(server)
        ask = b"GET " + PATH + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        health = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        client.send(ask + health + ask + health)
        self.stub.wait_requests(1)
        self.assertEqual(self.get(server, b"/healthz").status, 200)
        self.stub.release()
        for _ in range(2):
            places, ok = Answer(client), Answer(client)
            self.assertEqual((places.status, places.json()["status"]), (200, "OK"))
            self.assertEqual(ok.body, b"ok\n")

    def test_gone_is_noticed_at_once(self):
        """Whose connection is reset is not asked for any longer, though no answer has come."""
        server = self.with_stub("hold")
        ask = b"GET " + PATH + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        health = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        for behind in (b"", health, health * 30):
            client = self.http(server)
            client.send(ask + behind)
            wait_for(lambda: self.get(server, b"/v1/node").json()["connections"] == 2, "it waits")
            client.reset()
            wait_for(lambda: self.get(server, b"/v1/node").json()["connections"] == 1, "it is gone")

    def test_half_closed(self):
        """Who says all and then nothing more is answered all, however late, and then closed."""
        server = self.with_stub("hold")
        ask = b"GET " + PATH + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        health = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        clients = []
        for behind in (0, 1, 30, 3000):
            client = self.http(server)
            client.send(ask)
            clients.append((client, behind))
        self.stub.wait_requests(1)
        for client, behind in clients:
            client.send(health * behind + ask[:behind])
            client.half_close()
        self.assertEqual(self.get(server, b"/healthz").status, 200)
        self.stub.release()
        for client, behind in clients:
            self.assertEqual(Answer(client).json()["status"], "OK")
            for _ in range(behind):
                self.assertEqual(Answer(client).body, b"ok\n")
            if behind >= len(ask):
                self.assertEqual(Answer(client).json()["status"], "OK")
            self.assertEqual(client.closed_by_server(), b"")

    def test_gone_before_the_answer(self):
        server = self.with_stub("hold")
        ask = b"GET " + PATH + b" HTTP/1.1\r\n" + HOST + b"\r\n"

        def connections():
            return self.get(server, b"/v1/node").json()["connections"]

        clients = [self.http(server) for _ in range(3)]
        for client, behind in zip(clients, (b"", ask, b"GET /healthz")):
            client.send(ask + behind)
        self.stub.wait_requests(1)
        wait_for(lambda: connections() == 4, "all wait")
        for client in clients:
            client.reset()
        self.stub.release()
        wait_for(lambda: connections() == 1, "all are gone")
        self.assertEqual(self.get(server, PATH).json()["status"], "OK")
        server.stop()

    def test_the_server_goes_first(self):
        server = self.with_stub("hang")
        client = self.http(server)
        client.send(b"GET " + PATH + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        self.stub.wait_requests(1)
        server.signal(signal.SIGTERM)
        wait_for(lambda: b" stopping" in Path(server.log_path).read_bytes(), "it waits for the answer")
        server.signal(signal.SIGINT)
        self.assertEqual(client.closed_by_server(), b"")
        server.wait()


if __name__ == "__main__":
    main()
