# SPDX-License-Identifier: MIT
"""HTTP on its own port: what a connection may do, which requests are refused and how, who may, through which proxy."""
import base64
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import unittest

from herd import AT, Client, HerdTest, free_port, main, run, wait_for

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


class Answer:
    """A response: status, fields (lower case), body."""

    def __init__(self, client, head_only=False):
        head = client.until(b"\r\n\r\n").decode("latin-1")
        line, *fields = head[:-4].split("\r\n")
        self.line = line
        self.status = int(line.split()[1])
        self.fields = {}
        for field in fields:
            name, _, value = field.partition(":")
            self.fields.setdefault(name.lower(), []).append(value.strip())
        self.body = b""
        if not head_only and self.status >= 200 and self.status not in (204, 304):
            self.body = client.exactly(int(self["content-length"]))

    def __getitem__(self, name):
        return ", ".join(self.fields[name]) if name in self.fields else None

    def json(self):
        return json.loads(self.body)


class HttpTest(HerdTest):
    def server(self, name="A", limits=None, http=None, more=None, log=None, start=True, **members):
        herd = self.herd([name], [], limits=limits, log=log,
                         more={**({"http": http} if http is not None else {}), **(more or {})})
        server = herd[name]
        server.http_port = free_port()
        herd.config["servers"][name].update({"http_port": server.http_port, **members})
        herd.write()
        return server.start() if start else server

    def http(self, server, **options):
        client = Client(server.http_port, **options)
        self.addCleanup(client.close)
        return client

    def ask(self, server, request, head_only=False):
        """One request on a connection of its own."""
        with Client(server.http_port) as client:
            client.send(request)
            return Answer(client, head_only)

    def get(self, server, path, *fields, method=b"GET"):
        lines = b"".join(field + b"\r\n" for field in fields)
        host = b"" if any(field.lower().startswith(b"host:") for field in fields) else HOST
        return self.ask(server, method + b" " + path + b" HTTP/1.1\r\n" + host + lines + b"\r\n", method == b"HEAD")

    def refused(self, server, request, status):
        """The request is answered with this status and a problem, and the connection ends."""
        client = self.http(server)
        client.send(request)
        answer = Answer(client)
        self.assertEqual(answer.status, status, request[:200])
        self.assertEqual(answer["content-type"], "application/problem+json")
        self.assertEqual(answer.json()["status"], status)
        self.assertEqual(answer["connection"], "close")
        self.assertEqual(client.closed_by_server(), b"")
        return answer


class Requests(HttpTest):
    def test_off(self):
        """Nothing of it is there without http_port."""
        herd = self.herd(["A"], [])
        herd["A"].start()
        self.assertFalse(herd["A"].events("listening_http"))
        with herd["A"].client() as client:
            client.send(b"GET /healthz HTTP/1.1\r\n\r\n")
            self.assertIn(b"? GET /healthz", client.closed_by_server())

    def test_first_routes(self):
        server = self.server()
        server.wait_event("listening_http")
        health = self.get(server, b"/healthz")
        self.assertEqual((health.status, health.body), (200, b"ok\n"))
        self.assertEqual(health["cache-control"], "no-store")
        self.assertEqual(health["x-content-type-options"], "nosniff")
        self.assertRegex(health["date"], r"\A\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\Z")
        self.assertIsNone(health["connection"])
        server.ask(b"IAMAT x +1-1 5\n")
        node = self.get(server, b"/v1/node").json()
        self.assertEqual((node["name"], node["clients"], node["reports"]), ("A", 1, 1))

    def test_same_limits_beside_lines(self):
        """The port for lines goes on as ever."""
        server = self.server()
        self.assertRegex(server.ask(b"IAMAT x +1-1 5\n"), AT)

    def test_keep_alive_and_pipelining(self):
        server = self.server()
        client = self.http(server)
        client.send(HEALTH * 500)
        for _ in range(500):
            self.assertEqual(Answer(client).body, b"ok\n")
        self.assertTrue(client.silent())
        client.send(HEALTH.replace(HOST, HOST + b"Connection: close\r\n") + HEALTH)
        answer = Answer(client)
        self.assertEqual(answer["connection"], "close")
        self.assertEqual(client.closed_by_server(), b"")

    def test_split_at_every_byte(self):
        server = self.server()
        client = self.http(server)
        for at in range(1, len(HEALTH)):
            client.send(HEALTH[:at])
            client.send(HEALTH[at:])
            self.assertEqual(Answer(client).body, b"ok\n")
        for byte in HEALTH:
            client.send(bytes([byte]))
        self.assertEqual(Answer(client).body, b"ok\n")

    def test_http_1_0(self):
        server = self.server()
        client = self.http(server)
        client.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertEqual(client.closed_by_server(), b"")
        client = self.http(server)
        client.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
        for _ in range(2):
            self.assertEqual(Answer(client)["connection"], "keep-alive")

    def test_head(self):
        server = self.server()
        client = self.http(server)
        client.send(b"HEAD /healthz HTTP/1.1\r\n" + HOST + b"\r\n" + HEALTH)
        head = Answer(client, head_only=True)
        self.assertEqual((head.status, head["content-length"]), (200, "3"))
        self.assertEqual(Answer(client).body, b"ok\n")

    def test_half_close(self):
        """Who says all and then nothing more is answered all."""
        client = self.http(self.server())
        client.send(HEALTH * 3 + b"GET /he")
        client.half_close()
        for _ in range(3):
            self.assertEqual(Answer(client).body, b"ok\n")
        self.assertEqual(client.closed_by_server(), b"")

    def test_methods(self):
        server = self.server()
        answer = self.get(server, b"/healthz", b"Content-Length: 0", method=b"POST")
        self.assertEqual((answer.status, answer["allow"]), (405, "GET, HEAD, OPTIONS"))
        answer = self.get(server, b"/healthz", method=b"OPTIONS")
        self.assertEqual((answer.status, answer["allow"]), (204, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.get(server, b"*", method=b"OPTIONS").status, 204)
        self.assertEqual(self.get(server, b"/nothing").status, 404)
        self.assertEqual(self.get(server, b"/healthz/").status, 404)
        self.refused(server, b"BREW /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501)

    def test_refused(self):
        server = self.server()
        for request, status in (
                (b"GET /healthz HTTP/1.1\r\n\r\n", 400),                                          # no Host
                (b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
                (b"GET /healthz HTTP/1.1\n" + HOST + b"\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
                (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: b\0c\r\n\r\n", 400),
                (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
                (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nabcde", 400),
                (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
                (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: a miracle\r\n\r\n", 417),
                (b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n", 505),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
                (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 9000 + b"\r\n\r\n", 431),
                (b"GET /healthz HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 100 + b"\r\n", 431),
                (b"IAMAT x +1-1 5\n", 400),
                (b"\x16\x03\x01\x02\x00\x01", 400)):
            self.refused(server, request, status)
        self.assertEqual(self.get(server, b"/healthz").status, 200)

    def test_bodies_refused(self):
        """By their length, their framing or their type; 100 is not said before such a refusal."""
        server = self.server()
        put = b"PUT /v1/clients/a HTTP/1.1\r\n" + HOST
        json_type = b"Content-Type: application/json\r\n"
        chunked = json_type + b"Transfer-Encoding: chunked\r\n\r\n"
        for request, status in (
                (put + json_type + b"Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n", 413),
                (put + json_type + b"Content-Length: 18446744073709551615\r\n\r\n", 413),
                (put + json_type + b"Content-Length: 18446744073709551616\r\n\r\n", 413),
                (put + b"Content-Type: text/plain\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n", 415),
                (put + json_type + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n", 415),
                (put + json_type + json_type + b"Content-Length: 20\r\n\r\n", 415),
                (put + json_type + b"Content-Length: -1\r\n\r\n", 400),
                (put + json_type + b"Content-Length: 0x5\r\n\r\n", 400),
                (put + json_type + b"Content-Length : 5\r\n\r\nhello", 400),
                (put + json_type + b"Content-Length: 5, 5\r\n\r\nhello", 400),
                (put + chunked + b"-5\r\n", 400),
                (put + chunked + b"ffffffffffffffff\r\n", 413),
                (put + chunked + b"10000000000000005\r\n", 400),
                (put + chunked + b"5\nhello", 400),
                (put + json_type + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 501),
                (put.replace(b"1.1", b"1.0") + chunked, 400)):
            with self.subTest(request):
                self.refused(server, request, status)
        self.assertEqual(self.ask(server, put + json_type + b"\r\n").status, 411)
        client = self.http(server)
        client.send(b"GET http://localhost/healthz HTTP/1.1\r\n" + HOST + b"\r\n" + HEALTH)
        for _ in range(2):
            self.assertEqual(Answer(client).body, b"ok\n")
        head = self.get(server, b"/v1/events", method=b"HEAD")
        self.assertEqual((head.status, head["content-type"], head["content-length"]), (200, "text/event-stream", None))
        self.assertEqual(self.get(server, b"/v1/node").json()["viewers"], 0)

    def test_refused_body_is_no_request(self):
        """What stands behind a refused head, and has not come yet, is never taken for a request."""
        client = self.http(self.server())
        client.send(b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n" + HEALTH)
        self.assertEqual(Answer(client).status, 405)
        self.assertEqual(client.closed_by_server(), b"")
        client = self.http(self.server("B"))
        client.send(b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(HEALTH) + HEALTH + HEALTH)
        self.assertEqual(Answer(client).status, 405)
        self.assertEqual(Answer(client).body, b"ok\n")

    def test_log(self):
        """A request a line: the path, without what is behind it, and no credentials."""
        server = self.server()
        self.get(server, b"/healthz?password=1", b"Authorization: Bearer herd_hidden")
        event = server.wait_event("http", path="/healthz")
        self.assertEqual((event["method"], event["status"], event["bytes"], event.level), ("GET", "200", "3", "info"))
        self.assertRegex(event["client"], r"\A127\.0\.0\.1:\d+\Z")
        self.assertNotIn("password", server.log_text())
        self.assertNotIn("hidden", server.log_text())

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        server = self.server()
        url = f"http://localhost:{server.http_port}"
        done = subprocess.run(["curl", "-sS", "-w", "%{http_code}", url + "/healthz", url + "/v1/node", "-o", "/dev/null",
                               "-o", "/dev/null"], stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(done.stdout, b"200200")


class Limits(HttpTest):
    def test_deadline_of_a_head(self):
        """All of a head has to come in time, however steadily its bytes come."""
        server = self.server(limits={"line_deadline_ms": 1000})
        client = self.http(server)
        began = time.monotonic()
        with self.assertRaises(OSError):
            for byte in HEALTH[:-4] + b"\r\nA: " + b"a" * 4000:
                client.send(bytes([byte]))
                time.sleep(0.02)
        self.assertGreater(time.monotonic() - began, 0.9)
        server.wait_event("line_deadline")

    def test_deadline_of_a_body(self):
        """Not for all of it: it may be long. But it has to get on."""
        server = self.server(limits={"line_deadline_ms": 2000})
        head = b"POST /pub HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        client = self.http(server)
        began = time.monotonic()
        client.send(head % 65536)
        for _ in range(16):
            client.send(b" " * 4096)
            time.sleep(0.15)
        self.assertGreater(time.monotonic() - began, 2)
        self.assertEqual(Answer(client).status, 200)
        client = self.http(server)
        client.send(head % 60000)
        with self.assertRaises(OSError):
            for _ in range(4000):
                client.send(b" ")
                time.sleep(0.02)
        server.wait_event("line_deadline")

    def test_idle(self):
        server = self.server(limits={"client_idle_ms": 300})
        client = self.http(server)
        client.send(HEALTH)
        self.assertEqual(Answer(client).status, 200)
        self.assertEqual(client.closed_by_server(), b"")

    def test_clients_max(self):
        server = self.server(limits={"clients_max": 2})
        kept = [self.http(server) for _ in range(2)]
        for client in kept:
            client.send(HEALTH)
            self.assertEqual(Answer(client).status, 200)
        waits = self.http(server)  # in the kernel's queue
        waits.send(HEALTH)
        kept[1].send(HEALTH)
        self.assertEqual(Answer(kept[1]).status, 200)
        self.assertTrue(waits.silent())
        kept[0].close()
        self.assertEqual(Answer(waits).status, 200)

    def test_clients_max_beside_neighbours(self):
        """The places that are kept for neighbours are not for HTTP."""
        server = self.server(limits={"clients_max": 1}, more={"links": []}, start=False)
        server.herd.config["servers"]["B"] = {"port": free_port()}
        server.herd.config["links"] = [["A", "B"]]
        server.herd.write()
        server.start()
        kept = self.http(server)
        kept.send(HEALTH)
        self.assertEqual(Answer(kept).status, 200)
        self.assertEqual(self.http(server).closed_by_server(), b"")
        server.wait_event("connection_refused", why="clients_max")

    def test_per_address(self):
        """Lines and HTTP count together."""
        server = self.server(limits={"clients_per_address_max": 2})
        line, client = server.client(), self.http(server)
        self.assertRegex(line.ask(b"IAMAT x +1-1 5\n"), AT)
        client.send(HEALTH)
        self.assertEqual(Answer(client).status, 200)
        self.assertEqual(self.http(server).closed_by_server(), b"")
        server.wait_event("connection_refused", why="clients_per_address_max")

    def test_stalled_reader(self):
        """Who takes no answers is read no further, and closed."""
        server = self.server(limits={"write_stall_ms": 500})
        client = self.http(server, receive_buffer=4096)
        client.socket.settimeout(5)
        with self.assertRaises(OSError):
            while True:
                client.send(b"GET /v1/node HTTP/1.1\r\n" + HOST + b"\r\n" + HEALTH * 50)
        server.wait_event("closed", why="write_stall")

    def test_stop(self):
        """A graceful stop answers what was asked, and ends idle connections."""
        server = self.server()
        client = self.http(server)
        client.send(HEALTH)
        self.assertEqual(Answer(client).status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(client.closed_by_server(), b"")


class Browsers(HttpTest):
    def test_host(self):
        """A name that is not this server's: a page may have given its own name our address."""
        server = self.server(http={"hosts": ["herd.example"]})
        for host in (b"localhost", b"LOCALHOST:80", b"127.0.0.1", b"127.0.0.1:8000", b"[::1]", b"[::1]:80", b"10.1.2.3",
                     b"herd.example", b"Herd.Example.:443"):
            self.assertEqual(self.get(server, b"/healthz", b"Host: " + host).status, 200, host)
        for host in (b"evil.example", b"herd.example.evil", b"localhost.evil.example", b"1.2.3.4.5", b"127.1"):
            answer = self.get(server, b"/healthz", b"Host: " + host)
            self.assertEqual((answer.status, answer.json()["type"]), (421, "/problems/host"), host)

    def test_cors(self):
        server = self.server(http={"origins": ["https://map.example"]})
        listed = self.get(server, b"/v1/node", b"Origin: https://map.example")
        self.assertEqual(listed.status, 200)
        self.assertEqual(listed["access-control-allow-origin"], "https://map.example")
        self.assertEqual(listed["access-control-allow-credentials"], "true")
        self.assertEqual(listed["vary"], "Origin")
        for origin in (b"https://evil.example", b"http://map.example", b"https://map.example:444", b"null",
                       b"https://map.example.evil"):
            other = self.get(server, b"/v1/node", b"Origin: " + origin)
            self.assertEqual((other.status, other["access-control-allow-origin"], other["vary"]), (200, None, "Origin"))
        self.assertIsNone(self.get(server, b"/v1/node")["vary"])

    def test_preflight(self):
        server = self.server(http={"origins": ["https://map.example"]})
        wants = b"Access-Control-Request-Method: GET"
        answer = self.get(server, b"/v1/node", b"Origin: https://map.example", wants, method=b"OPTIONS")
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer["access-control-allow-methods"], "GET, HEAD, OPTIONS")
        self.assertIn("Authorization", answer["access-control-allow-headers"])
        answer = self.get(server, b"/v1/node", b"Origin: https://evil.example", wants, method=b"OPTIONS")
        self.assertEqual((answer.status, answer["access-control-allow-origin"]), (403, None))


class Configuration(HttpTest):
    def check(self, server):
        done = run("--check", "-c", server.config_path, "A")
        return (done.stdout + done.stderr).decode()

    def test_open(self):
        """Without identities nobody opens HTTP to a network by accident."""
        server = self.server(start=False, listen="*")
        self.assertIn("servers.A.http_port: everybody who reaches * could report and ask", self.check(server))
        server.herd.config["servers"]["A"]["http_listen"] = ["127.0.0.1", "localhost"]
        server.herd.write()
        self.assertNotIn("everybody who reaches", self.check(server))
        del server.herd.config["servers"]["A"]["http_listen"]
        server.herd.config["http"] = {"open": True}
        server.herd.write()
        self.assertNotIn("everybody who reaches", self.check(server))
        server.start()
        self.assertEqual(self.get(server, b"/healthz").status, 200)

    def test_tokens_in_clear(self):
        """--check says that tokens would be refused."""
        server = self.server(start=False, http_listen="*")
        with open(os.path.join(server.herd.dir, "identities"), "w") as file:
            file.write("kiwi sha256:%064x * *\n" % 1)
        server.herd.config["identities"] = file.name
        server.herd.write()
        self.assertIn("HTTP of A on * has no TLS: tokens are refused there", self.check(server))
        server.herd.config["servers"]["A"]["http_listen"] = "::1"
        server.herd.write()
        self.assertNotIn("has no TLS", self.check(server))

    def test_reload(self):
        """Hosts and origins follow SIGHUP; a port needs a restart."""
        server = self.server()
        self.assertEqual(self.get(server, b"/healthz", b"Host: new.example").status, 421)
        server.herd.config["http"] = {"hosts": ["new.example"], "origins": ["https://map.example"]}
        server.herd.config["servers"]["A"]["http_port"] = free_port()
        server.herd.write()
        self.hup(server)
        self.assertTrue(server.events("setting_changed", setting="http.hosts"))
        self.assertTrue(server.events("restart_needed", setting="http_port", in_force=str(server.http_port)))
        answer = self.get(server, b"/healthz", b"Host: new.example", b"Origin: https://map.example")
        self.assertEqual((answer.status, answer["access-control-allow-origin"]), (200, "https://map.example"))

    def test_print(self):
        server = self.server(start=False, http={"hosts": ["a.example"], "proxies": ["10.0.0.0/8"]}, http_listen="127.0.0.1")
        printed = json.loads(run("--print-config", "-c", server.config_path).stdout)
        self.assertEqual(printed["http"], {"hosts": ["a.example"], "origins": [], "proxies": ["10.0.0.0/8"], "open": False})
        self.assertEqual(printed["servers"]["A"]["http_listen"], "127.0.0.1")

    def test_port_in_use(self):
        server = self.server(start=False)
        with socket.create_server(("127.0.0.1", server.http_port)):
            done = run("-c", server.config_path, "A")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"port {server.http_port}: Address already in use", done.stderr.decode())


def binary(source, port, command=0x21):
    """A header of version 2, for IPv4."""
    rest = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", port, 80)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, 0x11]) + struct.pack("!H", len(rest)) + rest


class Proxies(HttpTest):
    def proxied(self, **options):
        return self.server(http={"proxies": ["127.0.0.0/8"]}, **options)

    def test_version_1(self):
        """On both ports; the log has the client's address."""
        server = self.proxied()
        client = self.http(server)
        client.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + HEALTH)
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertTrue(server.wait_event("http", client="192.0.2.7:4711"))
        line = server.client()
        line.send(b"PROXY TCP6 2001:db8::7 ::1 4712 80\r\n")
        self.assertRegex(line.ask(b"IAMAT x +1-1 5\n"), AT)
        self.assertTrue(server.wait_event("received", client="[2001:db8::7]:4712"))

    def test_version_2(self):
        server = self.proxied()
        client = self.http(server)
        whole = binary("192.0.2.8", 4713) + HEALTH
        for byte in whole:
            client.send(bytes([byte]))
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertTrue(server.wait_event("http", client="192.0.2.8:4713"))
        client = self.http(server)
        client.send(binary("192.0.2.8", 4713, command=0x20) + HEALTH)  # the proxy itself
        self.assertEqual(Answer(client).body, b"ok\n")
        self.assertTrue(server.wait_event("http", path="/healthz"))

    def test_only_with_it(self):
        server = self.proxied()
        for client in (self.http(server), server.client()):
            client.send(HEALTH)
            self.assertEqual(client.closed_by_server(), b"")
        self.assertRegex(server.wait_event("connection_refused", why="proxy_header")["client"], r"\A127\.0\.0\.1:\d+\Z")
        client = self.http(server)
        client.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80 \r\n")
        self.assertEqual(client.closed_by_server(), b"")

    def test_only_from_there(self):
        """Who is no proxy says nothing of whom it is."""
        server = self.server(http={"proxies": ["10.0.0.0/8"]})
        self.refused(server, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + HEALTH, 400)

    def test_figures_are_for_this_machine(self):
        """Not for whom a proxy brings, whatever it says of him; what is for everybody is for those too."""
        for options in ({}, {"open": True}):
            server = self.server("AB"[len(options)], http={"proxies": ["127.0.0.0/8"], **options})
            for header in (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n", b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 80\r\n",
                           b"PROXY UNKNOWN\r\n", binary("127.0.0.1", 4713), binary("127.0.0.1", 4713, command=0x20)):
                for path, status in ((b"/metrics", 403), (b"/v1/node", 403), (b"/v1/peers", 403), (b"/healthz", 200),
                                     (b"/v1/clients", 200), (b"/", 200)):
                    client = self.http(server)
                    client.send(header + b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                    self.assertEqual(Answer(client).status, status, header + path)
        server = self.server("C", http={"open": True})
        self.assertEqual(self.get(server, b"/metrics").status, 200)

    def test_limits(self):
        """Each client has its own share, not the proxy's."""
        server = self.proxied(limits={"clients_per_address_max": 1})
        kept = []
        for number in range(5):
            client = self.http(server)
            client.send(b"PROXY TCP4 192.0.2.%d 127.0.0.1 4711 80\r\n" % number + HEALTH)
            self.assertEqual(Answer(client).status, 200)
            kept.append(client)
        client = self.http(server)
        client.send(b"PROXY TCP4 192.0.2.1 127.0.0.1 4712 80\r\n" + HEALTH)
        self.assertEqual(client.closed_by_server(), b"")
        server.wait_event("connection_refused", why="clients_per_address_max")

    def test_silent(self):
        """Who says nothing has the deadline of a line."""
        server = self.proxied(limits={"line_deadline_ms": 500})
        for client in (self.http(server), server.client()):
            client.send(b"PROXY TCP4 192")
            self.assertEqual(client.closed_by_server(), b"")


if __name__ == "__main__":
    main()
