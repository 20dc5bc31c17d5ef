# SPDX-License-Identifier: MIT
"""nginx in front of the real server, with connections to it that stay open: nobody's bytes become another's request.

Whatever a client sends, what nginx says it passed on and what the server says it was asked must be the same requests,
one for one: its log of access and ours are compared. After each connection another client asks, whose request must be
answered as if nothing had been. nginx runs with its usual settings, and with those that let more through.
"""
import os
import shutil
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "system")]

import http_cases  # noqa: E402
from herd import DEADLINE, HerdTest, free_port, main, wait_for  # noqa: E402

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 128; }}
http {{
    log_format passed '$request_method $request_uri $upstream_status $upstream_addr';
    access_log access.log passed;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_header_timeout 5s;
    client_body_timeout 5s;
    lingering_close off;
    {more}
    upstream herd {{
        server 127.0.0.1:{herd};
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://herd;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_next_upstream off;
            proxy_ignore_client_abort on;
            proxy_read_timeout 5s;
        }}
    }}
}}
"""
LENIENT = "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; proxy_request_buffering off;"


class Nginx(HerdTest):
    def chain(self, more):
        """A server and nginx before it; the port of nginx."""
        herd = self.herd(["A"], [], more={"http": {"hosts": ["h"]}})
        self.server = herd["A"]
        http_port, port = free_port(), free_port()
        herd.config["servers"]["A"]["http_port"] = http_port
        herd.write()
        self.server.start()
        self.nginx_dir = os.path.join(herd.dir, "nginx")
        os.makedirs(self.nginx_dir)
        with open(os.path.join(self.nginx_dir, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(herd=http_port, port=port, more=more))
        nginx = subprocess.Popen([NGINX, "-p", self.nginx_dir, "-c", "nginx.conf", "-e", "error.log"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.terminate)

        def connects():
            self.assertIsNone(nginx.poll(), "nginx does not start")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(connects, "nginx listens")
        return port

    def send(self, port, text):
        """What comes back."""
        reply = b""
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
            try:
                client.sendall(text)
                client.shutdown(socket.SHUT_WR)
                while True:
                    piece = client.recv(65536)
                    if not piece:
                        break
                    reply += piece
            except socket.timeout:
                raise
            except OSError:
                pass  # it was closed before all was said
        return reply

    def passed(self):
        """(method, path, status) of what nginx passed on, in part at least; the status is "-" if it gave up then."""
        with open(os.path.join(self.nginx_dir, "access.log"), encoding="latin-1") as file:
            lines = [line.rstrip("\n").split(" ") for line in file]
        return [(method, uri.split("?")[0] or "/", status) for method, uri, status, address in lines if address != "-"]

    def asked(self):
        return [(event["method"], event["path"], event["status"]) for event in self.server.events("http")]

    def check(self, more):
        port = self.chain(more)
        cases = http_cases.everything(11, 600)
        # Here the server reads the body, and goes on.
        cases += [(name + " to " + route.decode(), text.replace(b"POST /first", route)) for name, text in cases if b"POST /first" in text
                  for route in (b"GET /healthz", b"POST /pub")]
        for number, (name, text) in enumerate(cases):
            self.send(port, text)
            reply = self.send(port, b"GET /healthz?%d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % number)
            self.assertTrue(reply.startswith(b"HTTP/1.1 200 ") and reply.endswith(b"\r\n\r\nok\n"), f"behind {name}: {reply!r}")
        self.send(port, b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        self.server.wait_event("http", path="/last")
        wait_for(lambda: self.passed() and self.passed()[-1][1] == "/last", "nginx logged all")
        passed, asked = self.passed(), self.asked()
        given_up = sum(not status.isdigit() for _, _, status in passed)
        behind = {0}  # how many of `asked` may stand for what was passed on so far
        for number, one in enumerate(passed):
            after = {at + 1 for at in behind if at < len(asked) and same(one, asked[at])}
            if not one[2].isdigit():  # nginx gave up in the middle of it: the server may not have had enough
                after |= behind
            self.assertTrue(after, f"request {number}: nginx passed on {one}, the server was asked "
                            f"{[asked[at:at + 1] for at in behind]}; before it {passed[max(0, number - 5):number]}")
            behind = after
        self.assertIn(len(asked), behind)
        self.assertGreater(len(passed), len(cases))
        print(f"{len(cases)} connections, {len(passed)} requests passed on, "
              f"{sum(status[0] == '4' and status != '404' for _, _, status in passed)} of them refused by the server, "
              f"{given_up} given up by nginx")

    def test_usual(self):
        self.check("")

    def test_lenient(self):
        self.check(LENIENT)


def same(one, other):
    """Whether what nginx says and what the server says are of the same request."""
    method, path, status = other
    if status != one[2] and one[2].isdigit():
        return False
    if not path:  # refused before its target was read
        return True
    if path.endswith("..."):  # too long for the log
        path = path[:-3]
        one = (one[0], one[1][:len(path)])
    return (method, path) == one[:2]


if __name__ == "__main__":
    if not NGINX:
        print("skipped: no nginx on this machine")
        sys.exit(77)
    main()
