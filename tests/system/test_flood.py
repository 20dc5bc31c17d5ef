# SPDX-License-Identifier: MIT
"""Herds of real servers: what one is told all know, at no more than 2E - V + 1 lines an update, whatever
happens to servers and links in between."""
import contextlib
import json
import os
import random
import socket
import time

from herd import AT, SEED, SEED_LINKS, Client, HerdTest, free_port, main, wait_for


def names(count):
    return [f"N{n}" for n in range(count)]


GRAPHS = {
    "seed": (SEED, SEED_LINKS),
    "pair": (names(2), [("N0", "N1")]),
    "line": (names(5), [(f"N{n}", f"N{n + 1}") for n in range(4)]),
    "ring": (names(5), [(f"N{n}", f"N{(n + 1) % 5}") for n in range(5)]),
    "star": (names(5), [("N0", f"N{n}") for n in range(1, 5)]),
    "mesh": (names(5), [(f"N{a}", f"N{b}") for a in range(5) for b in range(a)]),
}


def report(client_id, n=5, place=b"+1-1"):
    return b"IAMAT %s %s %d\n" % (client_id, place, n)


class Flooding(HerdTest):
    """All servers up."""

    def flood_on(self, graph):
        server_names, links = GRAPHS[graph]
        herd = self.herd(server_names, links).start()
        updates = []
        for server in herd:
            client_id = b"client-of-" + server.name.encode()
            line = server.ask(report(client_id))
            self.assertRegex(line, AT)
            self.assertEqual(line.split()[1], server.name.encode())
            herd.wait_everywhere(client_id, line)
            updates.append(line.decode().rstrip("\n"))
        self.assertEqual(set(herd.stop().values()), {0})
        most = 2 * len(links) - len(server_names) + 1
        for update in updates:
            sent = sum(len([e for e in server.events("sent", line=update) if e["peer"]]) for server in herd)
            self.assertLessEqual(sent, most, f"lines for {update}")
            self.assertGreaterEqual(sent, len(server_names) - 1)

    def test_seed(self):
        self.flood_on("seed")

    def test_pair(self):
        self.flood_on("pair")

    def test_line(self):
        self.flood_on("line")

    def test_ring(self):
        self.flood_on("ring")

    def test_star(self):
        self.flood_on("star")

    def test_mesh(self):
        self.flood_on("mesh")

    def test_a_report_repeated_or_stale_is_not_flooded(self):
        herd = self.herd(*GRAPHS["pair"]).start()
        first = herd["N0"].ask(report(b"x", 5))
        again = herd["N0"].ask(report(b"x", 5))
        stale = herd["N0"].ask(report(b"x", 4))
        last = herd["N0"].ask(report(b"end", 5))
        herd["N1"].wait_event("received", line=last.decode()[:-1])
        received = [e["line"].encode() + b"\n" for e in herd["N1"].events("received", peer="N0")]
        self.assertIn(first, received)
        self.assertNotIn(stale, received)
        self.assertEqual([line for line in received if b" x " in line], [first])
        self.assertNotEqual(first, again)
        self.assertEqual(herd["N1"].at(b"x"), first)

    def test_a_known_report_given_to_another_server_is_not_flooded_again(self):
        herd = self.herd(*GRAPHS["pair"]).start()
        first = herd["N0"].ask(report(b"x"))
        herd.wait_everywhere(b"x", first)
        other = herd["N1"].ask(report(b"x"))
        self.assertEqual(other.split()[1], b"N1")
        end = herd["N1"].ask(report(b"end"))
        herd["N0"].wait_event("received", line=end.decode()[:-1])
        self.assertEqual(herd["N0"].at(b"x"), first)
        self.assertEqual(herd["N1"].at(b"x"), first)
        self.assertEqual([e for e in herd["N0"].events("received", peer="N1") if " x " in (e["line"] or "")], [])

    def test_ids_of_any_bytes_and_long_lines_arrive(self):
        herd = self.herd(*GRAPHS["line"]).start()
        longest = 65536 - len(report(b"")) + 1
        for client_id in (b"\x00\xff\x01", b"a\x00", b"AT", b"i" * longest, b"\x80" * 3000):
            line = herd["N0"].ask(report(client_id, place=b"+1-1"))
            self.assertRegex(line, AT)
            herd.wait_everywhere(client_id, line)

    def test_many_updates_of_many_clients(self):
        """Everywhere the newest of each, though given to all servers at once, in shuffled order."""
        herd = self.herd(SEED, SEED_LINKS, log={"level": "info", "traffic": False}).start()
        dice = random.Random(7)
        orders = [(n, t) for n in range(200) for t in range(1, 11)]
        dice.shuffle(orders)
        clients = [server.client() for server in herd]
        for at in range(0, len(orders), 100):
            for k, client in enumerate(clients):
                client.send(b"".join(report(b"c%d" % n, t, b"+%d-%d" % (t, t))
                                     for n, t in orders[at:at + 100] if (n + t) % 5 == k))
        for k, client in enumerate(clients):
            client.lines(sum(1 for n, t in orders if (n + t) % 5 == k))
        for n in (0, 57, 199):
            line = herd.wait_same(b"c%d" % n)
            wait_for(lambda: herd.wait_same(b"c%d" % n).endswith(b" +10-10 10\n"), "the newest has won")
        self.same_everywhere(herd, [b"c%d" % n for n in range(200)])
        self.assertTrue(line)

    def same_everywhere(self, herd, ids):
        """All servers give the same AT lines; asked in one go each."""
        def ask(server):
            client = Client(server.port)
            client.send(b"".join(b"WHATSAT %s 1 0\n" % client_id for client_id in ids))
            answers = [client.answer()[0] for _ in ids]
            client.close()
            return answers

        def same():
            answers = [ask(server) for server in herd if server.running]
            return all(answer == answers[0] for answer in answers) and answers[0]
        return wait_for(same, "all servers agree")

    def test_conflicting_reports_converge(self):
        """The same client and time at several servers at once: the same bytes win everywhere."""
        herd = self.herd(SEED, SEED_LINKS).start()
        rounds = 50
        clients = [server.client() for server in herd]
        for n in range(rounds):
            for k, client in enumerate(clients):
                client.send(report(b"conflict%d" % n, 5, b"+%d-%d" % (k, n)))
        for client in clients:
            client.lines(rounds)
        lines = self.same_everywhere(herd, [b"conflict%d" % n for n in range(rounds)])
        for line in lines:
            self.assertEqual(line.split()[1], b"Riley")  # the greatest name, at equal times


class Failures(HerdTest):
    """Servers and links that go, come back, hang."""

    def test_servers_answer_while_neighbours_are_down(self):
        herd = self.herd(SEED, SEED_LINKS).start()
        herd["Jaquez"].kill()
        herd["Bernard"].kill()
        for name in ("Riley", "Juzang", "Campbell"):
            line = herd[name].ask(report(b"from-" + name.encode()))
            self.assertRegex(line, AT)
            herd.wait_everywhere(b"from-" + name.encode(), line, [herd["Riley"], herd["Juzang"], herd["Campbell"]])
        herd["Riley"].wait_event("peer_down", peer="Jaquez")

    def test_killed_and_back_brings_up_to_date_both_ways(self):
        """The middle of a line dies; both sides take reports; its return joins them."""
        herd = self.herd(*GRAPHS["line"]).start()
        old = herd["N2"].ask(report(b"old"))
        herd.wait_everywhere(b"old", old)
        herd["N2"].kill()
        left, right = herd["N0"].ask(report(b"left")), herd["N4"].ask(report(b"right"))
        newer = herd["N1"].ask(report(b"old", 6))
        herd["N2"].start()
        for client_id, line in ((b"left", left), (b"right", right), (b"old", newer)):
            herd.wait_everywhere(client_id, line)

    def test_alone_at_first(self):
        """A server that nobody could hear tells all once they are there."""
        herd = self.herd(*GRAPHS["star"])
        herd["N3"].start()
        line = herd["N3"].ask(report(b"early"))
        for server in herd:
            if not server.running:
                server.start()
        herd.wait_everywhere(b"early", line)

    def test_restart_of_the_whole_herd_one_by_one(self):
        herd = self.herd(SEED, SEED_LINKS).start()
        known = {}
        for n, server in enumerate(herd):
            known[b"before%d" % n] = server.ask(report(b"before%d" % n))
        for client_id, line in known.items():
            herd.wait_everywhere(client_id, line)
        for n, server in enumerate(herd):
            if n % 2:
                server.kill()
            else:
                self.assertEqual(server.stop(), 0)
            another = next(s for s in herd if s.running)
            known[b"during%d" % n] = another.ask(report(b"during%d" % n))
            server.start()
            herd.wait_linked()
            for client_id, line in known.items():
                herd.wait_everywhere(client_id, line, [server])
        for client_id, line in known.items():
            herd.wait_everywhere(client_id, line)

    def test_a_stopped_server_catches_up(self):
        """SIGSTOP: its neighbours notice, go on, and tell it all when it goes on."""
        herd = self.herd(SEED, SEED_LINKS, limits={"peer_ping_ms": 100, "peer_hello_ms": 300}).start()
        herd["Juzang"].pause()
        for name in ("Riley", "Bernard", "Campbell"):
            herd[name].wait_event("peer_down", peer="Juzang")
        lines = {}
        for name in ("Riley", "Campbell"):
            lines[name] = herd[name].ask(report(name.encode()))
            herd.wait_everywhere(name.encode(), lines[name], [s for s in herd if s.name != "Juzang"])
        herd["Juzang"].resume()
        for name, line in lines.items():
            herd.wait_everywhere(name.encode(), line)
        line = herd["Juzang"].ask(report(b"again"))
        herd.wait_everywhere(b"again", line)

    def test_a_short_stop_loses_nothing(self):
        herd = self.herd(*GRAPHS["line"], log={"level": "info", "traffic": False}).start()
        herd["N2"].pause()
        with herd["N0"].client() as client:
            client.send(b"".join(report(b"s%d" % n) for n in range(3000)))
            lines = client.lines(3000)
        herd["N2"].resume()
        for n in (0, 1500, 2999):
            herd.wait_everywhere(b"s%d" % n, lines[n])

    def test_a_partition_heals_both_ways(self):
        """A ring is cut into two halves that both stay alive; then the wires are whole again."""
        herd = self.herd(names(4), [("N0", "N1"), ("N1", "N2"), ("N2", "N3"), ("N3", "N0")])
        wires = [herd.wire("N1", "N2"), herd.wire("N3", "N0")]
        herd.start()
        herd.wait_everywhere(b"whole", herd["N0"].ask(report(b"whole")))
        for mode in ("cut", "dead"):
            with self.subTest(mode=mode):
                for wire in wires:
                    wire.set(mode)
                here = herd["N0"].ask(report(b"here-" + mode.encode()))
                there = herd["N3"].ask(report(b"there-" + mode.encode()))
                both = [herd[name].ask(report(b"both-" + mode.encode(), place=b"+%s-1" % name[1:].encode()))
                        for name in ("N0", "N2")]
                herd.wait_everywhere(b"here-" + mode.encode(), here, [herd["N1"]])
                herd.wait_everywhere(b"there-" + mode.encode(), there, [herd["N2"]])
                self.assertIsNone(herd["N2"].at(b"here-" + mode.encode()))
                self.assertIsNone(herd["N1"].at(b"there-" + mode.encode()))
                for wire in wires:
                    wire.set("open")
                herd.wait_everywhere(b"here-" + mode.encode(), here)
                herd.wait_everywhere(b"there-" + mode.encode(), there)
                herd.wait_everywhere(b"both-" + mode.encode(), max(both))

    def test_a_dead_wire_is_noticed(self):
        """No farewell, no reset, just silence: the link is given up, and made anew when the wire is back."""
        herd = self.herd(names(2), [("N0", "N1")], limits={"peer_ping_ms": 100, "peer_hello_ms": 300})
        wire = herd.wire("N0", "N1")
        herd.start()
        wire.set("dead")
        for server in herd:
            server.wait_event("peer_down")
        line = herd["N0"].ask(report(b"meanwhile"))
        wire.set("open")
        herd.wait_everywhere(b"meanwhile", line)

    def test_a_slow_wire_is_not_dead(self):
        """What is queued on it takes many ping periods to pass, and a ping would wait behind it. Another neighbour
        hears of what is new at once."""
        herd = self.herd(names(3), [("N0", "N1"), ("N0", "N2")], log={"level": "info", "traffic": False},
                         limits={"peer_ping_ms": 300, "write_stall_ms": 600})
        wire = herd.wire("N0", "N1")
        herd["N0"].start()
        wire.set("slow")
        with herd["N0"].client() as client:
            client.send(b"".join(report(b"slow%05d" % n) for n in range(4000)))
            client.lines(4000)
        herd["N2"].start()
        wait_for(lambda: herd["N2"].at(b"slow03999"), "the other neighbour knows")
        herd["N1"].start()
        begin = time.monotonic()
        wait_for(lambda: herd["N1"].at(b"slow00000"), "the first one arrives")
        line = herd["N0"].ask(report(b"news"))
        wait_for(lambda: herd["N2"].at(b"news") == line, "news are not held up", 1)
        self.assertIsNone(herd["N1"].at(b"slow03999"))
        # Where both sides connected at once, the end of one connection may be seen before the other one is up.
        before = {server.name: len(server.events("peer_down")) for server in herd}
        wait_for(lambda: herd["N1"].at(b"slow03999"), "the last one arrives")
        self.assertGreater(time.monotonic() - begin, 2.4, "this was no slow wire")
        for server in herd:
            downs = server.events("peer_down")[before[server.name]:]
            self.assertLessEqual({event["why"] for event in downs}, {"replaced", "refused"})

    def test_flapping_links_under_load_lose_nothing(self):
        herd = self.herd(names(3), [("N0", "N1"), ("N1", "N2")], log={"level": "info", "traffic": False})
        wires = [herd.wire("N0", "N1"), herd.wire("N1", "N2")]
        herd.start()
        clients = [server.client() for server in herd]
        for n in range(60):
            wires[n % 2].set("cut" if n % 3 else "open")
            for k, client in enumerate(clients):
                client.send(b"".join(report(b"f%d" % (j % 50), 1000 * n + 10 * k + 1) for j in range(50)))
                client.lines(50)
            wires[n % 2].set("open")
        ids = [b"f%d" % n for n in range(50)]
        lines = Flooding.same_everywhere(self, herd, ids)
        for line in lines:
            self.assertTrue(line.endswith(b" 59021\n"), line)

    def all_known(self, server, client_id, count):
        """Soon it knows all these clients. The link is down by then: what it has not read will not come."""
        def lost():
            with server.client() as asker:
                asker.send(b"".join(b"WHATSAT %s 1 0\n" % (client_id % n) for n in range(count)) + b"end\n")
                return asker.until(b"? end\n").count(b"? WHATSAT")
        wait_for(lambda: not server.links_up(), "the link is down")
        self.assertEqual(lost(), 0, f"of {count} are lost")

    def test_no_update_is_lost_at_a_graceful_stop(self):
        """What a server answered just before SIGTERM is known to its neighbours afterwards, though they talk
        to it all the while."""
        herd = self.herd(names(2), [("N0", "N1")], log={"level": "info", "traffic": False}).start()
        for turn in range(8):
            noise = herd["N1"].client()
            noise.send(b"".join(report(b"n%d" % n, turn + 1) for n in range(4000)))
            with herd["N0"].client() as client:
                count = 4000
                client.send(b"".join(report(b"g%d-%d" % (turn, n)) for n in range(count)))
                lines = client.lines(count)
                herd["N0"].signal(15)
            self.assertEqual(herd["N0"].wait(), 0)
            self.all_known(herd["N1"], b"g%d-%%d" % turn, count)
            herd.wait_everywhere(b"g%d-%d" % (turn, count - 1), lines[-1], [herd["N1"]])
            noise.close()
            herd["N0"].start()
            herd.wait_linked()


    def test_a_graceful_stop_waits_for_a_slow_neighbour(self):
        """The neighbour hangs for a moment while the server stops: what is in the kernel's hands is not yet
        in the neighbour's."""
        herd = self.herd(names(2), [("N0", "N1")], log={"level": "info", "traffic": False}).start()
        noise = herd["N1"].client()
        noise.ask(b"x\n")
        herd["N1"].pause()
        noise.send(b"".join(report(b"n%d" % n) for n in range(2000)))
        count = 15000
        with herd["N0"].client() as client:
            client.send(b"".join(report(b"g%d" % n) for n in range(count)))
            client.lines(count)
        herd["N0"].signal(15)
        herd["N0"].wait_event("stopping")
        herd["N1"].resume()
        self.assertEqual(herd["N0"].wait(), 0)
        self.all_known(herd["N1"], b"g%d", count)


class Chaos(HerdTest):
    """Everything at once, as a seed decides: HERD_TEST_SEED replays one."""

    def chaos(self, seed):
        dice = random.Random(seed)
        herd = self.herd(SEED, SEED_LINKS, limits={"peer_ping_ms": 200, "peer_hello_ms": 600, "line_deadline_ms": 500,
                                                   "lookups_per_client_max": 2}, log={"level": "debug"})
        wires = [herd.wire(*link) for link in SEED_LINKS]
        herd.start()
        paused, clock, clients = None, 100, []
        for _ in range(150):
            clock += 1
            up = [server for server in herd if server.running and server is not paused]
            act = dice.random()
            if act < 0.5:
                client = dice.choice(up).client()
                client.send(b"".join(dice.choice((report(b"k%d" % dice.randrange(20), clock, b"+%d-1" % (clock % 90)),
                                                  b"WHATSAT k%d 50 %d\n" % (dice.randrange(25), dice.randrange(21)),
                                                  dice.randbytes(dice.randrange(60)) + b"\n"))
                                     for _ in range(dice.randrange(40))) + dice.choice((b"", b"IAMAT ")))
                clients.append(client)
            elif act < 0.7 and clients:
                client = clients.pop(dice.randrange(len(clients)))
                with contextlib.suppress(OSError):  # its server may be gone
                    dice.choice((client.reset, client.close, client.half_close))()
            elif act < 0.8:
                dice.choice(wires).set(dice.choice(("cut", "dead", "open", "open")))
            elif act < 0.85 and len(up) > 3:
                dice.choice(up).kill()
            elif act < 0.87 and len(up) > 3:
                self.assertEqual(dice.choice(up).stop(), 0)
            elif act < 0.93:
                for server in herd:
                    if not server.running:
                        server.start()
            elif paused:
                paused.resume()
                paused = None
            elif len(up) > 3:
                paused = dice.choice(up)
                paused.pause()
            else:
                dice.choice(up).signal(1)
        if paused:
            paused.resume()
        for wire in wires:
            wire.set("open")
        for client in clients:
            client.close()
        for server in herd:
            if not server.running:
                server.start()
        herd.wait_linked()
        Flooding.same_everywhere(self, herd, [herd_id for herd_id in self.known(herd)])
        for n, server in enumerate(herd):
            line = server.ask(report(b"k%d" % n, 10 ** 6))
            herd.wait_everywhere(b"k%d" % n, line)

    @staticmethod
    def known(herd):
        """Clients that all servers know in the end."""
        ids = [b"k%d" % n for n in range(20)]

        def answers():
            found = []
            for server in herd:
                with server.client() as client:
                    client.send(b"".join(b"WHATSAT %s 1 0\n" % i for i in ids) + b"end\n")
                    text = client.until(b"? end\n")
                found.append([i for i in ids if b"? WHATSAT %s 1 0\n" % i not in text])
            return all(one == found[0] for one in found) and (found[0] or None)
        return wait_for(answers, "all know the same clients")

    def test_seeds(self):
        seeds = os.environ.get("HERD_TEST_SEED")
        for seed in [int(seeds)] if seeds else range(1, 5):
            with self.subTest(seed=seed):
                self.chaos(seed)


class Strangers(HerdTest):
    """Peers that are not what they should be."""

    def setUp(self):
        super().setUp()
        self.lone = self.herd(["S", "B", "C"], [("S", "B")], limits={"peer_hello_ms": 400})
        self.server = self.lone["S"].start()

    # The test is B, the smaller name: it is for B to begin a comparison of states, or to have all pushed.

    def introduce(self, hello=b"HELLO 2 B S 00000000000000ff\n", **options):
        peer = self.server.client(**options)
        self.assertRegex(peer.ask(hello), rb"\AHELLO 2 S B [0-9a-f]+\n\Z")
        return peer

    def test_wrong_introductions_are_refused(self):
        for hello, event, detail in (
                (b"HELLO 2 Nobody S 1\n", "peer_name_unknown", "Nobody"),
                (b"HELLO 2 C S 1\n", "peer_name_unknown", "C"),       # of the herd, but no neighbour
                (b"HELLO 2 S S 1\n", "peer_name_unknown", "S"),       # ourselves
                (b"HELLO 2 b S 1\n", "peer_name_unknown", "b"),
                (b"HELLO 3 B S 1\n", "peer_version_unknown", "B"),
                (b"HELLO 0 B S 1\n", "peer_version_unknown", "B"),
                (b"HELLO 2 B C 1\n", "peer_wants_another", "C")):
            with self.subTest(hello=hello):
                peer = self.server.client()
                peer.send(hello + b"AT B +0.1 evil +1-1 5\n")
                self.assertEqual(peer.closed_by_server(), b"REFUSE " + event.encode() + b"\n")
                self.assertEqual(self.server.wait_event(event, detail=detail).level, "warn")
        self.assertIsNone(self.server.at(b"evil"))
        self.assertEqual(self.server.links_up(), set())

    def test_each_refusal_is_damped_by_itself(self):
        """Reasons and names do not hide each other: each is told at its 1st, 2nd, 4th, 8th time."""
        rows = ((b"HELLO 2 Nobody S 1\n", "peer_name_unknown", "Nobody"), (b"HELLO 2 C S 1\n", "peer_name_unknown", "C"),
                (b"HELLO 3 B S 1\n", "peer_version_unknown", "B"), (b"HELLO 2 B C 1\n", "peer_wants_another", "C"))
        for _ in range(9):
            for hello, _, _ in rows:
                self.server.client().send(hello)
        for _, event, detail in rows:
            wait_for(lambda: len(self.server.events(event, detail=detail)) == 9, f"nine times {event} {detail}")
            self.assertEqual([e["count"] for e in self.server.events(event, detail=detail) if e.level == "warn"],
                             ["1", "2", "4", "8"])

    def test_a_neighbour_introduces_itself_and_talks(self):
        early = self.server.ask(report(b"early"))
        peer = self.introduce()
        peer.send(b"PUSH\n")
        self.assertEqual(peer.line(), early)
        at = b"AT Z +0.5 id\x00\xff +1-1 5\n"
        peer.send(b"\n" + at + b"PING\n")
        self.assertEqual(peer.line(), b"PONG\n")
        self.assertEqual(self.server.at(b"id\x00\xff"), at)
        line = self.server.ask(report(b"late"))
        self.assertEqual(peer.line(), line)
        peer.close()
        self.server.wait_event("peer_down", peer="B")

    def test_a_line_that_means_nothing_ends_the_link(self):
        for line in (b"IAMAT x +1-1 5\n", b"WHATSAT x 1 1\n", b"AT B +0.1 x +91-1 5\n", b"AT B 0.1 x +1-1 5\n",
                     b"AT B! +0.1 x +1-1 5\n", b"AT B +0.1 x +1-1 5 6\n", b"garbage \x00\xff\n", b"x" * 90000,
                     b"HELLO 2 B S 00000000000000ff\n", b"ROOT\n",
                     b"ROOT 1\n", b"ROOT x 0000000000000000\n", b"SUMS\n", b"SUMS 99 0\n", b"LIST zz\n", b"PUSH it\n"):
            with self.subTest(line=line[:40]):
                peer = self.introduce()
                wait_for(lambda: self.server.links_up(), "the link is up")
                peer.send(line)
                peer.closed_by_server()
                wait_for(lambda: not self.server.links_up(), "the link is down")
        self.assertIsNone(self.server.at(b"x"))
        self.assertGreaterEqual(len(self.server.events("peer_line_invalid")), 14)
        self.assertEqual(self.server.ask(b"hi\n"), b"? hi\n")

    def test_an_unfinished_line_of_a_neighbour_is_not_taken(self):
        """Cut off in the middle, a line could look whole with another time."""
        peer = self.introduce()
        peer.send(b"AT B +0.1 cut +1-1 123")
        peer.close()
        self.server.wait_event("peer_down", peer="B")
        self.assertIsNone(self.server.at(b"cut"))

    def test_a_neighbour_that_restarts_replaces_its_old_connection(self):
        old = self.introduce()
        new = self.introduce(b"HELLO 2 B S 00000000000000fe\n")
        old.closed_by_server()
        line = self.server.ask(report(b"x"))
        self.assertEqual(new.line(), line)
        wait_for(lambda: [event.name for event in self.server.events() if event.name in ("peer_up", "peer_down")] ==
                 ["peer_up", "peer_down", "peer_up"], "gone, and up again")

    def test_a_neighbour_that_never_reads(self):
        """It costs a buffer, not a queue; when it returns it gets the newest of everything."""
        self.server.stop()
        self.lone.config["limits"].update(write_stall_ms=1000, peer_ping_ms=60000)
        self.lone.config["log"] = {"level": "info", "traffic": False}
        self.lone.write()
        self.server.start()
        self.introduce(receive_buffer=4096)
        with self.server.client() as client:
            for turn in range(1, 21):
                client.send(b"".join(report(b"d%d" % n, turn) for n in range(10000)))
                client.lines(10000)
        self.server.wait_event("peer_down", peer="B")
        peer = self.introduce(b"HELLO 2 B S 00000000000000fd\n")
        peer.send(b"PUSH\n")
        lines = peer.lines(10000)
        self.assertEqual({line.split()[5] for line in lines}, {b"20"})
        self.assertEqual(len({line.split()[3] for line in lines}), 10000)

    def test_what_answers_at_a_neighbours_port(self):
        """A web server, a silent one, a stranger of the herd: given up with a clear line, tried again, and
        the real one is found in the end."""
        for greeting, event in ((b"HTTP/1.0 400 Bad Request\r\n\r\n", "peer_not_a_herd_server"),
                                (b"HELLO 2 C S 1\n", "peer_name_unknown"),
                                (b"HELLO 2 B C 1\n", "peer_wants_another"),
                                (b"HELLO 9 B S 1\n", "peer_version_unknown"),
                                (b"REFUSE go away\n", "peer_refuses_us"),
                                (b"x" * 90000, None), (b"", None)):
            with self.subTest(greeting=greeting[:30]), \
                    socket.create_server(("127.0.0.1", self.lone["B"].port)) as listener:
                listener.settimeout(20)
                for _ in range(2):
                    connection, _ = listener.accept()
                    connection.settimeout(20)
                    with connection:
                        hello = b""
                        while not hello.endswith(b"\n"):
                            hello += connection.recv(1000)
                        self.assertRegex(hello, rb"\AHELLO 2 S B [0-9a-f]+\n\Z")
                        connection.sendall(greeting)
                        try:
                            while connection.recv(1000):
                                pass
                        except ConnectionError:
                            pass
                if event:
                    self.assertEqual(self.server.wait_event(event).level, "warn")
            self.assertEqual(self.server.ask(b"hi\n"), b"? hi\n")
        self.lone["B"].start()
        self.lone.wait_linked()
        self.lone.wait_everywhere(b"x", self.server.ask(report(b"x")), [self.lone["B"]])

    def test_a_link_that_only_one_side_knows(self):
        """Both sides say so clearly, and serve on."""
        herd = self.herd(["D", "E"], [("D", "E")])
        one_sided = dict(herd.config, links=[])
        herd["E"].config_path = herd.dir + "/E.json"
        with open(herd["E"].config_path, "w") as file:
            json.dump(one_sided, file)
        herd["E"].start()
        herd["D"].start()
        herd["E"].wait_event("peer_name_unknown", detail="D")
        herd["D"].wait_event("peer_refuses_us", detail="peer_name_unknown")
        for server in herd:
            self.assertRegex(server.ask(report(b"x")), AT)
            self.assertEqual(server.links_up(), set())

    def test_it_does_not_take_itself_for_a_neighbour(self):
        """A configuration in which a neighbour's address is our own: refused, not a loop."""
        herd = self.herd(["D", "E"], [("D", "E")])
        herd.config["servers"]["E"]["port"] = herd["D"].port
        herd.config["servers"]["E"]["host"] = "localhost"
        herd.write()
        server = herd["D"].start()
        server.wait_event("peer_wants_another", detail="E")
        cpu = server.cpu_seconds()
        begun = time.monotonic()
        while time.monotonic() < begun + 1:
            self.assertEqual(server.ask(b"x\n"), b"? x\n")
            time.sleep(0.05)  # an observation period
        self.assertLess(server.cpu_seconds() - cpu, 0.6)


if __name__ == "__main__":
    main()
