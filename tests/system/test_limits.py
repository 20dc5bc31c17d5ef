# SPDX-License-Identifier: MIT
"""Bounds under pressure: too many clients, too few descriptors, clients that never finish or never read.
Whoever exceeds one is told or closed; nobody else notices, and the processor rests."""
import json
import os
import socket
import time

from herd import AT, DEADLINE, Client, HerdTest, Timeout, main, wait_for


def observe(server, seconds=1.0):
    """The server's share of a processor over a while in which nothing is asked of it."""
    cpu, began = server.cpu_seconds(), time.monotonic()
    time.sleep(seconds)  # the observation itself
    return (server.cpu_seconds() - cpu) / (time.monotonic() - began)


IDLE = 0.2  # share of a processor that counts as rest, with room for a busy machine and sanitizers


class AfterFullOutput(HerdTest):
    def test_idle(self):
        """The timer that stood still while replies waited runs again when they have left."""
        for limits, more, request, count in (({"output_pause_bytes": 4096}, {}, b"q" * 50 + b"\n", 100),
                                             ({}, {"journal": "{name}.journal"}, b"IAMAT c +1-1 5\n", 3000)):
            server = self.herd(["A"], [], limits={"client_idle_ms": 1000, **limits}, more=more)["A"].start()
            client = server.client()
            client.send(request * count)
            client.lines(count)
            self.assertEqual(client.closed_by_server(), b"")
            server.wait_event("closing", why="idle")
            server.stop()


class Connections(HerdTest):
    """How many."""

    def test_clients_max(self):
        """Those beyond wait in the kernel's queue, and get in as others leave."""
        server = self.one(limits={"clients_max": 5})
        inside = [server.client() for _ in range(5)]
        for client in inside:
            self.assertEqual(client.ask(b"in\n"), b"? in\n")
        waiting = [server.client() for _ in range(3)]
        for client in waiting:
            client.send(b"IAMAT x +1-1 5\n")
        self.assertEqual(inside[0].ask(b"x\n"), b"? x\n")
        self.assertTrue(all(client.silent() for client in waiting))
        self.assertLess(observe(server), IDLE)
        for leaving, entering in zip(inside, waiting):
            leaving.close()
            self.assertRegex(entering.line(), AT)
        self.assertEqual(inside[4].ask(b"x\n"), b"? x\n")

    def test_clients_max_with_a_half_closed_and_a_reset_one(self):
        server = self.one(limits={"clients_max": 2})
        one, two, three, four = (server.client() for _ in range(4))
        one.ask(b"x\n"), two.ask(b"x\n")
        three.send(b"y\n"), four.send(b"z\n")
        one.half_close()
        two.reset()
        self.assertEqual(three.line(), b"? y\n")
        self.assertEqual(four.line(), b"? z\n")

    def test_neighbours_are_not_counted_as_clients(self):
        herd = self.herd(["A", "B", "C"], [("A", "B"), ("A", "C")], limits={"clients_max": 1}).start()
        client = herd["A"].client()
        line = client.ask(b"IAMAT x +1-1 5\n")
        herd.wait_everywhere(b"x", line, [herd["B"], herd["C"]])
        herd["B"].kill()
        herd["B"].start()
        herd.wait_linked()
        herd.wait_everywhere(b"x", line, [herd["B"]])

    def test_a_full_herd_is_still_linked(self):
        """Clients that fill every server to its limit do not keep returning neighbours out."""
        herd = self.herd(["A", "B"], [("A", "B")], limits={"clients_max": 3}).start()
        herd["B"].kill()
        extra = [herd["A"].client() for _ in range(3)]
        for client in extra:
            client.ask(b"x\n")
        line = extra[0].ask(b"IAMAT x +1-1 5\n")
        herd["B"].start()
        herd.wait_everywhere(b"x", line, [herd["B"]])

    def test_two_full_servers_are_linked_again(self):
        """A link that breaks between two full servers comes back: there is room for neighbours alone."""
        herd = self.herd(["A", "B"], [("A", "B")], limits={"clients_max": 3, "peer_ping_ms": 100}).start()
        extra = [herd[name].client() for name in "AB" for _ in range(3)]
        for client in extra:
            client.ask(b"x\n")
        herd["B"].pause()
        herd["A"].wait_event("peer_down")
        line = extra[0].ask(b"IAMAT x +1-1 5\n")
        with herd["A"].client() as stranger:
            stranger.send(b"IAMAT y +1-1 5\n")
            self.assertEqual(stranger.closed_by_server(), b"")
        herd["A"].wait_event("connection_refused", why="clients_max")
        herd["B"].resume()
        heard = wait_for(lambda: (lambda got: got if got.startswith(b"AT") else None)(
            extra[3].ask(b"WHATSAT x 0 0\n")), "B hears of it")
        self.assertEqual(heard, line)

    def test_clients_per_address_max(self):
        server = self.one(limits={"clients_per_address_max": 3})
        inside = [server.client() for _ in range(3)]
        for client in inside:
            client.ask(b"in\n")
        for _ in range(5):
            with server.client() as refused:
                self.assertEqual(refused.closed_by_server(), b"")
        server.wait_event("connection_refused", why="clients_per_address_max")
        self.assertEqual([e["count"] for e in server.events("connection_refused")], ["1", "2", "4"])
        with server.client(source="127.0.0.2") as elsewhere:
            self.assertEqual(elsewhere.ask(b"x\n"), b"? x\n")
        inside[0].close()

        def let_in():
            try:
                return server.ask(b"again\n")
            except (AssertionError, ConnectionError):
                return None
        self.assertEqual(wait_for(let_in, "one may come again"), b"? again\n")

    def test_reports_per_address_on_many_connections(self):
        """A burst with each new connection would be no bound: an address goes on where it left off."""
        server = self.one(limits={"reports_per_address_max": 1})
        began, taken = time.monotonic(), 0
        for i in range(60):
            with server.client() as client:
                taken += client.ask(b"IAMAT x +1-1 %d\n" % i).startswith(b"AT")
        self.assertLessEqual(taken, 10 + int(time.monotonic() - began) + 1)
        self.assertGreaterEqual(taken, 10)
        with server.client(source="127.0.0.2") as elsewhere:
            self.assertRegex(elsewhere.ask(b"IAMAT x +1-1 100\n"), AT)

    def test_a_thousand_idle_connections(self):
        server = self.one()
        clients = [server.client() for _ in range(1500)]
        for client in clients[::100]:
            self.assertEqual(client.ask(b"x\n"), b"? x\n")
        wait_for(lambda: server.open_files() > 1500, "all are accepted")
        self.assertLess(observe(server), IDLE)
        began = time.monotonic()
        for client in clients:
            client.send(b"IAMAT idle +1-1 5\n")
        for client in clients:
            self.assertRegex(client.line(), AT)
        self.assertLess(time.monotonic() - began, 20)
        for client in clients:
            client.close()
        wait_for(lambda: server.open_files() < 100, "descriptors are given back")


class Descriptors(HerdTest):
    """When the process has no descriptor left."""

    def exhaust(self, server, count=120):
        clients = []
        for _ in range(count):
            clients.append(server.client())
        server.wait_event("connection_refused", why="Too many open files")
        return clients

    def test_out_of_descriptors(self):
        server = self.one(files=64)
        clients = self.exhaust(server)
        self.assertEqual(clients[0].ask(b"IAMAT x +1-1 5\n")[:3], b"AT ")
        self.assertLess(observe(server), IDLE)
        answers = clients[0].whatsat(b"x")
        self.assertEqual(json.loads(answers[1])["status"] in ("OK", "ZERO_RESULTS"), True)
        for client in clients:
            client.close()

        def served():
            try:
                return server.ask(b"back\n")
            except (AssertionError, ConnectionError):
                return None
        self.assertEqual(wait_for(served, "clients are served again"), b"? back\n")
        wait_for(lambda: server.open_files() < 40, "descriptors are given back")
        for _ in range(20):
            self.assertEqual(server.ask(b"x\n"), b"? x\n")

    def test_those_beyond_are_told(self):
        """A connection that cannot be served is closed; it does not wait without a word."""
        server = self.one(files=40)
        clients = self.exhaust(server, 60)
        closed = 0
        for client in clients[-10:]:
            self.assertEqual(client.closed_by_server(), b"")
            closed += 1
        self.assertEqual(closed, 10)

    def test_dialling_without_descriptors(self):
        """Links come back when descriptors do."""
        herd = self.herd(["A", "B"], [("A", "B")])
        herd["B"].start()
        herd["A"].start(files=40)
        herd.wait_linked()
        clients = self.exhaust(herd["A"], 60)
        herd["B"].kill()
        herd["A"].wait_event("peer_down", peer="B")
        extra = [herd["A"].client() for _ in range(3)]  # the link's descriptor goes too
        herd["B"].start()
        self.assertLess(observe(herd["A"]), IDLE)
        for client in clients + extra:
            client.close()
        herd.wait_linked()
        herd.wait_everywhere(b"x", herd["B"].ask(b"IAMAT x +1-1 5\n"))


class Patience(HerdTest):
    """Slow ones, deaf ones."""

    def test_slowloris(self):
        """Hundreds of connections that never finish a line are closed at the deadline; others are served."""
        server = self.one(limits={"line_deadline_ms": 1000})
        slow = [server.client() for _ in range(400)]
        good = server.client()
        for n, client in enumerate(slow):
            client.send(b"IAMAT slow%d +1-1 " % n)
        began = time.monotonic()
        served = 0
        while len(server.events("closing", why="line_deadline")) < len(slow):
            self.assertLess(time.monotonic() - began, 2 * DEADLINE)
            self.assertRegex(good.ask(b"IAMAT good +1-1 %d\n" % served), AT)
            served += 1
            for client in slow[::50]:
                try:
                    client.send(b"5")  # dripping does not help
                except ConnectionError:
                    pass
        self.assertGreater(served, 3)
        for client in slow:
            self.assertEqual(client.closed_by_server(), b"")
        self.assertEqual(good.ask(b"x\n"), b"? x\n")
        wait_for(lambda: server.open_files() < 40, "descriptors are given back")
        self.assertIsNone(server.at(b"slow0"))

    def flood_deaf(self, server, deaf, command, stop):
        """Sends until the server takes no more, or `stop` says so. Returns the bytes it took."""
        deaf.socket.setblocking(False)
        sent, since = 0, time.monotonic()
        while not stop() and time.monotonic() - since < 1:
            try:
                sent += deaf.socket.send((command * 101)[sent % len(command):])
                since = time.monotonic()
            except BlockingIOError:
                pass
            except ConnectionError:
                break
        return sent

    def test_output_pause(self):
        """A client with so much unread is not read any more, and goes on where it stood when it reads."""
        server = self.one(limits={"output_pause_bytes": 16384, "write_stall_ms": 60000, "line_deadline_ms": 0},
                          log={"traffic": False})
        deaf = server.client(receive_buffer=4096)
        command = b"p" * 500 + b"\n"
        sent = self.flood_deaf(server, deaf, command, lambda: False)
        self.assertLess(sent, 64 << 20)
        self.assertLess(observe(server), IDLE)
        self.assertEqual(server.ask(b"x\n"), b"? x\n")
        deaf.socket.settimeout(30)
        whole = sent // len(command)
        for line in deaf.lines(whole):
            self.assertEqual(line, b"? " + command)
        deaf.send(command[sent % len(command):])
        self.assertEqual(deaf.line(), b"? " + command)
        self.assertEqual(deaf.ask(b"y\n"), b"? y\n")

    def test_write_stall(self):
        server = self.one(limits={"write_stall_ms": 500}, log={"level": "debug", "traffic": False})
        deaf = server.client(receive_buffer=4096)
        self.flood_deaf(server, deaf, b"p" * 500 + b"\n", lambda: server.saw("closed", why="write_stall"))
        server.wait_event("closed", why="write_stall")
        self.assertEqual(server.ask(b"x\n"), b"? x\n")
        files = server.open_files()
        self.assertLess(files, 30)

    def test_output_max(self):
        """Replies that outgrow the cap in one go: long look-ups answered at once to a client that is deaf."""
        server = self.one(limits={"output_pause_bytes": 65536, "output_max_bytes": 65536, "write_stall_ms": 60000,
                                  "line_max_bytes": 1048576},
                          log={"level": "debug", "traffic": False})
        deaf = server.client(receive_buffer=4096)
        self.flood_deaf(server, deaf, b"q" * 100000 + b"\n", lambda: server.saw("closed", why="output_max_bytes"))
        server.wait_event("closed", why="output_max_bytes")
        self.assertEqual(server.ask(b"x\n"), b"? x\n")

    def test_deaf_clients_side_by_side(self):
        """Many that never read cost bounded memory each."""
        server = self.one(limits={"output_pause_bytes": 4096, "write_stall_ms": 2000},
                          log={"level": "debug", "traffic": False})
        deaf = [server.client(receive_buffer=4096) for _ in range(40)]
        for client in deaf:
            client.socket.setblocking(False)
        good = server.client()
        began = time.monotonic()
        while len(server.events("closed", why="write_stall")) < len(deaf):
            self.assertLess(time.monotonic() - began, 2 * DEADLINE)
            for client in deaf:
                try:
                    client.socket.send(b"x" * 999 + b"\n" + b"x\n" * 500)
                except (BlockingIOError, ConnectionError):
                    pass
            self.assertEqual(good.ask(b"x\n"), b"? x\n")
        with open(f"/proc/{server.pid}/status") as status:
            peak = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
        self.assertLess(peak, 600000)

    def test_a_long_line_waits_in_bounded_memory(self):
        """A hundred connections in the middle of the longest line."""
        server = self.one()
        clients = [server.client() for _ in range(100)]
        for client in clients:
            client.send(b"L" * 65000)
        for client in clients:
            client.send(b"\n")
            self.assertEqual(client.line(), b"? " + b"L" * 65000 + b"\n")

    def test_many_connections_come_and_go(self):
        server = self.one(log={"traffic": False})
        for _ in range(40):
            clients = [Client(server.port) for _ in range(50)]
            for n, client in enumerate(clients):
                client.send(b"IAMAT c +1-1 5\nWHATSAT c 10 5\nx" if n % 3 else b"")
            for n, client in enumerate(clients):
                client.reset() if n % 2 else client.close()
        self.assertEqual(server.ask(b"x\n"), b"? x\n")
        wait_for(lambda: server.open_files() < 40, "descriptors are given back")


if __name__ == "__main__":
    main()
