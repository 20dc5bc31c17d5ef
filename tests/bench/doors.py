# SPDX-License-Identifier: MIT
"""The parts about HTTP: a phone's report beside an epoll loop and libevent's HTTP server that parse the same JSON, memory of
idle connections, what an event costs for each viewer, and how long lines wait beside viewers and a flood of reports."""
import json
import os
import re
import socket
import subprocess
import time

from machine import Failed, at_rest, child_setup, cpu_ns, rss_bytes
from parts import ask, part, usable
from report import Part, ratios
from subjects import HERE

CONNECTIONS = 32
VIEWERS = 1000
FLOOD_CONNECTIONS = 100  # each posts a report a millisecond: about half of a CPU, viewers and all
FLOOD_DEVICES = 100  # of a thousand, a thousand viewers were due more than a gigabyte a second


def reports(bench, running, port, seconds, connections=CONNECTIONS, devices=1000, delay_ms=None):
    """Begins a flood of an OwnTracks app's reports by wrk."""
    environment = dict(os.environ, REPORT_TIME=str(bench.next_time() // 10**9), REPORT_DEVICES=str(devices))
    if delay_ms is not None:
        environment["REPORT_DELAY_MS"] = str(delay_ms)
    return subprocess.Popen(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s",
                             os.path.join(HERE, "report.lua"), f"http://127.0.0.1:{port}"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
                            preexec_fn=child_setup(bench.options.load_cpu))


def answered(flood):
    """How many reports of a flood were answered; fails unless all were, with 200."""
    told = flood.communicate(timeout=120)[0]
    found = re.search(r"(\d+) requests in", told)
    if flood.returncode != 0 or not found or int(found.group(1)) == 0 or "Non-2xx" in told or "Socket errors" in told:
        raise Failed(f"reports over HTTP are not taken:\n{told}")
    return int(found.group(1))


@part("http", base="report-evhttp")
def http(bench):
    found = Part("http", f"a report of OwnTracks over HTTP, {CONNECTIONS} connections: the JSON taken apart, and for "
                 "herd-server stored and told to whoever must know", None, "CPU ns/report")
    there = usable(bench, found, ["herd-http"])
    why = bench.subjects.missing("wrk")
    if why:
        found.skip("all", why)
        there = None
    for _ in range(0 if there is None else bench.repetitions):
        for subject in ("report-epoll", "report-evhttp", *there):
            if subject == "herd-http":
                running = bench.subjects.herd(http=True)
                port = running.extra["http"]["Riley"]
            else:
                running = bench.subjects.floor("report", subject.split("-")[1])
                port = running.port
            try:
                answered(reports(bench, running, port, 1))
                before = cpu_ns(running.pids[0])
                count = answered(reports(bench, running, port, 2 if bench.quick else 4))
                found.add(subject, None, (cpu_ns(running.pids[0]) - before) / count, {"throughput": count})
                if subject == "herd-http" and not ask(running.port, b"WHATSAT jane/77 1 0\n").startswith(b"AT Riley"):
                    raise Failed("a report by HTTP is not known by line")
            finally:
                bench.subjects.stop(running)
    found.ratio_target("a report by HTTP / epoll that parses the JSON", "herd-http", "report-epoll", at_most=1.3)
    found.ratio_target("a report by HTTP / evhttp that does the same", "herd-http", "report-evhttp", at_most=0.65)
    return found


@part("http-idle", base="line")
def http_idle(bench):
    found = Part("http-idle", "resident bytes of an idle connection after one request", None, "bytes/connection")
    count = 2000 if bench.quick else 10_000
    requests = {"line": b"IAMAT idle.example +34.068930-118.445127 1621464827.5\n",
                "http": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"}
    for _ in range(bench.repetitions if usable(bench, found, ["herd"]) else 0):
        for subject, request in requests.items():
            running, clients = bench.subjects.herd(http=True), []
            port = running.port if subject == "line" else running.extra["http"]["Riley"]
            try:
                ask(port, request)
                at_rest(running.pids)
                before = rss_bytes(running.pids[0])
                for _ in range(count):
                    clients.append(socket.create_connection(("127.0.0.1", port), timeout=20))
                    clients[-1].sendall(request)
                    clients[-1].recv(4096)
                at_rest(running.pids)
                found.add(subject, None, (rss_bytes(running.pids[0]) - before) / count)
            finally:
                for client in clients:
                    client.close()
                bench.subjects.stop(running)
    found.ratio_target("an idle HTTP connection / an idle line client", "http", "line", at_most=1.2)
    return found


class Viewers:
    """A thousand streams of events, taken by one process."""

    def __init__(self, bench, port):
        self.process = subprocess.Popen(
            [os.path.join(bench.options.tools, "bench-viewers"), "--cpu", str(bench.options.load_cpu), str(port),
             str(VIEWERS), "/v1/events"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=child_setup(bench.options.load_cpu))
        if self.process.stdout.readline() != "ready\n":
            raise Failed("the streams do not open")
        time.sleep(1)  # what they begin with has come

    def end(self):
        out = self.process.communicate("", timeout=60)[0]
        if self.process.returncode != 0:
            raise Failed("a stream ended early")
        return json.loads(out)


def p99(run):
    """Not until the generator reads it: viewers and flood have the generator's CPU, and the server is what is measured."""
    return run["answer_ns"]["p99"]


@part("http-viewers", base="undisturbed")
def http_viewers(bench):
    found = Part("http-viewers", f"p99 of IAMAT on a schedule, from its write until the kernel has its reply: alone, beside "
                 f"{VIEWERS} viewers of all of it, and beside these and a flood of reports by HTTP", None, "p99 ns")
    if not usable(bench, found, ["herd"]) or bench.subjects.missing("wrk"):
        return found
    rate, seconds = 500, 4 if bench.quick else 10
    load = {"policy": os.SCHED_FIFO, "rate": rate, "warm": 100, "count": rate * seconds, "ids": 1000}
    each, beside, flooded = [], [], []
    for _ in range(bench.repetitions):
        running = bench.subjects.herd(http=True, policy=os.SCHED_FIFO)
        port, pid = running.extra["http"]["Riley"], running.pids[0]
        try:
            bench.load(running, "iamat", fill=True, count=0, ids=1000)
            alone = bench.load(running, "iamat", **load)
            viewers = Viewers(bench, port)
            before = cpu_ns(pid)
            watched = bench.load(running, "iamat", **load)
            time.sleep(1)
            spent, taken = cpu_ns(pid) - before, viewers.end()
            viewers = Viewers(bench, port)
            flood = reports(bench, running, port, seconds, connections=FLOOD_CONNECTIONS, devices=FLOOD_DEVICES,
                            delay_ms=1)
            before = cpu_ns(pid), time.monotonic()
            disturbed = bench.load(running, "iamat", **load)
            share = (cpu_ns(pid) - before[0]) / (time.monotonic() - before[1]) / 1e9
            answered(flood)
            viewers.end()
        finally:
            bench.subjects.stop(running)
        for subject, run in (("undisturbed", alone), ("beside viewers", watched), ("and a flood", disturbed)):
            found.add(subject, None, p99(run), run)
        each.append((spent - alone["cpu_ns"]) / taken["events"] / 1000)
        beside.append(p99(watched) / p99(alone))
        flooded.append(p99(disturbed) / p99(alone))
        found.note(f"{taken['events']:,} events of {taken['bytes'] // max(1, taken['events'])} bytes each were taken; with "
                   f"the flood the server used {share:.0%} of its CPU")
    found.note("p50 to max are from when a report was due until the generator, which shares its CPU, has read its reply")
    found.others_expected = True
    found.target("CPU us of an event for a viewer", each, at_most=0.1)
    found.target("p99 beside viewers / undisturbed", beside, at_most=1.1)
    found.target("p99 beside viewers and a flood / undisturbed", flooded, at_most=1.1)
    return found
