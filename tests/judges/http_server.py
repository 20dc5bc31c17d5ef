# SPDX-License-Identifier: MIT
"""The real server answers what its parser understands: for each connection as many replies as requests, then the fault.

usage: http_server.py OURS     OURS is the program made from http.c
"""
import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "system")]

import http_cases  # noqa: E402
import http_node  # noqa: E402
from herd import DEADLINE, HerdTest, free_port, main  # noqa: E402

HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")


def replies(data, methods):
    """(status, closes) of each reply but 100; `methods` are those of the requests."""
    found = []
    while data:
        match = HEAD.match(data)
        assert match, data[:200]
        status, fields, data = int(match[1]), match[2], data[match.end():]
        if status == 100:
            continue
        length = re.search(rb"Content-Length: (\d+)\r\n", fields)
        if length and (len(found) >= len(methods) or methods[len(found)] != "HEAD"):
            assert len(data) >= int(length[1]), data[:200]
            data = data[int(length[1]):]
        found.append((status, b"Connection: close\r\n" in fields))
    return found


class Replies(HerdTest):
    def start(self):
        herd = self.herd(["A"], [], more={"http": {"hosts": ["h"]}})
        port = free_port()
        herd.config["servers"]["A"]["http_port"] = port
        herd.write()
        herd["A"].start()
        return port

    def ask(self, port, text, step):
        data = b""
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for at in range(0, len(text), step):
                    client.sendall(text[at:at + step])
                client.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            while True:
                piece = client.recv(65536)
                if not piece:
                    return data
                data += piece

    def check(self, port, name, text, requests, end, step):
        found = replies(self.ask(port, text, step), [method for method, _, _ in requests])
        fault = int(end[:3]) if end[0] in "45" else None
        if found and found[-1][0] in (404, 405, 413, 421) and found[-1][1] and len(found) <= len(requests) + 1:
            return  # refused by its head, and the end of its body was not waited for
        self.assertEqual(len(found), len(requests) + (fault is not None), f"{name}: {text!r}\n{requests} {end}\n{found}")
        if fault:
            self.assertEqual(found[-1], (fault, True), f"{name}: {text!r}")
        # All but the last leave the connection open.
        self.assertFalse(any(closes for _, closes in found[:-1]), f"{name}: {text!r}")

    def test_all(self):
        port = self.start()
        cases = http_cases.everything(5, 1000)
        cases += [(name + " to " + route.decode(), text.replace(b"POST /first", route)) for name, text in cases if b"POST /first" in text
                  for route in (b"GET /healthz", b"POST /pub")]
        for number, ((name, text), (requests, end)) in enumerate(zip(cases, http_node.ours(OURS, [text for _, text in cases]))):
            self.check(port, name, text, requests, end, len(text))
            if number % 8 == 0:
                self.check(port, name, text, requests, end, 1)


if __name__ == "__main__":
    OURS = sys.argv.pop(1)
    main()
