# SPDX-License-Identifier: MIT
"""The parts about a database beside a server: what writing a record costs both, how soon a server that begins with nothing
has a million, and how long reports wait while the database hangs, is slow, or is gone. The databases are started for this,
on Unix sockets in folders of their own."""
import os
import subprocess
import sys
import threading
import time
import urllib.request

from machine import Failed, at_rest, child_setup, cpu_ns
from parts import part, usable
from report import Part, three
from subjects import HERE, LABELS

sys.path.append(os.path.join(HERE, "..", "system"))
os.environ.setdefault("HERD_ADAPTERS", "postgres redis")  # what was built is looked at below
import database  # noqa: E402

NAMES = {"postgres": "PostgreSQL", "redis": "Redis"}
WRITTEN_S = 300
WARM_S = 120
LOOK_S = 0.5  # a look costs the server about 0.1 ms
TICKS = os.sysconf("SC_CLK_TCK")
SLOW_S = 0.09, 0.01  # stopped for so long, then going on for so long

LABELS.update({f"{what}-{kind}": text.format(name) for kind, name in NAMES.items() for what, text in (
    ("herd", "herd-server beside {}"), ("written", "of that, for a record written to {}"), ("itself", "{} itself"),
    ("start", "from the start of the server, {}"), ("reading", "of that, reading from {}"), ("there", "beside {}"),
    ("hangs", "{} hangs"), ("slow", "{} is slow"), ("gone", "{} is gone"))})


class Pinned:
    """What the benchmark changes of databases of the tests: they run on the CPU of generators, end with the run, and are
    as safe against crashes as they come: PostgreSQL writes to the disk, Redis does not."""

    def __init__(self, bench):
        self.bench = bench
        try:
            super().__init__()
        except BaseException:
            if hasattr(self, "process"):
                self.close()
            raise

    def launch(self, *command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=self.directory,
                                        preexec_fn=child_setup(self.bench.options.load_cpu), **options)

    def cpu_ns(self):
        """CPU time of its processes, of those too that have ended."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(map(cpu_ns, self.pids())) + (int(fields[13]) + int(fields[14])) * 10**9 // TICKS

    def beside(self, **members):
        """What is added to the configuration of a server."""
        return {"database": {**self.section(**{"flush_ms": 1000, **members}), "library": adapter(self.bench, self.kind)}}


class Redis(Pinned, database.Redis):
    def start(self):
        self.launch(self.program, "--port", "0", "--unixsocket", self.socket, "--dir", self.directory, "--save", "",
                    "--appendonly", "no")
        database.wait_for(lambda: os.path.exists(self.socket) and self.answers(), "Redis starts")


class Postgres(Pinned, database.Postgres):
    def start(self):
        self.launch(f"{self.bin}/postgres", "-D", self.directory + "/data", "-k", self.directory, "-c",
                    "listen_addresses=", user=self.user)
        database.wait_for(lambda: self.psql("SELECT 1").returncode == 0, "PostgreSQL starts")


def adapter(bench, kind):
    return os.path.join(os.path.abspath(bench.options.build), "lib", "database", kind, f"libherd-{kind}.so.0.1")


def there(bench, found):
    """The databases that this machine has; the others are said to be skipped."""
    kinds = []
    for kind in (Postgres, Redis) if usable(bench, found, ["herd"]) else ():
        why = kind.missing() or (None if os.path.exists(adapter(bench, kind.kind)) else
                                 f"built without libherd-{kind.kind}")
        if why:
            found.skip(NAMES[kind.kind], why)
        else:
            kinds.append(kind)
    return kinds


def metrics(running):
    """What the server says of itself: name, and labels, to value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{running.extra['http']['Riley']}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def until(running, condition, what, patience_s, pause_s):
    """Looks at the server's figures until they are as they should be: these."""
    give_up = time.monotonic() + patience_s
    while True:
        figures = metrics(running)
        if condition(figures):
            return figures
        if time.monotonic() > give_up:
            raise Failed(f"not within {patience_s} s: {what}")
        time.sleep(pause_s)


def server(bench, more=None, policy=None):
    running = bench.subjects.herd(http=True, more=more, policy=policy)
    if more:
        until(running, lambda now: now["herd_database_connected"] == 1, "the server has its database", 30, 0.05)
    at_rest(running.pids)
    return running


def filled(bench, running, count):
    """Reports each client once: CPU ns of the server, until all of them are written where a database is."""
    pid, wanted = running.pids[0], metrics(running).get("herd_database_written_total", None)
    before = cpu_ns(pid)
    bench.load(running, "iamat", fill=True, count=0, ids=count, depth=128)
    if wanted is not None:
        wanted += count
        done = until(running, lambda now: now["herd_database_written_total"] >= wanted
                     and now["herd_database_pending"] == 0, "all records are written", WRITTEN_S, LOOK_S)
        if done["herd_database_written_total"] != wanted or done["herd_database_failures_total"]:
            raise Failed("a record was written twice, or a batch failed")
    at_rest(running.pids)
    return cpu_ns(pid) - before


def paced_lag_ms(bench, running, count):
    """The longest lag of the loop while reports come one by one and are written: what a turn does for the database is what is
    long in it. In a flood 6 400 reports at once are."""
    before = metrics(running)
    bench.load(running, "iamat", rate=20_000, count=20_000 * (2 if bench.quick else 10), ids=count, policy=os.SCHED_FIFO)
    return longest_lag_ms(before, metrics(running))


def longest_lag_ms(before, after):
    """The upper bound of the bucket of the longest lag of the loop between two looks at it."""
    buckets = [(float(name.split('le="')[1].split('"')[0]), after[name] - before.get(name, 0))
               for name in after if name.startswith("herd_loop_lag_seconds_bucket")]
    total = max(count for _, count in buckets)
    return min(bound for bound, count in buckets if count == total) * 1000


@part("database-write", base="herd")
def write(bench):
    count = 100_000 if bench.quick else 1_000_000
    found = Part("database-write", f"CPU of {count:,} reports of as many clients, 128 in flight a connection, without a "
                 "database and until all of them are written to one", "clients", "CPU ns/record")
    kinds, lag = there(bench, found), {}
    policy = os.SCHED_FIFO
    for _ in range(bench.repetitions if kinds else 0):
        alone = {}
        running = server(bench, policy=policy)
        try:
            for x in ("new", "known"):
                alone[x] = filled(bench, running, count) / count
                found.add("herd", x, alone[x])
            lag.setdefault("none", []).append(paced_lag_ms(bench, running, count))
        finally:
            bench.subjects.stop(running)
        for kind in kinds:
            one = kind(bench)
            running = None
            try:
                running = server(bench, one.beside(), policy)
                for x in ("new", "known"):
                    itself, since = one.cpu_ns(), time.monotonic()
                    spent = filled(bench, running, count) / count
                    rate = {"throughput": count / (time.monotonic() - since)}
                    found.add(f"herd-{kind.kind}", x, spent, rate)
                    found.add(f"written-{kind.kind}", x, spent - alone[x])
                    found.add(f"itself-{kind.kind}", x, (one.cpu_ns() - itself) / count)
                lag.setdefault(kind.kind, []).append(paced_lag_ms(bench, running, count))
            finally:
                if running:
                    bench.subjects.stop(running)
                one.close()
    found.others_expected = True
    found.note("one client a record; a database has the CPU of the generator, and does not go before strangers there, as "
               "the server does on its own; PostgreSQL as it comes, with writes that wait for the disk, Redis without any")
    found.note("requests/s: records a second from the first report to the last acknowledgement")
    found.note("the lag of the loop is how late a timer came, twice a second: the upper bound of a bucket, so not shorter "
               "than the longest that was seen, and one between two looks is not seen")
    if lag:
        found.note("the lag is of 20 000 reports a second on a schedule; without a database the longest was "
                   f"{three(lag['none'])} ms")
    for kind, most in (("postgres", 0.35), ("redis", 0.5)):
        for x in ("known", "new"):
            values = found.values(f"written-{kind}", x)
            found.target(f"CPU us of the server for a record to {NAMES[kind]}, {x} clients",
                         values and [ns / 1000 for ns in values], at_most=most)
        found.target(f"longest lag of the loop while it writes to {NAMES[kind]}, ms", lag.get(kind), at_most=1)
    return found


def warm_ms(bench):
    """How long the server itself says that reading took."""
    give_up, done = time.monotonic() + 30, []
    while not done:
        if time.monotonic() > give_up:
            raise Failed("the log does not tell of a warm start")
        time.sleep(0.1)
        with open(os.path.join(bench.subjects.directory, "Riley.log"), encoding="utf-8") as log:
            done = [line for line in log if "warm_start_done" in line and line.endswith("\n")]
    words = dict(word.split("=", 1) for word in done[0].split() if "=" in word)
    if words["invalid"] != "0":
        raise Failed(f"the database has what the server does not take: {done[0]}")
    return float(words["ms"])


@part("database-warm")
def warm(bench):
    count = 100_000 if bench.quick else 1_000_000
    found = Part("database-warm", f"seconds until a server that begins with nothing has {count:,} records of a database",
                 None, "seconds")
    kinds, lag = there(bench, found), {}
    policy = os.SCHED_FIFO
    for kind in kinds:
        one = kind(bench)
        try:
            running = server(bench, one.beside(), policy)
            try:
                filled(bench, running, count)
            finally:
                bench.subjects.stop(running)
            for _ in range(bench.repetitions):
                began = time.monotonic()
                running = bench.subjects.herd(http=True, more=one.beside(warm_start=True), policy=policy)
                try:
                    first = metrics(running)
                    until(running, lambda now: now["herd_database_warm_taken_total"] >= count, "all records are read",
                          WARM_S, 0.02)
                    found.add(f"start-{kind.kind}", None, time.monotonic() - began)
                    at_rest(running.pids)
                    found.add(f"reading-{kind.kind}", None, warm_ms(bench) / 1000)
                    lag.setdefault(kind.kind, []).append(longest_lag_ms(first, metrics(running)))
                finally:
                    bench.subjects.stop(running)
        finally:
            one.close()
    found.note("a server without neighbours reads at once; what is not in the time of reading, which is its own log's, is its "
               "start, the connection, and a look at its figures")
    for kind in ("postgres", "redis"):
        found.target(f"seconds of reading {count:,} records from {NAMES[kind]}", found.values(f"reading-{kind}"), at_most=3)
        found.target(f"longest lag of the loop meanwhile, {NAMES[kind]}, ms", lag.get(kind), at_most=1)
    return found


class Slow:
    """A database that stands still nine tenths of the time."""

    def __init__(self, one):
        self.one, self.ends = one, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ends.is_set():
            self.one.hang()
            self.ends.wait(SLOW_S[0])
            self.one.go_on()
            time.sleep(SLOW_S[1])

    def end(self):
        self.ends.set()
        self.thread.join()


def disturbed(bench, one, alone, load):
    """p99 of a server alone, beside a database that is there, is slow, hangs and is gone, and alone again."""
    runs = {"undisturbed": bench.load(alone, "iamat", **load)}
    running = server(bench, one.beside(), os.SCHED_FIFO)
    try:
        bench.load(running, "iamat", fill=True, count=0)
        runs["there"] = bench.load(running, "iamat", **load)
        slow = Slow(one)
        try:
            runs["slow"] = bench.load(running, "iamat", **load)
        finally:
            slow.end()
        one.hang()
        before = metrics(running)["herd_database_written_total"]
        runs["hangs"] = bench.load(running, "iamat", **load)
        now = metrics(running)
        if now["herd_database_written_total"] != before or now["herd_database_pending"] == 0:
            raise Failed("the database does not hang")
        one.kill()
        until(running, lambda now: now["herd_database_connected"] == 0, "the server sees that its database is gone", 30, 0.1)
        runs["gone"] = bench.load(running, "iamat", **load)
    finally:
        bench.subjects.stop(running)
    runs["again"] = bench.load(alone, "iamat", **load)
    return runs


@part("database-hanging", base="undisturbed")
def hanging(bench):
    rate, seconds = 5000, 3 if bench.quick else 12  # longer than the 10 s that a batch may take
    found = Part("database-hanging", f"p99 of IAMAT, {rate:,} a second on a schedule, of a server without a database and "
                 "beside one that is there, stands still nine tenths of the time, hangs (SIGSTOP), is gone (SIGKILL)", None,
                 "p99 ns")
    kinds, ratio = there(bench, found), {}
    load = {"policy": os.SCHED_FIFO, "rate": rate, "warm": 500, "count": rate * seconds}
    for _ in range(bench.repetitions if kinds else 0):
        alone = server(bench, policy=os.SCHED_FIFO)
        try:
            bench.load(alone, "iamat", fill=True, count=0)
            for kind in kinds:
                one = kind(bench)
                try:
                    runs = disturbed(bench, one, alone, load)
                finally:
                    one.close()
                p99 = {what: run["latency_ns"]["p99"] for what, run in runs.items()}
                found.add("undisturbed", None, p99["undisturbed"], runs["undisturbed"])
                for what in ("there", "slow", "hangs", "gone"):
                    found.add(f"{what}-{kind.kind}", None, p99[what], runs[what])
                    ratio.setdefault((kind.kind, what), []).append(2 * p99[what] / (p99["undisturbed"] + p99["again"]))
                found.add("undisturbed again", None, p99["again"], runs["again"])
        finally:
            bench.subjects.stop(alone)
    found.others_expected = True
    found.note("50 connections, latency from when each was due; server and generator go before strangers on their CPUs, the "
               "database has the generator's; targets are of the mean of before and after, and what those two differ by is "
               "this machine's noise")
    for kind, name in NAMES.items():
        for what, text in (("hangs", "hangs"), ("slow", "is slow"), ("gone", "is gone")):
            found.target(f"p99 while {name} {text} / without a database", ratio.get((kind, what)), at_most=1.1)
    return found
