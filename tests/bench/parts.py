# SPDX-License-Identifier: MIT
"""The parts of the benchmark: what each starts, what it measures, and the targets it is held against.

Every part is a function that takes the Bench (see run) and fills a report.Part. Subjects of a table are
measured one after the other and that k times over (A B C A B C ...), each in a fresh process, with nothing
else running, so that what the machine does to one it does to all."""
import os
import socket
import subprocess
import threading
import time

from machine import Failed, at_rest, cpu_ns, rss_bytes
from report import Part, ratios
from subjects import (FIVE, FIVE_LINKS, HERE, OBSERVER, PYTHON, ROW, ROW_LINKS, SILENT_PEERS, STAR_LINKS,
                      Running, farthest, four_regular)

PARTS = {}  # name: (function, base subject of the ratios)


def part(name, base=None):
    def register(function):
        PARTS[name] = (function, base)
        return function

    return register


def ask(port, line, end=b"\n"):
    """One command on a connection of its own, its reply up to `end`."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(line)
        got = b""
        while end not in got:
            more = client.recv(65536)
            if not more:
                raise Failed(f"port {port} closed the connection instead of answering {line!r}")
            got += more
        return got


def id_of(number, length=28):
    return b"vehicle-%07d%b" % (number, b".test" if length == 20 else b".herd.example")


def told(port, number, length=28):
    """The AT line a server tells of a client, or None if it does not know it."""
    line = ask(port, b"WHATSAT %b 1 0\n" % id_of(number, length)).split(b"\n", 1)[0]
    return line if line.startswith(b"AT ") else None


def converge(running, numbers, length=28, patience_s=60):
    """Waits until every server of a herd tells the same of these clients; fails if they do not."""
    give_up = time.monotonic() + patience_s
    while True:
        lines = [[told(process.port, number, length) for number in numbers] for process in running.processes]
        if lines[0].count(None) == 0 and lines.count(lines[0]) == len(lines):
            return
        if time.monotonic() > give_up:
            raise Failed("the herd does not agree on what it was told")
        time.sleep(0.05)


def usable(bench, found, subjects):
    """Those that this machine has; the others are said to be skipped."""
    there = []
    for subject in subjects:
        why = bench.subjects.missing(subject)
        if why:
            found.skip(subject, why)
        else:
            there.append(subject)
    return there


def single_sweep(bench, found, subjects, points, repetitions=None):
    """Single servers under IAMAT or what corresponds to it. points: (x, options of load)."""
    there = usable(bench, found, subjects)
    for _ in range(repetitions or bench.repetitions):
        for subject in there:
            running, mode = bench.subjects.single(subject)
            try:
                bench.load(running, mode, fill=True, count=0, ids=points[0][1].get("ids", bench.ids))
                for x, options in points:
                    if subject == "herd-log":
                        bench.subjects.rotate(running)
                    run = bench.load(running, mode, **options)
                    found.add(subject, x, run["cpu_ns_per_request"], run)
            finally:
                bench.subjects.stop(running)


def count_for(bench, depth, speed=1.0):
    """Enough requests for a steady figure and few enough to wait for."""
    count = {1: 150_000, 2: 200_000, 4: 300_000, 8: 400_000, 16: 600_000}.get(depth, 1_500_000)
    return max(1000, int(count * speed * (0.4 if bench.quick else 1)))


def depth_points(bench, depths, speed=1.0):
    return [(depth, {"depth": depth, "count": count_for(bench, depth, speed), "ms": 5000,
                     "warm": count_for(bench, depth, speed) // 10}) for depth in depths]


@part("iamat", base="libevent")
def iamat(bench):
    found = Part("iamat", "server CPU of an IAMAT (or the same data in another protocol) against requests in flight",
                 "in flight", "CPU ns/request")
    depths = [1, 128] if bench.quick else [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] if bench.full else [1, 16, 128]
    single_sweep(bench, found, ["epoll", "libevent", "herd", "herd-log", "herd-log-full", "redis-set", "redis-geoadd",
                                "memcached"], depth_points(bench, depths))
    found.ratio_target("IAMAT, 128 in flight, log off / libevent floor", "herd", "libevent", 128, at_most=0.8)
    found.ratio_target("IAMAT, 128 in flight, log on / libevent floor", "herd-log", "libevent", 128, at_most=1.5)
    p99 = {subject: [run["latency_ns"]["p99"] for run in found.rows[subject, 128]["runs"]]
           for subject in ("herd-log", "herd-log-full") if (subject, 128) in found.rows}
    found.target("p99, 128 in flight, log not emptied / log on", len(p99) == 2 and ratios(*reversed(p99.values())),
                 at_most=1.2)
    found.ratio_target("IAMAT, 1 in flight, log off / libevent floor", "herd", "libevent", 1, at_most=1.1)
    found.ratio_target("Redis SET / IAMAT, 128 in flight", "redis-set", "herd", 128, at_least=3)
    found.ratio_target("Redis GEOADD / IAMAT, 128 in flight", "redis-geoadd", "herd", 128, at_least=12)
    return found


@part("languages", base="herd")
def languages(bench):
    found = Part("languages", "the same single server in C, Python, Node.js and Java, nothing logged", "in flight",
                 "CPU ns/request")
    depths = [1, 128] if bench.quick else [1, 16, 128]
    points = depth_points(bench, depths, 0.3)
    for _, options in points:  # the compilers of Node.js and Java need to see the code run for a while
        options["warm"] = 60_000
    single_sweep(bench, found, ["libevent", "herd", "asyncio", "node", "java"], points)
    found.note("60 000 requests of warm-up before each figure, for the just-in-time compilers")
    return found


@part("herd", base="herd5")
def herd(bench):
    found = Part("herd", "CPU of all five processes for an update told to one of them, until all five know it",
                 "in flight", "CPU ns/update")
    slow = {"asyncio5-per-message": (2000, 4000), "asyncio5": (2000, 20_000), "node5": (2000, 100_000),
            "java5": (2000, 100_000)}
    subjects = ["herd5", "herd5-star", "redis5", "asyncio5-per-message", "asyncio5", "node5", "java5"]
    there = usable(bench, found, subjects)
    for _ in range(bench.repetitions):
        for subject in there:
            if subject == "redis5":
                running, mode = bench.subjects.redis(replicas=4), "redis-set"
            else:
                kind = "herd" if subject.startswith("herd") else subject.replace("5", "")
                links = STAR_LINKS if subject == "herd5-star" else FIVE_LINKS
                running, mode = bench.subjects.herd(kind, FIVE, links), "iamat"
            try:
                ids, most = slow.get(subject, (bench.ids, 10**9))
                bench.settle(running)
                bench.load(running, mode, fill=True, count=0, ids=ids, settle=True)
                for depth in (1, 128):
                    count = min(most, count_for(bench, depth, 0.4))
                    warm = 30_000 if subject in ("node5", "java5") else count // 10
                    run = bench.load(running, mode, depth=depth, count=count, ids=ids, warm=warm, settle=True)
                    found.add(subject, depth, run["cpu_ns_per_request"], run)
                if mode == "iamat":
                    converge(running, range(0, ids, ids // 20))
                else:
                    replicas_agree(running)
            finally:
                bench.subjects.stop(running)
    found.note(f"{bench.ids} ids for C and Redis, 2000 for the others, whose cost does not hang on them; 30 000 "
               "updates of warm-up for the just-in-time compilers of Node.js and Java")
    redis, asyncio = found.values("redis5", 128), found.values("asyncio5-per-message", 128)
    mine = found.values("herd5", 128)
    found.target("five herd-servers / Redis primary + 4 replicas, 128 in flight",
                 ratios(mine, redis) if mine and redis else None, at_most=0.28)
    found.ratio_target("the same where one is linked with four, as Redis with its replicas", "herd5-star", "redis5", 128,
                       at_most=0.28)
    found.target("five asyncio servers (a connection a message) / five herd-servers",
                 ratios(asyncio, mine) if mine and asyncio else None, at_least=1000)
    found.ratio_target("five asyncio servers (kept connections) / five herd-servers", "asyncio5", "herd5", 128,
                       at_least=1000)
    return found


def replicas_agree(running):
    """Every replica holds what the primary holds."""
    sizes = [ask(process.port, b"DBSIZE\r\n") for process in running.processes]
    key = b"GET %b\r\n" % id_of(77)
    values = [ask(process.port, key, b"\r\n") for process in running.processes]
    if sizes.count(sizes[0]) != len(sizes) or values.count(values[0]) != len(values):
        raise Failed(f"the replicas differ from the primary: {sizes}")


@part("duplicates")
def duplicates(bench):
    found = Part("duplicates", "server CPU of an AT line from a neighbour: news, its copy from another, and late copies", None,
                 "CPU ns/line")
    why = bench.subjects.missing("herd")
    if why:
        found.skip("herd", why)
    for _ in range(0 if why else bench.repetitions):
        kind = bench.herd_kind
        others = [OBSERVER, OBSERVER + "2"]
        running = bench.subjects.herd(kind, ["Riley"], [["Riley", name] for name in others], absent=others,
                                      limits=SILENT_PEERS)
        try:
            links = [word for name in others
                     for word in ("--link", bench.subjects.link_spec(running, "Riley", name))]
            run = bench.tool("bench-flood", *links, "--pid", running.pids[0], "--ids", bench.ids, "--count", 200_000 if bench.quick else 1_000_000)
            found.add("a fresh line", None, run["fresh_cpu_ns"])
            found.add("a duplicate line", None, run["duplicate_cpu_ns"])
            found.add("a late copy", None, run["late_cpu_ns"])
        finally:
            bench.subjects.stop(running)
    found.note("a server with two neighbours, the least with which copies come about: a fresh line is told to the other "
               "one; its copy comes 8 000 lines later; a late copy a million, when most records are newer")
    found.ratio_target("a duplicate AT line / a fresh one", "a duplicate line", "a fresh line", at_most=0.5)
    return found


@part("memory", base="redis-set")
def memory(bench):
    found = Part("memory", "resident bytes a record of 20-byte id, place and time: growth of the whole process",
                 "records", "bytes/record")
    sizes = [100_000] if bench.quick else [10_000, 100_000, 1_000_000]
    there = usable(bench, found, ["herd", "redis-set", "memcached"])
    for _ in range(1 if bench.quick else min(2, bench.repetitions)):
        for subject in there:
            for size in sizes:
                running, mode = bench.subjects.single(subject)
                try:
                    before = rss_bytes(running.pids[0])
                    bench.load(running, mode, fill=True, count=0, ids=size, id_bytes=20)
                    at_rest(running.pids)
                    found.add(subject, size, (rss_bytes(running.pids[0]) - before) / size)
                finally:
                    bench.subjects.stop(running)
    found.ratio_target(f"memory a record at {sizes[-1]:,} records / Redis", "herd", "redis-set", sizes[-1],
                       at_most=0.65, stretch=0.5)
    found.target(f"memory a record at {sizes[-1]:,} records, bytes", found.values("herd", sizes[-1]), at_most=80)
    if sizes[-1] != 1_000_000:
        found.note("the target is for 1 000 000 records: run without --quick")
    return found


@part("ids", base="libevent")
def ids(bench):
    found = Part("ids", "server CPU of an IAMAT, 128 in flight, against the number of clients known", "ids",
                 "CPU ns/request")
    sizes = [1000, 10_000, 100_000, 1_000_000] + ([] if bench.quick else [10_000_000])
    for subject in usable(bench, found, ["libevent", "herd", "redis-set"]):
        for size in sizes:
            single_sweep(bench, found, [subject], [(size, {
                "depth": 128, "ids": size, "count": count_for(bench, 128), "warm": count_for(bench, 128) // 5})],
                repetitions=1 if size >= 1_000_000 else bench.repetitions)
    small, large = found.values("herd", 10_000), found.values("herd", sizes[-1])
    found.target(f"cost at {sizes[-1]:,} ids / at 10,000",
                 ratios(large, small) if small and large else None, at_most=3)
    return found


@part("idle", base="libevent")
def idle(bench):
    found = Part("idle", "resident bytes of a client connection: opened, and after one request", None,
                 "bytes/connection")
    count = 2000 if bench.quick else 10_000
    there = usable(bench, found, ["libevent", "herd", "redis-set"])
    for _ in range(bench.repetitions):
        for subject in there:
            running, mode = bench.subjects.single(subject)
            clients = []
            try:
                line = b"IAMAT idle.example +34.068930-118.445127 1621464827.5\n"
                if mode == "redis-set":
                    line = b"PING\r\n"
                ask(running.port, line)
                at_rest(running.pids)
                before = rss_bytes(running.pids[0])
                for _ in range(count):
                    clients.append(socket.create_connection(("127.0.0.1", running.port), timeout=20))
                clients[-1].sendall(line)
                clients[-1].recv(4096)
                at_rest(running.pids)
                found.add(subject, "opened", (rss_bytes(running.pids[0]) - before) / count)
                for client in clients:
                    client.sendall(line)
                    client.recv(4096)
                at_rest(running.pids)
                found.add(subject, "after a request", (rss_bytes(running.pids[0]) - before) / count)
            finally:
                for client in clients:
                    client.close()
                bench.subjects.stop(running)
    found.x_name = "state"
    found.note(f"{count:,} connections; what the kernel keeps for a socket is not in it")
    found.ratio_target("an idle client connection / libevent floor", "herd", "libevent", "opened", at_most=1.2)
    return found


@part("propagation", base="relays")
def propagation(bench):
    found = Part("propagation", "from IAMAT on one server to the farthest of five telling a neighbour, idle herd", None,
                 "p50 ns")
    last, hops = farthest(FIVE, FIVE_LINKS, FIVE[0])
    reports = 500 if bench.quick else 2000
    subjects = ["relays", "flooders", "herd-row", "herd5", "asyncio5", "node5", "java5"]
    there = usable(bench, found, subjects)
    for _ in range(bench.repetitions):
        for subject in there:
            count = reports // 5 if subject in ("asyncio5", "node5", "java5") else reports
            warm = 3000 if subject == "java5" and not bench.quick else count // 5
            if subject in ("relays", "flooders"):
                out = bench.ports()
                running = getattr(bench.subjects, subject)(out)
                far = ["--out-listen", out]
            else:
                kind = bench.herd_kind if subject.startswith("herd") else subject.rstrip("5")
                names, links, end = (ROW, ROW_LINKS, ROW[-1]) if subject == "herd-row" else (FIVE, FIVE_LINKS, last)
                running = bench.subjects.herd(kind, names, [*links, [OBSERVER, end]], absent=[OBSERVER],
                                              limits=SILENT_PEERS if kind == "herd" else None)
                far = ["--out-link", bench.subjects.link_spec(running, end)]
                if kind != "herd" or bench.options.plain_links:
                    far = ["--out-listen", running.extra["ports"][OBSERVER]]
            try:
                bench.settle(running)
                run = bench.tool("bench-propagate", "--in", running.port, *far, "--count", count, "--warm", warm,
                                 "--time", bench.next_time())
                found.add(subject, None, run["latency_ns"]["p50"], run)
            finally:
                bench.subjects.stop(running)
    found.note(f"{FIVE[0]} to {last} is {hops} links; being told of it is one hop more than being known to it")
    found.ratio_target("farthest of five / three bare epoll relays, p50", "herd5", "relays", at_most=1.25)
    found.ratio_target("three herd-servers in a row / three bare epoll relays, p50", "herd-row", "relays", at_most=1.25)
    found.ratio_target("farthest of five / five bare epoll programs that flood, p50", "herd5", "flooders", at_most=1.25)
    return found


class Proxy:
    """A TCP relay between two servers that can be cut: how a link goes down and up while both stay alive."""

    def __init__(self, port, target):
        self.target, self.open, self.bytes, self.sockets = target, True, 0, []
        self.lock = threading.Lock()
        self.door = socket.create_server(("127.0.0.1", port))
        self.door.settimeout(0.1)
        self.closing = False
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while not self.closing:
            try:
                near, _ = self.door.accept()
            except OSError:
                continue
            with self.lock:
                allowed = self.open
            try:
                if not allowed:
                    raise OSError("cut")
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.sockets += [near, far]
            threading.Thread(target=self.pump, args=(near, far), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near), daemon=True).start()

    def pump(self, source, sink):
        try:
            while got := source.recv(65536):
                self.bytes += len(got)
                sink.sendall(got)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            self.open = False
            sockets, self.sockets = self.sockets, []
        for end in sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        with self.lock:
            self.bytes, self.open = 0, True

    def close(self):
        self.closing = True
        self.cut()
        self.door.close()


def linked_pair(bench, names, proxied):
    """Two servers, each with a configuration of its own; proxied: each finds the other behind a proxy."""
    subjects = bench.subjects
    own = {name: bench.ports() for name in names}
    seen = {name: bench.ports() if proxied else own[name] for name in names}
    proxies = [Proxy(seen[name], own[name]) for name in names] if proxied else []
    configs = {}
    for name, other in (names, reversed(names)):
        configs[name] = subjects.config(names, [list(names)], {name: own[name], other: seen[other]},
                                        limits={"redial_max_ms": 100}, name=name)
    return own, configs, proxies


@part("linkup")
def linkup(bench):
    found = Part("linkup", "CPU of each side when a link comes up between two servers that hold equal records",
                 "records", "CPU ms")
    why = bench.subjects.missing("herd")
    if why:
        found.skip("herd", why)
        found.target("link-up with 1,000,000 equal records, CPU ms of the busier side", None, at_most=5)
        return found
    names, records = ("Riley", "Jaquez"), 100_000 if bench.quick else 1_000_000
    own, configs, proxies = linked_pair(bench, names, True)
    running = Running([bench.subjects.launch(bench.subjects.command(bench.herd_kind, configs[name], name), name,
                                             own[name]) for name in names])
    try:
        for process in running.processes:
            process.wait_ready()
        bench.load(running, "iamat", fill=True, count=0, ids=records, id_bytes=20, settle=True)
        converge(running, range(0, records, records // 20), 20)
        busier = []
        for _ in range(max(3, bench.repetitions)):
            for proxy in proxies:
                proxy.cut()
            time.sleep(1)
            at_rest(running.pids)
            before = [cpu_ns(pid) for pid in running.pids]
            for proxy in proxies:
                proxy.mend()
            moved, quiet, give_up = 0, 0, time.monotonic() + 30
            while quiet < 10:  # half a second in which no byte moves, after some have
                if time.monotonic() > give_up:
                    raise Failed("the link does not come up again, or is never quiet")
                time.sleep(0.05)
                now = sum(proxy.bytes for proxy in proxies)
                quiet = quiet + 1 if now == moved and now > 0 else 0
                moved = now
            spent = [(cpu_ns(pid) - was) / 1e6 for pid, was in zip(running.pids, before)]
            for name, ms in zip(names, spent):
                found.add(name, records, ms)
            found.add("bytes over the link, both ways", records, moved)
            busier.append(max(spent))
    finally:
        bench.subjects.stop(running)
        for proxy in proxies:
            proxy.close()
    found.note("includes refused dials before and half a second of rest after: an upper bound")
    found.target(f"link-up with {records:,} equal records, CPU ms of the busier side", busier, at_most=5)
    if records != 1_000_000:
        found.note("the target is for 1 000 000 records: run without --quick")
    return found


RESYNC_LEAST_MS = 5  # of server CPU: with less, hardly any record was sent during the measurement


@part("resync", base="undisturbed")
def resync(bench):
    found = Part("resync", "p99 of IAMAT on a schedule, alone and while an empty neighbour takes all records",
                 None, "p99 ns")
    why = bench.subjects.missing("herd")
    if why:
        found.skip("herd", why)
        found.target("p99 while a neighbour takes 1,000,000 records / undisturbed", None, at_most=3)
        return found
    names, records, rate = ("Riley", "Jaquez"), 1_000_000, 5_000
    ratio, found.others_expected = [], True
    for _ in range(bench.repetitions):
        own, configs, _ = linked_pair(bench, names, False)
        running = Running([bench.subjects.launch(
            bench.subjects.command(bench.herd_kind, configs["Riley"], "Riley"), "Riley", own["Riley"])])
        try:
            running.processes[0].wait_ready()
            bench.load(running, "iamat", fill=True, count=0, ids=records)
            # How long the neighbour takes, without load, so that the load can last as long.
            second = empty_neighbour(bench, own, configs)
            began = time.monotonic()
            first_ms = int((filled(second, own["Riley"], records) - began) * 1000)
            took_ms = max(200, int((time.monotonic() - began) * 1000))
            bench.subjects.stop(second)
            time.sleep(0.3)
            # Ahead of the neighbour on their CPU, or the latency would be of their taking turns.
            load = {"policy": os.SCHED_FIFO, "rate": rate, "warm": 100, "count": rate * took_ms // 1000 // 50 * 50,
                    "ids": records}
            alone = bench.load(running, "iamat", **(load | {"count": 4 * load["count"]}))
            second = empty_neighbour(bench, own, configs, wait=False)
            disturbed = bench.load(running, "iamat", **load)
            second.processes[0].wait_ready()
            filled(second, own["Riley"], records)
            bench.subjects.stop(second)
            found.add("undisturbed", None, alone["latency_ns"]["p99"], alone)
            found.add("while a neighbour takes all records", None, disturbed["latency_ns"]["p99"], disturbed)
            extra_ms = (disturbed["cpu_ns"] - alone["cpu_ns"] / 4) / 1e6
            if extra_ms > RESYNC_LEAST_MS:
                ratio.append(disturbed["latency_ns"]["p99"] / alone["latency_ns"]["p99"])
            else:
                found.note("a repetition does not count: the machine was too busy for the neighbour to run")
            found.note(f"without load the neighbour took {took_ms} ms for {records:,} records, {first_ms} ms of it "
                       "before the first; the load lasted as long (alone: four times), and meanwhile the "
                       f"neighbour (and strangers) used {disturbed['others_busy']:.0%} of a core, the server {extra_ms:.0f} ms "
                       "more")
        finally:
            bench.subjects.stop(running)
    found.note(f"50 connections, {rate:,} requests a second on a schedule, latency from when each was due; the "
               "neighbour shares the CPU of the generator, which goes first")
    found.target(f"p99 while a neighbour takes {records:,} records / undisturbed", ratio, at_most=3)
    return found


def empty_neighbour(bench, own, configs, wait=True):
    process = bench.subjects.launch(bench.subjects.command(bench.herd_kind, configs["Jaquez"], "Jaquez"), "Jaquez",
                                    own["Jaquez"], cpu=bench.options.load_cpu, policy=os.SCHED_IDLE)
    if wait:
        process.wait_ready()
    return Running([process])


def filled(second, first_port, records):
    """Waits until the second server tells what the first does of clients all over the id space; returns when
    it first knew one of them."""
    give_up, first = time.monotonic() + 120, None
    waiting = list(range(0, records, records // 50))
    while waiting:
        if time.monotonic() > give_up:
            raise Failed("the neighbour does not get all records")
        left = [number for number in waiting if told(second.port, number) != told(first_port, number)]
        if first is None and len(left) < len(waiting):
            first = time.monotonic()
        waiting = left
        time.sleep(0.005)
    return first


@part("neighbours")
def neighbours(bench):
    found = Part("neighbours", "CPU of one server for an IAMAT, 128 in flight, against how many neighbours take it",
                 "neighbours", "CPU ns/request")
    why = bench.subjects.missing("herd")
    if why:
        found.skip("herd", why)
        return found
    counts = [0, 1, 4, 16] if bench.quick else [0, 1, 2, 4, 8, 16, 32, 64]
    for _ in range(bench.repetitions):
        for count in counts:
            names = [f"{OBSERVER}{i:02}" for i in range(count)]
            running = bench.subjects.herd(bench.herd_kind, ["Riley"], [["Riley", name] for name in names],
                                          absent=names, limits=SILENT_PEERS)
            try:
                links = [bench.subjects.link_spec(running, "Riley", name) for name in names]
                requests = count_for(bench, 128, 0.5) // max(1, count // 4)
                run = bench.load(running, "iamat", depth=128, fill=True, count=requests, warm=requests // 5,
                                 settle=True, links=links)
                found.add("herd", count, run["cpu_ns_per_request"], run)
            finally:
                bench.subjects.stop(running)
    return found


@part("connections", base="libevent")
def connections(bench):
    found = Part("connections", "server CPU of an IAMAT, 1 in flight a connection, against connections", "connections",
                 "CPU ns/request")
    counts = [1, 50, 1000] if bench.quick else [1, 10, 50, 100, 1000, 10_000]
    points = [(count, {"connections": count, "count": min(count_for(bench, 1), 20_000 * count), "warm": 2 * count,
                       "ms": 4000}) for count in counts]
    single_sweep(bench, found, ["epoll", "libevent", "herd", "redis-set"], points)
    return found


@part("size")
def size(bench):
    found = Part("size", "herds of more processes, each with four neighbours: CPU of all for an update, and the time "
                 "to the farthest", "processes", "CPU ns/update")
    why = bench.subjects.missing("herd")
    if why:
        found.skip("herd", why)
        return found
    for _ in range(bench.repetitions):
        for count in (5, 20) if bench.quick else (5, 20, 50):
            names, links = four_regular(count)
            last, hops = farthest(names, links, names[0])
            running = bench.subjects.herd(bench.herd_kind, names, [*links, [OBSERVER, last]], absent=[OBSERVER],
                                          limits=SILENT_PEERS)
            try:
                bench.settle(running)
                run = bench.load(running, "iamat", depth=16, fill=True, ids=2000, warm=2000,
                                 count=count_for(bench, 16, 0.5) // count, settle=True)
                found.add("herd", count, run["cpu_ns_per_request"], run)
                converge(running, range(0, 2000, 100))
                far = ["--out-link", bench.subjects.link_spec(running, last)]
                if bench.options.plain_links:
                    far = ["--out-listen", running.extra["ports"][OBSERVER]]
                run = bench.tool("bench-propagate", "--in", running.port, *far, "--count", 300, "--warm", 50,
                                 "--time", bench.next_time())
                found.add("p50 ns to the farthest", count, run["latency_ns"]["p50"])
                found.note(f"{count} processes: {len(links)} links, the farthest {hops} away")
            finally:
                bench.subjects.stop(running)
    return found


@part("core")
def core(bench):
    found = Part("core", "the core alone, without a socket, two neighbours linked: processor time of a line", "ids", "ns/line")
    for ids in (1000, 100_000) if bench.quick else (1000, 10_000, 100_000, 1_000_000):
        for _ in range(bench.repetitions):
            run = bench.tool("bench-core", ids, max(3, min(50, 1_000_000 // ids)), cpu=bench.options.server_cpu)
            for what in ("IAMAT", "AT, fresh", "AT, duplicate", "AT, late copy"):
                found.add(what, ids, run[what])
    found.note("a report is told to both neighbours, a fresh AT line to one, and that is in it; a duplicate comes 64 KiB "
               "of lines later, a late copy when every id has changed once since; the median of several passes")
    return found


@part("simulated")
def simulated(bench):
    found = Part("simulated", "the core alone, herds of up to 1000 nodes in one process, four neighbours each: lines told "
                 "for an update", "nodes", "lines/update")
    for nodes in (5, 20, 100) if bench.quick else (5, 10, 20, 50, 100, 200, 500, 1000):
        run = bench.tool("bench-scale", nodes, 1000, max(2000, min(20_000, 1_000_000 // nodes)),
                         cpu=bench.options.server_cpu)
        found.add("2E - V + 1", nodes, run["bound"])
        found.add("one update at a time", nodes, run["single"]["lines_per_update"])
        found.add("a thousand at once", nodes, run["burst"]["lines_per_update"])
        found.add("CPU ns for an update and node", nodes, run["single"]["cpu_ns_per_update_and_node"])
        found.note(f"{nodes} nodes, {run['links']} links: all know after {run['single']['rounds']} links in a row")
    return found


def peers_checked(bench, found_in):
    """Every compared server passes the protocol check before it is measured."""
    for kind in ("asyncio", "node", "java"):
        if bench.subjects.missing(kind):
            continue
        running = bench.subjects.herd(kind, FIVE, FIVE_LINKS)
        try:
            done = subprocess.run([PYTHON, os.path.join(HERE, "peers", "check.py"), str(running.port), "--far",
                                   str(running.by_name("Campbell").port), "--plain-at"], capture_output=True, text=True,
                                  timeout=60, check=False)
            if done.returncode != 0:
                raise Failed(f"{kind} does not speak the protocol:\n{done.stdout}")
            found_in[kind] = done.stdout.strip().splitlines()[-1]
        finally:
            bench.subjects.stop(running)
