# SPDX-License-Identifier: MIT
"""Look-ups through the program: the embedded source, and a provider that answers, dawdles, lies or dies."""
import json
import os
import re
import time
import urllib.parse

from herd import AT, HerdTest, main, run, wait_for
from places_stub import RESULTS, PlacesStub, google, squeezed

REPORT = b"IAMAT a +34.068930-118.445127 1614209128.918963997\n"


class Embedded(HerdTest):
    """No key, no network."""

    def test_answers_have_googles_shape(self):
        server = self.one()
        client = server.client()
        at = client.ask(REPORT)
        for bound in (0, 1, 5, 20):
            line, text = client.whatsat(b"a", b"50", b"%d" % bound)
            self.assertEqual(line, at)
            answer = json.loads(text)
            self.assertEqual(answer["status"], "OK" if bound else answer["status"])
            self.assertLessEqual(len(answer["results"]), bound)
            self.assertIsInstance(answer["html_attributions"], list)
            if bound:
                self.assertTrue(answer["results"])
            for result in answer["results"]:
                self.assertTrue(result["name"])
                self.assertLess(abs(result["geometry"]["location"]["lat"] - 34.07), 0.6)
                self.assertLess(abs(result["geometry"]["location"]["lng"] + 118.45), 0.6)

    def test_places_at_the_ends_of_the_earth(self):
        server = self.one()
        client = server.client()
        for n, place in enumerate((b"+90+0", b"-90-180", b"+0+180", b"-0-180", b"+0+0", b"+89.999999999-179.999999999",
                                   b"+64.1466-021.9426")):
            client.ask(b"IAMAT e%d %s 5\n" % (n, place))
            _, text = client.whatsat(b"e%d" % n, b"50", b"20")
            self.assertIsInstance(json.loads(text)["results"], list)

    def test_the_same_answer_on_every_server(self):
        herd = self.herd(["A", "B"], [("A", "B")]).start()
        at = herd["A"].ask(REPORT)
        herd.wait_everywhere(b"a", at)
        answers = []
        for server in herd:
            with server.client() as client:
                answers.append(client.whatsat(b"a"))
        self.assertEqual(answers[0], answers[1])


class Provider(HerdTest):
    """google-legacy against a stub."""

    def setUp(self):
        super().setUp()
        self.stub = PlacesStub(self)

    def server(self, places=None, **limits):
        self.server_ = self.one(places=self.stub.provider(**(places or {})), env=self.stub.env, limits=limits)
        return self.server_

    def known(self, server, count=1):
        """A client; a, b, c... of different places are known."""
        client = server.client()
        for n in range(count):
            client.send(b"IAMAT p%d +%d.5-118.25 5\n" % (n, n))
        return client, client.lines(count)

    def assert_failure(self, answer, status="UNKNOWN_ERROR"):
        parsed = json.loads(answer)
        self.assertEqual(parsed["results"], [])
        self.assertEqual(parsed["html_attributions"], [])
        self.assertEqual(parsed["status"], status)
        self.assertTrue(parsed["error_message"])
        self.assertNotIn(self.stub.key, answer.decode())
        return parsed["error_message"]

    def test_the_request(self):
        client = self.server().client()
        client.ask(REPORT)
        client.whatsat(b"a", b"10.5", b"5")
        line = self.stub.requests[0].split(b"\r\n")[0].decode()
        method, target, version = line.split(" ")
        self.assertEqual((method, version), ("GET", "HTTP/1.1"))
        url = urllib.parse.urlsplit(target)
        self.assertEqual(url.path, "/maps/api/place/nearbysearch/json")
        self.assertEqual(urllib.parse.parse_qs(url.query, strict_parsing=True),
                         {"location": ["34.068930,-118.445127"], "radius": ["10500"], "key": [self.stub.key]})

    def test_the_bound_cuts_text(self):
        client, (at,) = self.known(self.server())
        whole = squeezed(self.stub.body)
        for bound in (0, 1, 2, 19, 20):
            with self.subTest(bound=bound):
                line, text = client.whatsat(b"p0", b"10", b"%d" % bound)
                self.assertEqual(line, at)
                self.assertEqual(len(json.loads(text)["results"]), bound)
                kept = squeezed(b",\n      ".join(RESULTS[:bound]))
                start = whole.index(b'"results" : [') + len(b'"results" : [')
                self.assertTrue(text.startswith(whole[:start]))
                self.assertTrue(text.endswith(b'],\n   "status" : "OK"\n}'))
                self.assertIn(kept, text)
                self.assertNotIn(b"Caf\\u00e9 %d\"" % bound, text)
                self.assertNotIn(b"\n\n", text)

    def test_few_results_are_left_as_they_are(self):
        client, _ = self.known(self.server())
        for body in (google(RESULTS[:3]), google([], b"ZERO_RESULTS"), b'{"status":"OK","results":[]}',
                     b'{"results":[{"results":[1,2,3]}],"status":"OK"}',
                     b' \r\n {"status":"OK","results":[ ] , "x":"\\u0000\\ud83d\\ude00"} \n\n\n'):
            with self.subTest(body=body[:60]):
                self.stub.body = body
                self.assertEqual(client.whatsat(b"p0", b"%d" % (len(self.stub.requests) % 50), b"20")[1],
                                 squeezed(body))

    def test_ways_to_answer_well(self):
        client, (at,) = self.known(self.server())
        for mode in ("ok", "gzip", "keep_alive", "slow", "zero"):
            with self.subTest(mode=mode):
                self.stub.mode = mode
                if mode == "slow":
                    self.stub.body = google(RESULTS[:2])
                line, text = client.whatsat(b"p0", b"%d" % len(self.stub.requests), b"20")
                self.assertEqual(line, at)
                self.assertIn(json.loads(text)["status"], ("OK", "ZERO_RESULTS"))

    def check_failing(self, mode, status="UNKNOWN_ERROR", places=None, **limits):
        """AT line, then an object that says why; the connection goes on, and so does the provider when it is
        well again."""
        self.stub.mode = mode
        server = self.server({"timeout_ms": 1500, **(places or {})}, **limits)
        client, (at,) = self.known(server)
        line, text = client.whatsat(b"p0")
        self.assertEqual(line, at)
        why = self.assert_failure(text, status)
        self.assertEqual(client.ask(b"next\n"), b"? next\n")
        event = server.wait_event("lookup", status=status)
        self.assertEqual(event.level, "warn")
        self.stub.mode = "ok"

        def well():
            return json.loads(client.whatsat(b"p0")[1])["status"] == "OK"
        wait_for(well, "the provider is asked again")
        return why

    def test_http_500(self):
        self.assertIn("500", self.check_failing("500"))

    def test_http_404(self):
        self.assertIn("404", self.check_failing("404"))

    def test_http_429(self):
        self.check_failing("429", "OVER_QUERY_LIMIT")

    def test_redirects_are_not_followed(self):
        self.check_failing("redirect")
        self.assertFalse([r for r in self.stub.requests if r.startswith(b"GET /x")])

    def test_reset(self):
        self.check_failing("reset")

    def test_closed_at_once(self):
        self.check_failing("close")

    def test_truncated(self):
        self.check_failing("truncated")

    def test_html(self):
        self.check_failing("html")

    def test_garbage(self):
        self.check_failing("garbage")

    def test_empty(self):
        self.check_failing("empty")

    def test_not_an_object(self):
        self.check_failing("not_object")

    def test_binary(self):
        self.check_failing("binary")

    def test_huge(self):
        self.check_failing("huge", lookup_reply_max_bytes=100000)

    def test_huge_when_unpacked(self):
        self.check_failing("huge_gzip", lookup_reply_max_bytes=100000)

    def test_hang(self):
        self.assertIn("1500 ms", self.check_failing("hang"))

    def test_hang_in_the_body(self):
        self.check_failing("mute_body")

    def test_the_key_sent_back(self):
        self.check_failing("echo_key")

    def test_googles_own_refusals(self):
        """The provider's own words reach the client, whichever they are."""
        for mode, status in (("denied", "REQUEST_DENIED"), ("quota", "OVER_QUERY_LIMIT"),
                             ("unknown", "UNKNOWN_ERROR"), ("invalid", "INVALID_REQUEST")):
            with self.subTest(mode=mode):
                self.stub.mode = mode
                client, (at,) = self.known(self.server({"timeout_ms": 1500}))
                line, text = client.whatsat(b"p0")
                self.assertEqual(line, at)
                parsed = json.loads(text)
                self.assertEqual((parsed["results"], parsed["status"]), ([], status))

    def test_nobody_listens(self):
        self.stub.close()
        server = self.server()
        client, (at,) = self.known(server)
        line, text = client.whatsat(b"p0")
        self.assertEqual(line, at)
        self.assert_failure(text)

    def test_others_do_not_wait(self):
        """While every look-up hangs, reports, malformed lines and other connections are served at once."""
        self.stub.mode = "hang"
        server = self.server({"timeout_ms": 60000})
        waiting = []
        for n in range(30):
            client = server.client()
            client.ask(b"IAMAT w%d +%d-1 5\n" % (n, n))
            client.send(b"WHATSAT w%d 10 5\n" % n)
            waiting.append(client)
        other = server.client()
        began = time.monotonic()
        for n in range(200):
            self.assertRegex(other.ask(b"IAMAT o%d +1-1 5\n" % n), AT)
            self.assertEqual(other.ask(b"bad\n"), b"? bad\n")
        self.assertLess(time.monotonic() - began, 5)
        self.assertTrue(all(client.silent() for client in waiting))
        for client in waiting:
            client.reset()
        self.assertEqual(other.ask(b"bad\n"), b"? bad\n")

    def test_order_is_kept_while_a_look_up_waits(self):
        self.stub.mode = "hold"
        server = self.server()
        client, (at,) = self.known(server)
        client.send(b"WHATSAT p0 1 1\nIAMAT z +1-1 5\nbad\nWHATSAT p0 2 2\nIAMAT z +1-1 6\nWHATSAT z 3 3\nend\n")
        self.stub.wait_requests(3)
        self.assertTrue(client.silent())
        with server.client() as other:
            self.assertTrue(other.ask(b"IAMAT z +1-1 7\n").endswith(b" 7\n"))
        self.stub.release()
        self.assertEqual(client.answer()[0], at)
        self.assertTrue(client.line().endswith(b" z +1-1 5\n"))
        self.assertEqual(client.line(), b"? bad\n")
        answer = client.answer()
        self.assertEqual((answer[0], len(json.loads(answer[1])["results"])), (at, 2))
        self.assertTrue(client.line().endswith(b" z +1-1 6\n"))
        answer = client.answer()
        self.assertTrue(answer[0].endswith(b" z +1-1 6\n"))  # as it was when the command came
        self.assertEqual(len(json.loads(answer[1])["results"]), 3)
        self.assertEqual(client.line(), b"? end\n")

    def test_equal_look_ups_share_a_request(self):
        self.stub.mode = "hold"
        server = self.server()
        client, (at,) = self.known(server)
        others = [server.client() for _ in range(20)]
        for other in others:
            other.send(b"WHATSAT p0 10 7\nmark\n")
        self.stub.wait_requests(1)
        wait_for(lambda: len(server.events("received", line="mark")) == len(others), "all asked")
        self.stub.release()
        answers = {other.answer() for other in others}
        self.assertEqual(len(answers), 1)
        self.assertEqual(answers.pop()[0], at)
        self.assertEqual(len(self.stub.requests), 1)

    def test_more_look_ups_than_allowed_wait_their_turn(self):
        self.stub.body = google(RESULTS[:1])
        server = self.server(lookups_max=2, lookups_per_client_max=1)
        client, _ = self.known(server, 90)
        clients = [server.client() for _ in range(9)]
        for k, one in enumerate(clients):
            one.send(b"".join(b"WHATSAT p%d 10 5\nx\n" % (9 * n + k) for n in range(10)))
        for one in clients:
            for _ in range(10):
                self.assertEqual(json.loads(one.answer()[1])["status"], "OK")
                self.assertEqual(one.line(), b"? x\n")

    def test_too_many_waiting_look_ups_are_answered_with_a_failure(self):
        self.stub.mode = "hold"
        server = self.server(lookups_max=1, lookup_queue_max=2)
        client, lines = self.known(server, 10)
        clients = [server.client() for _ in range(10)]
        for n, one in enumerate(clients):
            one.send(b"WHATSAT p%d 10 5\n" % n)
        rejected = wait_for(lambda: [n for n, one in enumerate(clients) if not one.silent()][6:] and
                            [n for n, one in enumerate(clients) if not one.silent()], "7 of 10 are told at once")
        self.assertEqual(len(rejected), 7)
        for n in rejected:
            line, text = clients[n].answer()
            self.assertEqual(line, lines[n])
            self.assert_failure(text, "OVER_QUERY_LIMIT")
        self.stub.release()
        for n, one in enumerate(clients):
            if n not in rejected:
                self.assertEqual(json.loads(one.answer()[1])["status"], "OK")

    def test_a_client_that_leaves_while_it_waits(self):
        self.stub.mode = "hold"
        server = self.server()
        client, _ = self.known(server, 20)
        for n in range(20):
            gone = server.client()
            gone.send(b"WHATSAT p%d 10 5\nIAMAT gone%d +1-1 5\n" % (n, n))
            gone.reset() if n % 2 else gone.close()
        client.send(b"WHATSAT p0 20 5\n")
        for n in range(20):
            wait_for(lambda: n % 2 or server.events("received", line=f"IAMAT gone{n} +1-1 5"), "it was read")
        self.stub.release()
        self.assertEqual(json.loads(client.answer()[1])["status"], "OK")
        self.assertEqual(client.ask(b"x\n"), b"? x\n")

    def test_half_closed_clients_get_their_answers(self):
        self.stub.mode = "hold"
        server = self.server(lookups_per_client_max=2)
        client, (at,) = self.known(server)
        half = server.client()
        half.send(b"".join(b"WHATSAT p0 %d 5\nx\n" % n for n in range(10)) + b"WHATSAT p0 11 5")
        half.half_close()
        self.stub.wait_requests(2)
        self.stub.release()
        for _ in range(10):
            self.assertEqual(half.answer()[0], at)
            self.assertEqual(half.line(), b"? x\n")
        self.assertEqual(half.answer()[0], at)
        self.assertEqual(half.rest(), b"")

    def test_a_waiting_client_is_not_idle(self):
        self.stub.mode = "hold"
        server = self.server({"timeout_ms": 20000}, client_idle_ms=300)
        client, (at,) = self.known(server)
        idle = server.client()
        client.send(b"WHATSAT p0 10 5\n")
        self.assertEqual(idle.closed_by_server(), b"")
        self.stub.release()
        self.assertEqual(client.answer()[0], at)

    def test_the_key_is_nowhere_to_be_seen(self):
        """Not in the log at its most talkative, the printed configuration, any answer, or the arguments."""
        for kind in ("google-legacy", "google-new"):
            with self.subTest(kind=kind):
                self.check_no_key(kind)

    def check_no_key(self, kind):
        key = self.stub.key.encode()
        self.stub.requests.clear()
        server = self.server({"provider": kind, "timeout_ms": 800})
        client, _ = self.known(server, 12)
        seen = b""
        for n, mode in enumerate(("ok", "500", "reset", "html", "hang", "denied", "echo_key", "redirect")):
            self.stub.mode = mode
            seen += b"".join(client.whatsat(b"p%d" % n))
        server.signal(1)
        self.assertTrue(any(key in request for request in self.stub.requests))
        if kind == "google-new":  # in its own header, where no proxy and no server writes it down
            self.assertFalse(any(key in request.split(b"\r\n")[0] for request in self.stub.requests))
        printed = run("--print-config", "-c", server.herd.config_path, env=self.stub.env)
        self.assertEqual(printed.returncode, 0)
        self.assertIn(b"HERD_TEST_KEY", printed.stdout)
        with open(f"/proc/{server.pid}/cmdline", "rb") as file:
            seen += file.read()
        server.stop()
        seen += printed.stdout + printed.stderr + server.log_text(whole=True).encode() + server.stderr().encode()
        self.assertNotIn(key, seen)

    def test_a_key_from_a_file(self):
        herd = self.herd(["A"], places=None)
        path = herd.dir + "/key"
        with open(path, "w") as file:
            file.write("CANARY-FROM-FILE\n")
        place = self.stub.provider(key_file=path)
        del place["key_env"]
        herd.config["places"] = place
        herd.write()
        os.chmod(path, 0o600)
        server = herd["A"].start()
        client, _ = self.known(server)
        client.whatsat(b"p0")
        self.assertIn(b"key=CANARY-FROM-FILE ", self.stub.requests[-1])
        with open(path, "w") as file:
            file.write("CANARY-NEW\n")
        server.signal(1)

        def asked_anew():
            client.whatsat(b"p0", b"%d" % (len(self.stub.requests) % 50))
            return b"key=CANARY-NEW " in self.stub.requests[-1]
        wait_for(asked_anew, "SIGHUP reads the key again")
        server.stop()
        self.assertNotIn("CANARY", server.log_text(whole=True))

    def test_plain_http_is_for_loopback_only(self):
        directory = self.directory()
        path = directory + "/herd.json"
        for host, fine in (("127.0.0.1", True), ("127.1.2.3:80", True), ("localhost:8080", True), ("[::1]:1", True),
                           ("example.com", False), ("10.0.0.1", False), ("127.0.0.1.example.com", False),
                           ("localhost.example.com", False), ("0.0.0.0", False), ("[::]", False), ("2130706433", False),
                           ("127.0.0.1@example.com", False), ("[::ffff:10.0.0.1]", False), ("127.1", False)):
            with self.subTest(host=host):
                with open(path, "w") as file:
                    json.dump({"places": {"provider": "google-legacy", "url": f"http://{host}/x", "key_env": "K"}}, file)
                result = run("--check", "-c", path, env={"K": "a-key"})
                self.assertEqual(result.returncode, 0 if fine else 2, result.stderr)
                if not fine:
                    self.assertRegex(result.stderr.decode(), re.escape(path) + r":1:\d+: places\.url: ")

    def test_a_proxy_of_the_environment_is_not_asked(self):
        server = self.herd(["A"], places=self.stub.provider())["A"]
        server.start({**self.stub.env, "http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"})
        client, _ = self.known(server)
        self.assertEqual(json.loads(client.whatsat(b"p0")[1])["status"], "OK")


if __name__ == "__main__":
    main()
