# SPDX-License-Identifier: MIT
"""Wires between servers that misbehave: one thread carries the bytes of all links of a herd.

Each direction of a link has a mode of its own:

    open      everything passes at once
    stall     nothing passes, nothing is lost
    slice     one byte at a time, each in a segment of its own
    rate      a few hundred bytes at a time, a hundred times a second

and a link can be cut: what is on its way is forwarded up to a random byte, then both ends are closed, in order
or with a reset; until it is mended, new connections are closed at once.
"""
import random
import selectors
import socket
import struct
import threading
import time

HOLD_MAX = 1 << 18  # bytes held for a side that takes none: then its writer is not read


class Flow:
    """One direction of one connection."""

    def __init__(self, source, sink, key):
        self.source, self.sink, self.key = source, sink, key
        self.held = bytearray()
        self.eof = False


class Wires:
    """wires.port(a, b): where `a` finds `b`."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lock = threading.RLock()
        self.selector = selectors.DefaultSelector()
        self.modes, self.cuts, self.ports, self.listeners = {}, set(), {}, []
        self.flows = {}  # socket -> the flow that it is the source of
        self.bytes = self.connections = 0
        self.ending = False
        self.wake, woken = socket.socketpair()
        self.selector.register(woken, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def add(self, a, b, listener, target):
        """`listener` stands for b in the eyes of a."""
        listener.setblocking(False)
        self.ports[a, b] = listener.getsockname()[1]
        self.listeners.append(listener)
        self.selector.register(listener, selectors.EVENT_READ, (a, b, target))

    def start(self):
        self.thread.start()

    # ---- misfortune, from any thread ----

    def mode(self, a, b, mode):
        """How bytes go from a to b, whoever dialled."""
        with self.lock:
            self.modes[a, b] = mode
        self.wake.send(b".")

    def cut(self, a, b, reset):
        with self.lock:
            self.cuts.add(frozenset((a, b)))
            self._break(a, b, reset)

    def mend(self, a, b):
        with self.lock:
            self.cuts.discard(frozenset((a, b)))
            self.modes.pop((a, b), None)
            self.modes.pop((b, a), None)
        self.wake.send(b".")

    def reset(self, a, b, reset=True):
        """Breaks what is there; the next connection is welcome."""
        with self.lock:
            self._break(a, b, reset)

    def close(self):
        self.ending = True
        try:
            self.wake.send(b".")
        except OSError:
            pass  # it has seen for itself, and is gone
        self.thread.join(30)

    # ---- the thread ----

    def _break(self, a, b, reset):
        for flow in list(self.flows.values()):
            if set(flow.key) == {a, b} and flow.source in self.flows:
                self._drop(flow, reset)

    def _drop(self, flow, reset=False):
        other = self.flows.get(flow.sink)
        for one in (flow, other):
            if one is None:
                continue
            self.flows.pop(one.source, None)
            try:
                self.selector.unregister(one.source)
            except KeyError:
                pass
        for one in (flow, other):
            if one is None:
                continue
            try:
                if one.held:  # torn at any byte
                    one.sink.send(one.held[:self.random.randrange(len(one.held) + 1)])
                if reset:
                    one.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        for one in (flow, other):
            if one is not None:
                one.source.close()

    def _accept(self, listener, a, b, target):
        one, _ = listener.accept()
        if frozenset((a, b)) in self.cuts:
            one.close()
            return
        try:
            other = socket.create_connection(("127.0.0.1", target), 5)
        except OSError:
            one.close()
            return
        self.connections += 1
        for end in (one, other):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.flows[one] = Flow(one, other, (a, b))
        self.flows[other] = Flow(other, one, (b, a))
        for end in (one, other):
            self.selector.register(end, selectors.EVENT_READ, self.flows[end])

    def _read(self, flow):
        if self.modes.get(flow.key, "open") != "open" and len(flow.held) >= HOLD_MAX:
            return
        try:
            data = flow.source.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self._drop(flow, reset=True)
            return
        flow.held += data
        if not data:
            flow.eof = True
            self.selector.unregister(flow.source)
        self._write(flow)

    def _write(self, flow):
        mode = self.modes.get(flow.key, "open")
        some = {"open": len(flow.held), "stall": 0, "slice": 1, "rate": 300}[mode]
        try:
            if some and flow.held:
                sent = flow.sink.send(flow.held[:some])
                self.bytes += sent
                del flow.held[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._drop(flow, reset=True)
            return
        if flow.eof and not flow.held:
            self._drop(flow)

    def _run(self):
        last = 0.0
        while not self.ending:
            ready = self.selector.select(0.01)
            with self.lock:
                for key, _ in ready:
                    if key.data is None:
                        key.fileobj.recv(4096)
                    elif isinstance(key.data, Flow):
                        if key.data.source in self.flows:
                            self._read(key.data)
                    else:
                        try:
                            self._accept(key.fileobj, *key.data)
                        except OSError:
                            pass
                now = time.monotonic()
                for flow in list(self.flows.values()):
                    if flow.source not in self.flows or not (flow.held or flow.eof):
                        continue
                    mode = self.modes.get(flow.key, "open")
                    if mode == "slice":
                        for _ in range(20):
                            if flow.source in self.flows and flow.held:
                                self._write(flow)
                    elif mode == "open" or (mode == "rate" and now - last >= 0.01):
                        self._write(flow)
                last = now
        with self.lock:
            for flow in list(self.flows.values()):
                if flow.source in self.flows:
                    self._drop(flow)
            for listener in self.listeners:
                listener.close()
            self.selector.close()
