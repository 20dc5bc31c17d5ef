# SPDX-License-Identifier: MIT
"""How long two servers take to agree after the link between them returns.

A and B know the same records; all bytes between them pass through this program. It cuts the link, has half of the
differences reported to A and half to B, lets the link return, and watches what a neighbour of each is told: Y of A and
Z of B, both this program too. They have agreed when Y has been told what B knew, and Z what A knew; with no
difference, when B's answer to A's ROOT has passed.
"""
import collections
import json
import os
import random
import selectors
import socket
import statistics
import time

DEADLINE = 300
CHUNK = 1 << 18
HOLD_MAX = 8  # chunks
EPOCH = 1621464827


class Converge:
    def __init__(self, test, harness, records, seed, down):
        self.test, self.harness, self.records, self.down = test, harness, records, down
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.out = {}       # socket -> bytes it still has to be sent
        self.links = {}     # socket -> the socket on the other side of the wire
        self.listeners = []
        self.heard = {}     # neighbour that is this program -> AT lines it was told
        self.rest = {}      # what it was told of the line after the last
        self.answers = 0
        self.connected = None  # when the link's connection was made since it may be
        self.rooted = None     # when an answer to ROOT passed
        self.clock = 0
        test.addCleanup(self.close)

    # ---- sockets ----

    def watch(self, sock, what):
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ, what)
        self.out[sock] = collections.deque()

    def drop(self, sock):
        if sock in self.out:
            self.selector.unregister(sock)
            del self.out[sock]
        sock.close()

    def close(self):
        for sock in [key.fileobj for key in self.selector.get_map().values()]:
            self.selector.unregister(sock)
            sock.close()
        self.selector.close()

    def interest(self, sock):
        """A side of the wire is not read while the other takes nothing: what waits, waits in the kernel."""
        mask = selectors.EVENT_WRITE if self.out[sock] else 0
        other = self.links.get(sock)
        if other not in self.out or len(self.out[other]) < HOLD_MAX:
            mask |= selectors.EVENT_READ
        key = self.selector.get_key(sock)
        if mask != key.events:
            self.selector.modify(sock, mask, key.data)

    def send(self, sock, data):
        data = memoryview(data)
        if not self.out[sock]:
            try:
                data = data[sock.send(data):]
            except BlockingIOError:
                pass
            except OSError:
                return  # its end is heard of when it is read
        if data:
            self.out[sock].append(data)
            self.interest(sock)
            if sock in self.links:
                self.interest(self.links[sock])

    def writable(self, sock):
        waiting = self.out[sock]
        try:
            while waiting:
                left = waiting[0][sock.send(waiting[0]):]
                if left:
                    waiting[0] = left
                    break
                waiting.popleft()
        except BlockingIOError:
            pass
        except OSError:
            waiting.clear()
        self.interest(sock)
        if sock in self.links:
            self.interest(self.links[sock])

    def run(self, condition, what):
        end = time.monotonic() + DEADLINE
        while not condition():
            for key, mask in self.selector.select(0.1):
                sock, kind = key.fileobj, key.data
                if sock not in self.out:
                    continue  # dropped meanwhile
                if mask & selectors.EVENT_WRITE and sock in self.out:
                    self.writable(sock)
                if mask & selectors.EVENT_READ and sock in self.out:
                    self.readable(sock, kind)
            if time.monotonic() > end:
                raise AssertionError(f"not within {DEADLINE} s: {what}")

    def readable(self, sock, kind):
        if kind[0] == "listener":
            self.join(sock.accept()[0], kind[1])
            return
        try:
            data = sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if kind[0] == "wire":
            self.forward(sock, data)
        elif not data:
            raise AssertionError(f"{kind} was closed")
        elif kind[0] == "client":
            self.answers += data.count(b"\n")
        else:
            self.listen_in(sock, kind[1], data)

    # ---- the link between A and B ----

    def join(self, one, target):
        try:
            other = socket.create_connection(("127.0.0.1", target))
        except OSError:
            one.close()
            return
        for sock in (one, other):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watch(sock, ("wire",))
        self.links[one], self.links[other] = other, one
        self.connected = self.connected or time.monotonic()
        self.roots = 0

    def forward(self, sock, data):
        other = self.links.get(sock)
        if not data or other is None:
            for end in (sock, self.links.pop(sock, None)):
                self.links.pop(end, None)
                if end:
                    self.drop(end)
            return
        self.send(other, data)
        if self.rooted is None and b"ROOT " in data:
            self.roots += 1
            if self.roots == 2:  # asked and answered
                self.rooted = time.monotonic()

    def cut(self):
        for sock in self.listeners:
            self.drop(sock)
        self.listeners = []
        for sock in list(self.links):
            self.drop(sock)
        self.links.clear()

    def restore(self):
        self.connected = self.rooted = None
        for port, target in self.ports:
            sock = socket.create_server(("127.0.0.1", port))
            self.watch(sock, ("listener", target))
            self.listeners.append(sock)

    # ---- the neighbours that listen ----

    def neighbour(self, name, of):
        sock = socket.create_connection(("127.0.0.1", self.servers[of].port))
        sock.sendall(b"HELLO 2 %s %s %016x\n" % (name.encode(), of.encode(), self.random.getrandbits(64)))
        self.heard[name], self.rest[name] = 0, b""
        self.watch(sock, ("neighbour", name))

    def listen_in(self, sock, name, data):
        data = self.rest[name] + data
        whole, _, self.rest[name] = data.rpartition(b"\n")
        if not whole:
            self.rest[name] = data
            return
        whole = b"\n" + whole + b"\n"
        self.heard[name] += whole.count(b"\nAT ")
        if b"\nPING\n" in whole:
            self.send(sock, b"PONG\n")
        at = whole.rfind(b"\nROOT ")
        if at >= 0:  # we know what it knows, if it asks
            self.send(sock, whole[at + 1:whole.index(b"\n", at + 1) + 1])
        if b"\nREFUSE" in whole:
            raise AssertionError(f"{name} was refused")

    # ---- what happens ----

    def report(self, client, ids):
        """Newer reports of these clients, all in one write; until they are answered."""
        self.clock += 1
        stamp = b"%d.5\n" % (EPOCH + self.clock)
        lines = b"".join([b"IAMAT id%017d +34.068930-118.445127 " % i + stamp for i in ids])
        self.answers = 0
        self.send(client, lines)
        self.run(lambda: self.answers == len(ids), f"{len(ids)} answers")

    def told(self, counts, what):
        self.run(lambda: all(self.heard[name] >= count for name, count in counts.items()), what)
        for name, count in counts.items():
            if self.heard[name] != count:
                raise AssertionError(f"{name} was told {self.heard[name]} of {count} records: {what}")
            self.heard[name] = 0

    def begin(self):
        harness = self.harness
        herd = self.test.herd(["A", "B", "Y", "Z"], [("A", "B"), ("A", "Y"), ("B", "Z")],
                              limits={"redial_max_ms": 3000, "digest_ms": 3600000, "records_max": 2 * self.records,
                                      "client_idle_ms": 0, "peer_ping_ms": 60000},
                              log={"level": "info", "traffic": False}, places={"provider": "embedded"})
        self.servers = {name: herd[name] for name in ("A", "B")}
        self.ports = []
        for name, other in (("A", "B"), ("B", "A")):
            port = harness.free_port()
            self.ports.append((port, herd[other].port))
            config = json.loads(json.dumps(herd.config))
            config["servers"][other]["port"] = port
            herd[name].config_path = os.path.join(herd.dir, name + ".json")
            with open(herd[name].config_path, "w") as file:
                json.dump(config, file)
        self.restore()
        for server in self.servers.values():
            server.start(wait=False)
        for server in self.servers.values():
            harness.wait_for(lambda: server.saw("listening"), "listening")
        self.neighbour("Y", "A")
        self.neighbour("Z", "B")
        self.clients = {}
        for name, server in self.servers.items():
            self.clients[name] = socket.create_connection(("127.0.0.1", server.port))
            self.watch(self.clients[name], ("client", name))
        self.run(lambda: self.rooted is not None, "the first link")
        begin = time.monotonic()
        for first in range(0, self.records, 100000):
            self.report(self.clients["A"], range(first, min(first + 100000, self.records)))
        self.told({"Y": self.records, "Z": self.records}, "what was filled in")
        return time.monotonic() - begin

    def once(self, differences):
        """(seconds since the link was connected, seconds since it could be, seconds of processor time of both servers)"""
        self.cut()
        ids = self.random.sample(range(self.records), differences)
        half = differences // 2
        for name, part in (("A", ids[:half]), ("B", ids[half:])):
            if part:
                self.report(self.clients[name], part)
        self.told({"Y": half, "Z": differences - half}, "what its own server was told")
        end = time.monotonic() + self.random.uniform(0.5, 1.5) * self.down
        self.run(lambda: time.monotonic() >= end, "the link stays down")
        busy = self.processor()
        self.restore()
        returned = time.monotonic()
        if differences:
            self.told({"Y": differences - half, "Z": half}, f"{differences} differences")
        else:
            self.run(lambda: self.rooted is not None, "both compared")
        now = time.monotonic()
        if not differences:
            now = self.rooted
        return now - self.connected, now - returned, self.processor() - busy

    def processor(self):
        return sum(time.clock_gettime((~server.pid << 3) | 2) for server in self.servers.values())

    def judge(self):
        """Both say the same of some clients, and no link had to be repaired."""
        asked = self.random.sample(range(self.records), min(self.records, 5000))
        said = []
        for server in self.servers.values():
            with server.client() as client:
                client.send(b"".join(b"WHATSAT id%017d 0 0\n" % i for i in asked))
                client.half_close()
                said.append([line for line in client.rest().split(b"\n") if line.startswith(b"AT ")])
            if server.events("digest_differs", whole=True):
                raise AssertionError("a link had to be repaired")
        if said[0] != said[1] or len(said[0]) != len(asked):
            raise AssertionError("the servers do not say the same")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(test, harness, records, repeat, seed, down):
    world = Converge(test, harness, records, seed, down)
    took = world.begin()
    print(f"{records} records filled in and passed on in {took:.1f} s", flush=True)
    print("processor time: of both servers, from the link's return to their agreement")
    print(f"{'differences':>11} {'runs':>5}  {'since connected: p50':>20} {'p99':>8} {'least':>8}  "
          f"{'since it returned: p50':>22} {'p99':>8}  {'processor time':>14}   (ms)")
    for differences, runs in zip((0, 100, records // 10), repeat):
        times = [world.once(differences) for _ in range(runs)]
        linked, returned = [t[0] * 1000 for t in times], [t[1] * 1000 for t in times]
        print(f"{differences:>11} {runs:>5}  {statistics.median(linked):>20.1f} {percentile(linked, 0.99):>8.1f} {min(linked):>8.1f}  "
              f"{statistics.median(returned):>22.1f} {percentile(returned, 0.99):>8.1f}  "
              f"{statistics.median(t[2] for t in times) * 1000:>14.1f}", flush=True)
    world.judge()
