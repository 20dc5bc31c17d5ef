# SPDX-License-Identifier: MIT
"""A stub of Google's Nearby Search (legacy) on a loopback port, which can misbehave in every known way.

    stub = PlacesStub(test)            the test stops it at its end
    stub.mode = "hang"                 how requests are answered from now on: see MODES
    stub.body = b"{...}"               what "ok" answers
    server = test.one(places=stub.provider(), env=stub.env)
    stub.requests                      the request lines and headers that came (bytes)
"""
import gzip
import secrets
import socket
import struct
import threading

from herd import DEADLINE, wait_for

# Layout, escapes and number forms that nobody would make by writing JSON anew.
RESULTS = [b'{ "name" : "Caf\\u00e9 %d", "rating":4.50,\n "geometry":{"location":{"lat":-0.0,"lng":1E+2}},\n\n'
           b' "x" : "]},{[\\"" }' % n for n in range(25)]


def google(results, status=b"OK"):
    """An answer of the provider's shape."""
    return (b'{\n\n   "html_attributions" : [],\n\n\n   "next_page_token":"t\\/o",\n   "results" : [\n      ' +
            b",\n      ".join(results) + b'\n   ],\n   "status" : "' + status + b'"\n}\n\n')


def squeezed(json):
    """What a client is sent of it: runs of LF made one, trailing ones removed."""
    while b"\n\n" in json:
        json = json.replace(b"\n\n", b"\n")
    return json.rstrip(b"\n")


def _http(status, body, *headers):
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", b""]) + body


class PlacesStub:
    """Answers as `mode` says:

    ok, gzip        the body;           keep_alive  the body, and the connection stays for more
    slow            the body, a byte at a time
    hold            the body, once release() was called
    hang            nothing, ever;      mute_body   a header, then nothing, ever
    reset, close    the connection ends at once;  truncated  it ends in the middle of the body
    500, 404, 429, redirect             these
    html, garbage, empty, not_object, binary      200, but no answer
    huge            a body without end; huge_gzip   a small one that unpacks into a huge one
    denied, quota, unknown, invalid     Google's own words for no; zero  nothing found
    echo_key        the body with the request's key in it
    """

    def __init__(self, test):
        self.mode = "ok"
        self.body = google(RESULTS)
        self.requests = []
        self.key = "CANARY" + secrets.token_hex(12)
        self.env = {"HERD_TEST_KEY": self.key}
        self._held = threading.Event()
        self._ended = threading.Event()
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        test.addCleanup(self.close)

    def provider(self, **more):
        return {"provider": "google-legacy", "url": f"http://127.0.0.1:{self.port}/maps/api/place/nearbysearch/json",
                "key_env": "HERD_TEST_KEY", **more}

    def release(self):
        """Lets what was held go, and what comes after it."""
        self.mode = "ok"
        self._held.set()

    def wait_requests(self, count):
        wait_for(lambda: len(self.requests) >= count, f"{count} requests; there are {len(self.requests)}")

    def close(self):
        if self._ended.is_set():
            return
        self._ended.set()
        self._held.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(DEADLINE)

    def _accept(self):
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                self._talk(connection)
            except OSError:
                pass
            finally:
                self._sockets.discard(connection)

    def _talk(self, connection):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                got = connection.recv(1 << 16)
                if not got:
                    return
                data += got
            request, data = data.split(b"\r\n\r\n", 1)
            self.requests.append(request)
            if not self._answer(connection, request):
                return

    def _answer(self, connection, request):
        """True if the connection stays."""
        mode, send = self.mode, connection.sendall
        if mode == "hold":
            self._held.wait(DEADLINE)
            mode = "ok"
        if mode == "keep_alive":
            send(_http(b"200 OK", self.body, b"Content-Type: application/json"))
            return True
        if mode in ("hang", "mute_body"):
            if mode == "mute_body":
                send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            connection.settimeout(None)
            connection.recv(1)  # until the other side or close() ends it
            return False
        if mode == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if mode == "close":
            return False
        close = b"Connection: close"
        if mode == "slow":
            whole = _http(b"200 OK", self.body, close)
            for at in range(0, len(whole), 7):
                send(whole[at:at + 7])
                if self._ended.wait(0.001):
                    return False
            return False
        if mode == "huge":
            send(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"results":[')
            while not self._ended.is_set():
                send(b'{"name":"' + b"x" * 60000 + b'"},')
        answers = {
            "ok": lambda: _http(b"200 OK", self.body, close),
            "gzip": lambda: _http(b"200 OK", gzip.compress(self.body), b"Content-Encoding: gzip", close),
            "huge_gzip": lambda: _http(b"200 OK", gzip.compress(b'{"results":["' + b"x" * 50000000 + b'"]}'),
                                       b"Content-Encoding: gzip", close),
            "truncated": lambda: _http(b"200 OK", self.body, close)[:-len(self.body) // 2],
            "500": lambda: _http(b"500 Internal Server Error", b"<html>oops</html>", close),
            "404": lambda: _http(b"404 Not Found", b"<html>no</html>", close),
            "429": lambda: _http(b"429 Too Many Requests", b"{}", close),
            "redirect": lambda: _http(b"302 Found", b"", b"Location: http://127.0.0.1:%d/x" % self.port, close),
            "html": lambda: _http(b"200 OK", b"<!DOCTYPE html><html>\n\nhi</html>", b"Content-Type: text/html", close),
            "garbage": lambda: b"\x00\xff\x16\x03\x01 this is not HTTP\n\n\n",
            "empty": lambda: _http(b"200 OK", b"", close),
            "not_object": lambda: _http(b"200 OK", b'["results"]', close),
            "binary": lambda: _http(b"200 OK", bytes(range(256)), close),
            "denied": lambda: _http(b"200 OK", b'{"error_message":"The provided API key is invalid.","html_attributions"'
                                    b':[],"results":[],"status":"REQUEST_DENIED"}', close),
            "quota": lambda: _http(b"200 OK", google([], b"OVER_QUERY_LIMIT"), close),
            "unknown": lambda: _http(b"200 OK", google([], b"UNKNOWN_ERROR"), close),
            "invalid": lambda: _http(b"200 OK", google([], b"INVALID_REQUEST"), close),
            "zero": lambda: _http(b"200 OK", google([], b"ZERO_RESULTS"), close),
            "echo_key": lambda: _http(b"200 OK", google([b'"' + self.key.encode() + b'"']), close),
        }
        send(answers[mode]())
        return False
