# SPDX-License-Identifier: MIT
"""The parts about who is near: questions beside Redis on the same points, what keeping the index costs, and how long reports
wait while somebody asks for all that is around the densest place."""
import json
import os
import random
import socket
import threading

from machine import Failed
from parts import ask, part, usable
from report import Part
from lookups import rate_ratios

DENSEST = (34.05, -118.25)
AREA = {"area": True}


def places_written(bench, count, crowd=0):
    """Where each client is: spread over ten degrees by ten, and `crowd` of them within ten kilometres of one place."""
    lot = random.Random(1)
    path = os.path.join(bench.subjects.directory, f"near.{count}.{crowd}")
    with open(path, "w", encoding="ascii") as file:
        for i in range(count):
            if i < crowd:
                place = (DENSEST[0] + lot.gauss(0, 0.03), DENSEST[1] + lot.gauss(0, 0.03))
            else:
                place = (lot.uniform(30, 40), lot.uniform(-120, -110))
            file.write("%+010.6f%+011.6f\n" % place)
    return path


def found_by(subject, port, place):
    """How many clients one says are within 5 km."""
    if subject == "herd-near":
        return int(last_line(port, f"NEAR {place} 5 1000\n".encode()).split()[2])
    line = f"GEOSEARCH herd FROMLONLAT {place[10:]} {place[:10]} BYRADIUS 5 km ASC COUNT 1000 WITHDIST\r\n"
    return int(ask(port, line.encode(), b"\r\n").split(b"\r\n")[0][1:])


def last_line(port, line):
    """The NEAR END or NEAR MORE of an answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(line)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b"")).splitlines()[-1]


@part("near", base="redis-near")
def near(bench):
    count = 100_000 if bench.quick else 1_000_000
    found = Part("near", f"who is within 5 km of a client, of {count:,}, with distances, nearest first: the line NEAR "
                 "(whole AT lines), Redis GEOSEARCH (names)", "in flight", "CPU ns/question")
    there = usable(bench, found, ["herd-near", "redis-near"])
    places = places_written(bench, count)
    with open(places, encoding="ascii") as file:
        sample = file.read().split()[::max(1, count // 100)]
    results = {}
    for _ in range(bench.repetitions):
        for subject in there:
            if subject == "herd-near":
                running, fill, mode = bench.subjects.herd(limits={"near_line": 1}, more=AREA), "iamat", "near"
            else:
                running, fill, mode = bench.subjects.redis(), "redis-geoadd", "redis-near"
            try:
                bench.load(running, fill, fill=True, count=0, ids=count, places=places)
                bench.settle(running)
                results.setdefault(subject, [found_by(subject, running.port, place) for place in sample])
                for depth in (1, 16):
                    run = bench.load(running, mode, depth=depth, connections=8, count=20_000 if bench.quick else 100_000,
                                     warm=500, ids=count, places=places, ms=1500 if bench.quick else 4000)
                    found.add(subject, depth, run["cpu_ns_per_request"], run)
            finally:
                bench.subjects.stop(running)
    if len(results) == 2:
        pairs = list(zip(*results.values()))
        near_enough = sum(abs(mine - theirs) <= 1 + theirs // 50 for mine, theirs in pairs)
        found.note(f"{sum(results['herd-near']) / len(pairs):.1f} clients in the mean; {near_enough} of {len(pairs)} places have "
                   "as many in both, within 2 % (their radii of the Earth differ by 0.03 %)")
        if near_enough < 0.95 * len(pairs):
            raise Failed(f"only {near_enough} of {len(pairs)} places have as many clients in both: {pairs[:10]}")
    for depth in (16, 1):
        found.target(f"NEAR / Redis GEOSEARCH WITHDIST, 5 km, {depth} in flight, questions a second",
                     rate_ratios(found, "herd-near", "redis-near", depth), at_least=3)
    return found


@part("near-index")
def near_index(bench):
    count = 100_000 if bench.quick else 1_000_000
    found = Part("near-index", f"an area of {count:,} clients, in the process alone: a client that moved a few hundred metres, and "
                 "who is within 5 km", None, "CPU ns")
    runs = []
    for _ in range(bench.repetitions):
        run = json.loads(bench.program(os.path.join(bench.options.tools, "bench-area"), count, 3 if bench.quick else 9,
                                       cpu=bench.options.server_cpu))
        found.add("an update", None, run["update_ns"])
        found.add("a question", None, run["question_ns"])
        runs.append(run)
    found.note(f"{runs[-1]['hits']:.1f} clients are found in the mean")
    found.target("keeping the index, ns of CPU an update", [run["update_ns"] for run in runs], at_most=60)
    found.target("the index, bytes a client", [run["bytes_per_client"] for run in runs], at_most=24)
    return found


class Asker(threading.Thread):
    """Asks for everybody within 50 km of the densest place, again and again, on one connection."""

    def __init__(self, port, cpu):
        super().__init__(daemon=True)
        self.cpu = cpu
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.line = b"NEAR %+010.6f%+011.6f 50 1000\n" % DENSEST
        self.stop, self.answers, self.fault = False, 0, None
        self.start()

    def run(self):
        os.sched_setaffinity(0, {self.cpu})  # this thread; one that starves beside the server gets a share of its CPU
        file = self.socket.makefile("rb")
        while not self.stop:
            self.socket.sendall(self.line)
            for line in file:
                if line.startswith(b"NEAR MORE "):
                    break
                if not line.startswith(b"NEAR "):
                    self.fault = line
                    return
            self.answers += 1

    def end(self):
        self.stop = True
        self.join(60)
        self.socket.close()
        if self.fault or self.answers == 0:
            raise Failed(f"the one who asks for 50 km is told {self.fault}")
        return self.answers


@part("near-beside", base="undisturbed")
def near_beside(bench):
    count, crowd = (100_000, 20_000) if bench.quick else (1_000_000, 200_000)
    found = Part("near-beside", f"p99 of IAMAT on a schedule: alone, and while another client asks for 50 km around a place "
                 f"with {crowd:,} of {count:,} clients, without a pause", None, "p99 ns")
    if not usable(bench, found, ["herd"]):
        return found
    places = places_written(bench, count, crowd)
    rate, seconds = 500, 4 if bench.quick else 10
    load = {"policy": os.SCHED_FIFO, "rate": rate, "warm": 100, "count": rate * seconds, "ids": count, "places": places}
    beside, answers = [], 0
    for _ in range(bench.repetitions):
        # Not before all others: a server that never sleeps loses a twentieth of each second to them then, at a stretch.
        running = bench.subjects.herd(limits={"near_line": 1}, more=AREA)
        try:
            bench.load(running, "iamat", fill=True, count=0, ids=count, places=places)
            bench.settle(running)
            alone = bench.load(running, "iamat", **load)
            asker = Asker(running.port, bench.options.load_cpu)
            disturbed = bench.load(running, "iamat", **load)
            answers += asker.end()
        finally:
            bench.subjects.stop(running)
        found.add("undisturbed", None, alone["latency_ns"]["p99"], alone)
        found.add("beside 50 km", None, disturbed["latency_ns"]["p99"], disturbed)
        beside.append(disturbed["latency_ns"]["p99"] / alone["latency_ns"]["p99"])
    found.others_expected = True
    found.note(f"{answers / bench.repetitions / seconds:.0f} such answers a second, 1000 clients each")
    found.target("p99 beside questions of 50 km / undisturbed", beside, at_most=1.1)
    return found
