# SPDX-License-Identifier: MIT
"""A receiver of webhooks on a loopback port.

    hook = HookReceiver(test)          the test stops it at its end
    hook.mode = "hang"                 how requests are answered from now on: a status, "hang" (nothing, ever), "close"
    hook.batches                       the bodies that came, as JSON; each was answered as the mode was then
    hook.taken                         the events of those that were answered with 2xx, in order
"""
import hashlib
import hmac
import http.server
import json
import threading

from herd import free_port


class HookReceiver:
    def __init__(self, test, secret=None):
        self.mode, self.secret = 200, secret
        self.batches, self.taken, self.faults = [], [], []
        self.retry_after = None
        self._ended = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.check(self.headers, body)
                receiver.batches.append(json.loads(body))
                mode = receiver.mode
                if mode == "hang":
                    receiver._ended.wait(60)
                if mode in ("hang", "close"):
                    self.close_connection = True
                    return
                if callable(mode):
                    mode = mode(receiver.batches[-1])
                if 200 <= mode < 300:
                    receiver.taken += receiver.batches[-1]["events"]
                self.send_response(mode)
                if receiver.retry_after:
                    self.send_header("Retry-After", receiver.retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.port = free_port()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        test.addCleanup(self.close)

    def check(self, headers, body):
        if headers["Content-Type"] != "application/json":
            self.faults.append(("type", headers["Content-Type"]))
        signature = headers["Herd-Signature"]
        wanted = self.secret and "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        if signature != wanted:
            self.faults.append(("signature", signature, wanted))

    def config(self, **more):
        return {"url": f"http://127.0.0.1:{self.port}/hook", **more}

    def close(self):
        if not self._ended.is_set():
            self._ended.set()
            self._server.shutdown()
            self._server.server_close()
