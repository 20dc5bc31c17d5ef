# SPDX-License-Identifier: MIT
"""Herds in which some servers are foreign: see plain_server.py."""
import time

from herd import *
from plain_server import PlainServer


class PlainTest(HerdTest):
    def mixed(self, names, links, foreign, styles, limits=None):
        """A herd in which `foreign` are plain servers; {name: PlainServer}."""
        herd = self.herd(names, links, limits=limits)
        for name in foreign:
            herd.config["servers"][name]["plain"] = True
        herd.write()
        strangers = {}
        for name, style in zip(foreign, styles):
            neighbours = {other: herd[other].port for other in herd.neighbours(name)}
            strangers[name] = PlainServer(name, herd[name].port, neighbours, style)
            self.addCleanup(strangers[name].stop)
        ours = [herd[name] for name in names if name not in foreign]
        for server in ours:
            server.start(wait=False)
        for server in ours:
            server.wait_event("listening")
        return herd, ours, strangers

    def everywhere(self, ours, strangers, client_id, line, deadline=DEADLINE):
        for server in ours:
            wait_for(lambda: server.at(client_id) == line, f"{server.name} has {line!r}", deadline)
        for server in strangers.values():
            wait_for(lambda: server.known(client_id) == line,
                     f"{server.name} has {line!r}, not {server.known(client_id)!r}", deadline)

    def tell(self, port, line):
        with Client(port) as client:
            client.send(line)
            client.half_close()
            return client.line()

    def test_mixed_herd(self):
        for styles in (("readline", "eof"), ("forget", "readline"), ("answer", "bare")):
            with self.subTest(styles=styles):
                herd, ours, strangers = self.mixed(SEED, SEED_LINKS, ["Juzang", "Campbell"], styles)
                for stranger in strangers.values():
                    stranger.start()
                now = time.time()
                for number, name in enumerate(SEED):
                    client_id = b"client-of-%s" % name.encode()
                    line = self.tell(herd[name].port, b"IAMAT %s +34.0-118.%d %.6f\n" % (client_id, number, now))
                    self.assertRegex(line, AT)
                    self.everywhere(ours, strangers, client_id, line)
                # one client that roams, faster than anything can follow
                for step in range(40):
                    name = SEED[step % 5]
                    line = self.tell(herd[name].port, b"IAMAT roamer +1.%d+2 %.6f\n" % (step, now + step))
                self.everywhere(ours, strangers, b"roamer", line)
                for server in ours:
                    server.stop()
                for stranger in strangers.values():
                    stranger.stop()

    def test_full_state_when_it_comes_back(self):
        herd, ours, strangers = self.mixed(["A", "P"], [("A", "P")], ["P"], ["readline"])
        server, stranger = ours[0], strangers["P"]
        lines = {}
        with server.client() as client:
            for i in range(200):
                lines[b"c%d" % i] = client.ask(b"IAMAT c%d +1+1 5\n" % i)
        for _ in range(2):
            stranger.start()
            wait_for(lambda: len(stranger.clients) == 200, f"all of 200 are told, {len(stranger.clients)} are")
            self.assertEqual({key: stranger.known(key) for key in lines}, lines)
            wait_for(lambda: server.saw("peer_up", peer="P"), "its log says so")
            stranger.stop()
            # a message that finds nobody: from now on it counts as away
            lines[b"c0"] = server.ask(b"IAMAT c0 +1+1 %d\n" % (10 + _))
            wait_for(lambda: len(server.saw("peer_down", peer="P")) == _ + 1, "its log says so")
        # nothing of ours was ever more than a line: no introduction, no ping
        self.assertTrue(all(line.startswith(b"AT ") for line in stranger.messages))

    def test_forms(self):
        herd, ours, _ = self.mixed(["A", "P", "Q"], [("A", "P"), ("A", "Q")], ["P", "Q"], ["readline"] * 2)
        server = ours[0]
        at = b"AT P +0.5 %s +1.5-2.5 100.25"
        for number, (form, closes) in enumerate([
                (b"%s\n", True), (b"%s", True), (b"%s A\n", True), (b"%s A B C D E F\n", True), (b"%s  A\r\n", True),
                (b"\n%s\n", True), (b"%s\n? what was that\n", True), (b"%s\n", False)]):
            client_id = b"form%d" % number
            client = server.client()
            client.send(form % (at % client_id))
            if closes:
                client.half_close()
                self.assertEqual(client.rest(), b"")  # nobody answers
            wait_for(lambda: server.at(client_id) == at % client_id + b"\n", f"{form} is taken")
        # as sloppy printers have it
        for number, (diff, stored) in enumerate([(b"0.500192", b"+0.500192000"), (b"+8.106e-06", b"+0.000008106"),
                                                 (b"-1.5e+01", b"-15.000000000"), (b"+-0.25", b"-0.250000000")]):
            client = server.client()
            client.send(b"AT P %s sloppy%d +1.5-2.5 100.25 P\n" % (diff, number))
            line = b"AT P %s sloppy%d +1.5-2.5 100.25\n" % (stored, number)
            wait_for(lambda: server.at(b"sloppy%d" % number) == line, f"{diff} is taken")
        # without LF, on a connection that stays, more than once
        client, took = server.client(), []
        for number in range(3):
            began = time.monotonic()
            client.send(at % b"open%d" % number + b" P")
            wait_for(lambda: server.at(b"open%d" % number) == at % b"open%d" % number + b"\n", "it is taken")
            took.append(time.monotonic() - began)
        self.assertLess(min(took), 2)
        self.assertTrue(client.silent())
        # several on one connection, in pieces, with a client's command among them
        client = server.client()
        client.send(at % b"m1" + b" X\nAT P +1 m2 +1")
        wait_for(lambda: server.at(b"m1"), "the first is taken")
        client.send(b"+1 7 Z\nIAMAT m3 +1+1 9\n? no\nAT nonsense\n")
        self.assertRegex(client.line(), AT)
        self.assertEqual(server.at(b"m2"), b"AT P +1 m2 +1+1 7\n")
        self.assertTrue(client.silent())
        # and what is not a message is a client's mistake
        for wrong in (b"AT P +0.5 x +1.5-2.5\n", b"AT P 0,5 x +1.5-2.5 1\n", b"AT P +0.5 x +91-2.5 1 A B\n", b"? x\n"):
            self.assertEqual(server.ask(wrong), b"? " + wrong)

    def test_strangers_are_not_believed(self):
        herd, ours, _ = self.mixed(["A", "P"], [("A", "P")], ["P"], ["readline"])
        server = ours[0]
        line = b"AT P +0.5 x +1.5-2.5 100.25 A\n"
        with server.client(source="127.0.0.2") as client:
            self.assertEqual(client.ask(line), b"? " + line)
            self.assertEqual(client.ask(line[:-3] + b"\n"), b"? " + line[:-3] + b"\n")
        self.assertIsNone(server.at(b"x"))
        with server.client() as client:  # nor may it introduce itself as what it is not
            client.send(b"HELLO 2 P A 0\n")
            self.assertEqual(client.rest(), b"REFUSE peer_is_plain\n")
        # where no neighbour is plain, nobody's AT is taken
        other = self.herd(["A", "B"], [("A", "B")])
        other.start()
        self.assertEqual(other["A"].ask(line), b"? " + line)

    def test_sender(self):
        """A herd that wants a seventh word, the name of whoever speaks; and the log of all that."""
        herd, ours, strangers = self.mixed(["A", "P", "Q"], [("A", "P"), ("A", "Q")], ["P", "Q"], ["readline"] * 2)
        server = ours[0]
        server.stop()
        herd.config["servers"]["P"]["plain_sender"] = True
        herd.write()
        server.start()
        for stranger in strangers.values():
            stranger.start()
        line = server.ask(b"IAMAT told +1+1 5\n")
        for stranger in strangers.values():
            wait_for(lambda: stranger.messages, "it is told")
        self.assertEqual(strangers["P"].messages[0], line[:-1] + b" A\n")
        self.assertEqual(strangers["Q"].messages[0], line)
        for name in ("P", "Q"):
            server.wait_event("plain_connected", peer=name, direction="out")
            server.wait_event("plain_disconnected", peer=name, direction="out")
        with server.client() as client:
            client.send(b"AT P +1 heard +1+1 5\nAT P wrong\n")
            wait_for(lambda: server.at(b"heard"), "it is taken")
        server.wait_event("plain_connected", direction="in")
        server.wait_event("plain_disconnected", direction="in")
        server.wait_event("plain_line_invalid", detail="AT P wrong")

    def test_peers_that_never_hang_up(self):
        """They are told as fast as others, nearly, and cost few descriptors either way."""
        herd, ours, strangers = self.mixed(["A", "P"], [("A", "P")], ["P"], ["forget"])
        server, stranger = ours[0], strangers["P"]
        before = server.open_files()
        stranger.start()
        began = time.monotonic()
        with server.client() as client:
            client.send(b"".join(b"IAMAT c%d +1+1 5\n" % i for i in range(400)))
            client.lines(400)
        wait_for(lambda: len(stranger.clients) == 400, "all are told")
        self.assertLess(time.monotonic() - began, 11)  # 12 s at 32 lines a second
        for i in range(200):
            self.tell(stranger.port, b"IAMAT p%d +1+1 5\n" % i)
        wait_for(lambda: server.at(b"p199"), "all are taken")
        self.assertLess(server.open_files() - before, 32 + 16 + 8)

    def test_connections_are_reaped(self):
        herd, ours, strangers = self.mixed(["A", "P"], [("A", "P")], ["P"], ["forget"], {"peer_hello_ms": 300})
        server, stranger = ours[0], strangers["P"]
        before = server.open_files()
        stranger.start()
        # ours to it
        with server.client() as client:
            for i in range(60):
                client.ask(b"IAMAT c%d +1+1 5\n" % i)
        wait_for(lambda: len(stranger.clients) == 60, "all are told though it never hangs up")
        # its to us
        for i in range(60):
            self.tell(stranger.port, b"IAMAT p%d +1+1 5\n" % i)
        wait_for(lambda: server.at(b"p59"), "all are taken")
        self.assertGreater(len(stranger.open), 100)
        wait_for(lambda: server.open_files() <= before, "forgotten connections are closed", 15)

    def test_stop_tells_the_last(self):
        herd, ours, strangers = self.mixed(["A", "P"], [("A", "P")], ["P"], ["readline"])
        server, stranger = ours[0], strangers["P"]
        stranger.start()
        server.ask(b"IAMAT first +1+1 5\n")
        wait_for(lambda: stranger.known(b"first"), "the first is told")
        with server.client() as client:
            client.send(b"".join(b"IAMAT c%d +1+1 5\n" % i for i in range(300)))
            client.lines(300)
        self.assertEqual(server.stop(), 0)
        wait_for(lambda: len(stranger.clients) == 301, f"all are told, {len(stranger.clients)} are")

    def test_a_herd_of_ours_that_speaks_plain(self):
        herd = self.herd(["A", "B", "C"], [("A", "B"), ("B", "C")])
        herd.config["servers"]["B"]["plain"] = True  # B itself runs this program
        herd.write()
        for server in herd:
            server.start()
        for name in ("A", "B", "C"):
            line = herd[name].ask(b"IAMAT from%s +1+1 5\n" % name.encode())
            herd.wait_everywhere(b"from%s" % name.encode(), line)
        self.assertFalse(any(server.saw("peer_refuses_us") for server in herd))


if __name__ == "__main__":
    unittest.main(verbosity=2)
