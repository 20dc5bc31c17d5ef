# SPDX-License-Identifier: MIT
"""HTTP from those who mean harm: slow, never ending, never reading, announcing more than they send."""
import contextlib
import re
import threading
import time

from herd import main, wait_for
from test_http import HEALTH, HOST, Answer, HttpTest

GET = b"GET /healthz HTTP/1.1\r\n" + HOST  # its handler does not look at a body, which is read all the same


def resident_kb(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


class Slow(HttpTest):
    def test_bodies(self):
        """All of a body has to come in time, however it is framed, and however steadily its bytes come."""
        server = self.server(limits={"line_deadline_ms": 500})
        for rest in (b"Content-Length: 60000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nea60\r\n",
                     b"Transfer-Encoding: chunked\r\n\r\n1;", b"Transfer-Encoding: chunked\r\n\r\n0\r\nA:"):
            client = self.http(server)
            client.send(GET + rest)
            with self.assertRaises(OSError, msg=rest):
                for _ in range(3000):
                    client.send(b"a")
                    time.sleep(0.01)

    def test_many(self):
        """A thousand heads that never end: another client is answered meanwhile, and all are closed."""
        server = self.server(limits={"clients_max": 2000, "clients_per_address_max": 2000, "line_deadline_ms": 3000})
        slow = [self.http(server) for _ in range(1000)]
        for client in slow:
            client.send(HEALTH[:20])
        other = self.http(server)
        for client in slow:
            with contextlib.suppress(OSError):  # its time is over
                client.socket.send(b"a")
            other.send(HEALTH)
            self.assertEqual(Answer(other).body, b"ok\n")
        for client in slow:
            self.assertEqual(client.closed_by_server(), b"")
        other.send(HEALTH)
        self.assertEqual(Answer(other).body, b"ok\n")

    def test_byte_by_byte(self):
        server = self.server()
        client = self.http(server)
        for byte in (GET + b"Transfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n" + GET +
                     b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"):
            client.send(bytes([byte]))
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertEqual(client.until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        for byte in b"hello" + HEALTH:
            client.send(bytes([byte]))
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertEqual(Answer(client).body, b"ok\n")


class Large(HttpTest):
    def test_refused_upload_gets_its_answer(self):
        """Who is refused while he still sends is told why: the connection is not reset under the answer."""
        server = self.server()
        for head, status in ((b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 4000000\r\n\r\n", 405),
                             (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3d0900\r\n", 405),
                             (GET + b"Content-Length: 4000000\r\n\r\n", 413),
                             (GET + b"Transfer-Encoding: chunked\r\n\r\n3d0900\r\n", 413),
                             (b"GET / HTTP/9.9\r\n\r\n", 505)):
            client = self.http(server)
            upload = threading.Thread(target=self.upload, args=(client, head + b"x" * 4000000))
            upload.start()
            answer = Answer(client)
            self.assertEqual((answer.status, answer["connection"]), (status, "close"), head)
            upload.join()

    @staticmethod
    def upload(client, data):
        try:
            client.send(data)
        except OSError:
            pass  # it was heard enough

    def test_announced(self):
        """What bodies may hold together is bounded; who was there before is served, others wait for nothing."""
        server = self.server(limits={"clients_max": 2000, "clients_per_address_max": 2000})
        many = [self.http(server) for _ in range(1024)]
        for client in many:
            client.send(GET + b"Content-Length: 65536\r\nExpect: 100-continue\r\n\r\n")
        for client in many:
            client.until(b"100 Continue\r\n\r\n")
        late = self.http(server)
        late.send(GET + b"Content-Length: 20000\r\n\r\n")
        answer = Answer(late)
        self.assertEqual((answer.status, answer["retry-after"]), (503, "1"))
        small = self.http(server)
        small.send(GET + b"Content-Length: 5\r\n\r\n")
        small.send(b"hello")
        self.assertEqual(Answer(small).status, 200)
        many[0].send(b"x" * 65536)
        self.assertEqual(Answer(many[0]).status, 200)
        for client in many:
            client.close()

        def room_again():
            client = self.http(server)
            client.send(GET + b"Content-Length: 65536\r\n\r\n")
            client.send(b"x" * 65536)
            return Answer(client).status == 200
        wait_for(room_again, "room for a large body again")

    def test_chunks(self):
        server = self.server()
        for body, status in ((b"1\r\nx\r\n" * 65536 + b"0\r\n\r\n", 200), (b"1\r\nx\r\n" * 65537 + b"0\r\n\r\n", 413),
                             (b"1;abcdefgh\r\nx\r\n" * 5000, 400), (b"0\r\n" + b"A: b\r\n" * 5000, 431)):
            client = self.http(server)
            client.send(GET + b"Transfer-Encoding: chunked\r\n\r\n" + body)
            self.assertEqual(Answer(client).status, status, body[:20])

    def test_nobody_reads(self):
        """Requests without end from one who reads no answer are not taken in."""
        server = self.server()
        client = self.http(server, receive_buffer=4096)
        client.socket.settimeout(0.5)
        before, sent = resident_kb(server), 0
        with self.assertRaises(OSError):
            while sent < 100_000_000:
                sent += client.socket.send(HEALTH * 500)
        self.assertLess(resident_kb(server) - before, 8192)
        other = self.http(server)
        other.send(HEALTH)
        self.assertEqual(Answer(other).body, b"ok\n")


class Cut(HttpTest):
    def test_log(self):
        """Bytes that are no request are logged as what they are."""
        server = self.server()
        client = self.http(server)
        client.send(b"GET /healthz\r\n\r\n")
        self.assertEqual(Answer(client).status, 400)
        server.wait_event("http", method="?", path="", status="400")

    def test_half(self):
        """Who stops in the middle of a request is not answered, and not kept."""
        server = self.server()
        for text in (GET + b"Content-Length: 5\r\n\r\nhel", GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
                     GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", GET[:30]):
            client = self.http(server)
            client.send(text)
            client.half_close()
            self.assertEqual(client.closed_by_server(), b"", text)

    def test_behind_close(self):
        """What is behind a request that closes is not looked at."""
        server = self.server()
        for one in (GET + b"Connection: close\r\n\r\n", b"GET /healthz HTTP/1.0\r\n\r\n"):
            client = self.http(server)
            client.send(one + b"GET /v1/node HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(Answer(client).body, b"ok\n")
            self.assertEqual(client.closed_by_server(), b"")
        self.assertFalse(server.events("http", path="/v1/node"))

    def test_expect(self):
        """100 only where a body is waited for."""
        server = self.server()
        expects = b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        client = self.http(server)
        client.send(GET + expects + b"hello" + HEALTH)
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertEqual(Answer(client).body, b"ok\n")
        client.send(b"POST /healthz HTTP/1.1\r\n" + HOST + expects)
        self.assertEqual(Answer(client).status, 405)
        self.assertEqual(client.closed_by_server(), b"")
        client = self.http(server)
        client.send(b"GET /healthz HTTP/1.0\r\n" + expects)
        self.assertTrue(client.silent())
        client.send(b"hello")
        self.assertEqual(Answer(client).body, b"ok\n")

    def test_behind_a_stream(self):
        """Who watches is answered nothing more; that he is gone is noticed, whatever he said before."""
        server = self.server()
        client = self.http(server)
        client.send(b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n" + HEALTH)
        client.until(b"event: snapshot")
        client.send(HEALTH * 100)
        server.ask(b"IAMAT x +1-1 5\n")
        client.until(b"event: at")
        self.assertEqual(self.get(server, b"/v1/node").json()["viewers"], 1)
        client.close()
        wait_for(lambda: self.get(server, b"/v1/node").json()["viewers"] == 0, "the viewer is gone")
        self.assertEqual(len(server.events("http", path="/healthz")), 0)

    def test_head(self):
        """A reply to HEAD has no body, whatever it says; the next one is where it should be."""
        server = self.server()
        client = self.http(server)
        for path, status in ((b"/healthz", 200), (b"/nothing", 404), (b"/v1/node", 200), (b"/%zz", 400)):
            client.send(b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = Answer(client, head_only=True)
            self.assertEqual(answer.status, status, path)
            if status != 400:
                client.send(HEALTH)
                self.assertEqual(Answer(client).body, b"ok\n")


if __name__ == "__main__":
    main()
