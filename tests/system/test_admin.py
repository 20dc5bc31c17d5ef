# SPDX-License-Identifier: MIT
"""admin_port: the state of a server for tools of its own machine, whatever its http_port is for, or without one."""
import json
import os
import signal
import subprocess

from herd import AT, PROGRAM, Client, free_port, main, wait_for
from openapi import Description
from test_http import HEALTH, HOST, Answer, HttpTest

STATE = (b"/healthz", b"/readyz", b"/v1/node", b"/v1/peers", b"/metrics", b"/openapi.json")
CLIENTS = (b"/v1/clients", b"/v1/clients/kiwi", b"/v1/clients/kiwi/trace", b"/v1/clients/kiwi/places?radius=1", b"/v1/events",
           b"/api/0/last", b"/api/0/list")


class AdminTest(HttpTest):
    def admin(self, name="A", http=False, more=None, **members):
        """A server with an admin_port; requests go there."""
        herd = self.herd([name], [], more=more)
        server = herd[name]
        server.http_port = free_port()
        herd.config["servers"][name].update({"admin_port": server.http_port, **members})
        if http:
            server.other_port = free_port()
            herd.config["servers"][name]["http_port"] = server.other_port
        herd.write()
        return server.start()


class Alone(AdminTest):
    def test_the_state_and_nothing_else(self):
        server = self.admin()
        self.assertFalse(server.events("listening_http"))
        self.assertEqual(server.wait_event("listening_admin")["address"], f"127.0.0.1:{server.http_port}")
        self.assertRegex(server.ask(b"IAMAT kiwi +1-1 5\n"), AT)
        description = Description(self.get(server, b"/openapi.json").json())
        for path in STATE:
            answer = self.get(server, path)
            self.assertEqual(answer.status, 200, path)
            description.answer("GET", path.decode(), answer)
        for path in CLIENTS + (b"/nothing",):
            answer = self.get(server, path)
            self.assertEqual((answer.status, answer.json()["type"]), (404, "/problems/not-found"), path)
        body = b'{"lat":1,"lon":2}'
        for method, path in ((b"PUT", b"/v1/clients/kiwi"), (b"POST", b"/pub"), (b"POST", b"/overland"), (b"POST", b"/")):
            answer = self.ask(server, b"%s %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                              % (method, path, HOST, len(body), body))
            self.assertIn(answer.status, (404, 405), path)
        self.assertEqual(self.get(server, b"/v1/clients/kiwi", method=b"DELETE").status, 404)
        self.assertEqual(self.get(server, b"/v1/node").json()["reports"], 1)

    def test_pages_of_others(self):
        """A name that somebody gave our address gets nothing; nor does a page that may only send."""
        server = self.admin(more={"http": {"origins": ["https://map.example"]}})
        for path in STATE:
            answer = self.get(server, path, b"Host: evil.example")
            self.assertEqual((answer.status, answer["access-control-allow-origin"]), (421, None), path)
            answer = self.get(server, path, b"Origin: https://evil.example")
            self.assertIsNone(answer["access-control-allow-origin"], path)
            answer = self.get(server, path, b"Origin: https://evil.example", method=b"POST")
            self.assertIn(answer.status, (403, 405))
        answer = self.get(server, b"/metrics", b"Origin: https://map.example")
        self.assertEqual((answer.status, answer["access-control-allow-origin"]), (200, "https://map.example"))
        preflight = self.get(server, b"/metrics", b"Origin: https://evil.example", b"Access-Control-Request-Method: GET",
                             method=b"OPTIONS")
        self.assertEqual(preflight.status, 403)

    def test_what_is_not_http(self):
        server = self.admin()
        for text in (b"IAMAT kiwi +1-1 5\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x00" * 64):
            client = self.http(server)
            client.send(text)
            client.half_close()
            self.assertRegex(client.closed_by_server(), rb"\A(HTTP/1\.1 4\d\d |\Z)")
        self.assertEqual(self.get(server, b"/v1/node").json()["reports"], 0)

    def test_port_in_use(self):
        server = self.admin()
        herd = self.herd(["B"], [])
        herd.config["servers"]["B"]["admin_port"] = server.http_port
        herd.write()
        done = subprocess.run([PROGRAM, "-c", herd.config_path, "-l", os.devnull, "B"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1 port {server.http_port}", done.stderr)


class Beside(AdminTest):
    def test_two_ports(self):
        server = self.admin(http=True)
        with Client(server.other_port) as client:
            client.send(b"GET /v1/clients HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(Answer(client).status, 200)
        self.assertEqual(self.get(server, b"/v1/clients").status, 404)

    def test_no_header_of_a_proxy(self):
        server = self.admin(http=True, more={"http": {"proxies": ["127.0.0.0/8"]}})
        self.assertEqual(self.get(server, b"/v1/node").status, 200)
        with Client(server.other_port) as client:
            client.send(HEALTH)
            self.assertEqual(client.closed_by_server(), b"")

    def test_restart_needed(self):
        server = self.admin()
        del server.herd.config["servers"]["A"]["admin_port"]
        server.herd.write()
        server.signal(signal.SIGHUP)
        event = server.wait_event("restart_needed", setting="admin_port")
        self.assertEqual((event["in_force"], event["configured"]), (str(server.http_port), "none"))
        self.assertEqual(self.get(server, b"/healthz").status, 200)


class Status(HttpTest):
    def command(self, path, *words):
        return subprocess.run([PROGRAM, "-c", path, *words], capture_output=True, text=True, check=False)

    def test_status_asks_there_first(self):
        herd = self.herd(["A", "B"], [["A", "B"]])
        for name, member in (("A", "admin_port"), ("B", "http_port")):
            herd[name].http_port = free_port()
            herd.config["servers"][name][member] = herd[name].http_port
        herd.write()
        for server in herd:
            server.start()
        for server in herd:
            wait_for(lambda s=server: self.get(s, b"/readyz").status == 200, "ready")
        said = self.command(herd.config_path, "--verify")
        self.assertEqual((said.returncode, said.stderr), (0, ""), said.stdout)

        # Seen from B's machine, A's admin_port may be another server's, or nobody's.
        servers = json.loads(json.dumps(herd.config))
        servers["servers"]["B"]["admin_port"] = herd["A"].http_port
        del servers["servers"]["A"]["admin_port"]
        path = os.path.join(self.directory(), "b.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(servers, file)
        said = self.command(path, "--status", "B")
        self.assertRegex(said.stdout, r"\nB +up ")
        said = self.command(path, "--status", "A")
        self.assertIn("has neither http_port nor admin_port", said.stdout)
        del servers["servers"]["B"]["http_port"]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(servers, file)
        said = self.command(path, "--status", "B")
        self.assertIn("another server answers there", said.stdout)


if __name__ == "__main__":
    main()
