#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The suite's own programs do what they say: floors echo, generators count and check, and a wrong server is
refused loudly instead of being measured.

    check_tools.py DIRECTORY_OF_THE_PROGRAMS [PEER_COMMAND ...]

PEER_COMMAND: a plain herd server, `-c CONFIG NAME` is added. Ends with `N passed, N failed`."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from machine import Ports, Process  # noqa: E402

PATIENCE_S = 60


class Checks:
    def __init__(self, tools, directory, peer):
        self.tools, self.directory, self.peer, self.ports = tools, directory, peer, Ports()
        self.cpu = min(os.sched_getaffinity(0))
        self.processes = []

    def start(self, name, *words):
        return self.launch([os.path.join(self.tools, name), *words], name, words[0])

    def launch(self, argv, name, port):
        process = Process(argv, name, port, self.cpu, self.directory)
        self.processes.append(process)
        process.wait_ready()
        return process

    def herd(self):
        """One plain server that has an observer for a neighbour; the observer's port."""
        port, observer = self.ports(), self.ports()
        config = os.path.join(self.directory, f"{port}.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"servers": {"Riley": {"port": port}, "Aaa": {"port": observer}}, "links": [["Riley", "Aaa"]]},
                      file)
        return self.launch([*self.peer, "-c", config, "Riley"], "peer", port), observer

    def tool(self, name, *words):
        return subprocess.run([os.path.join(self.tools, name), *map(str, words)], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    def told(self, name, *words):
        done = self.tool(name, *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def close(self):
        for process in self.processes:
            process.stop()


def floors_echo_every_request(checks):
    for name in ("floor-epoll", "floor-libevent"):
        process = checks.start(name, checks.ports())
        for depth in (1, 7, 300):
            run = checks.told("bench-load", "--mode", "echo", "--port", process.port, "--pid", process.pid, "--fill",
                              "--ids", 1000, "--warm", 500, "--count", 20_003, "--depth", depth)
            assert run["requests"] == 20_003 and run["bytes"] == 78, run
            assert run["cpu_ns"] > 0 and run["latency_ns"]["max"] >= run["latency_ns"]["p50"] > 0, run


def every_client_has_its_place(checks):
    process = checks.start("floor-epoll", checks.ports())
    file = os.path.join(checks.directory, "places.txt")
    words = ["--mode", "iamat", "--port", process.port, "--connections", 1, "--ids", 3, "--fill", "--count", 0]
    with open(file, "w", encoding="ascii") as places:
        places.write("-00.000001+179.999999\n+48.856600+002.352200\n-85.000000-000.500000\n")
    done = checks.tool("bench-load", *words, "--places", file)  # an echo is no reply to IAMAT: it shows the request
    assert "wrong reply" in done.stderr and " -00.000001+179.999999 " in done.stderr, done
    assert " +48.856600+002.352200 " in done.stderr, done
    with open(file, "w", encoding="ascii") as places:
        places.write("-00.000001+179.999999\n+48.8566+2.3522\n-85.000000-000.500000\n")
    done = checks.tool("bench-load", *words, "--places", file)
    assert done.returncode == 1 and f"{file}:2: expected a place" in done.stderr, done


def the_http_server_answers(checks):
    process = checks.start("floor-http", checks.ports())
    with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/", timeout=PATIENCE_S) as reply:
        answer = json.load(reply)
    assert answer["status"] == "OK" and len(answer["results"]) == 20, answer
    run = checks.told("floor-curl", process.port, 4, 50)
    assert run["requests"] >= 4 and run["throughput"] > 0 and run["cpu_ns_per_request"] > 0, run


def a_schedule_is_kept(checks):
    process = checks.start("floor-epoll", checks.ports())
    run = checks.told("bench-load", "--mode", "echo", "--port", process.port, "--ids", 1000, "--count", 1000,
                      "--rate", 5000)
    assert run["requests"] == 1000 and 0.19 < run["seconds"] < 1, run


def a_bound_in_time_ends_a_run(checks):
    process = checks.start("floor-epoll", checks.ports())
    run = checks.told("bench-load", "--mode", "echo", "--port", process.port, "--ids", 1000, "--count", 3_000_000,
                      "--ms", 50)
    assert 0 < run["requests"] < 3_000_000 and run["seconds"] < 2, run


def a_wrong_server_is_refused(checks):
    process = checks.start("floor-epoll", checks.ports())
    for mode in ("iamat", "whatsat", "redis-set", "redis-geoadd", "redis-geosearch", "near", "redis-near", "memcached-set"):
        done = checks.tool("bench-load", "--mode", mode, "--port", process.port, "--ids", 1000, "--count", 100)
        assert done.returncode == 1 and "wrong reply" in done.stderr and not done.stdout, (mode, done)
    done = checks.tool("bench-load", "--mode", "echo", "--port", checks.ports(), "--count", 1)
    assert done.returncode == 1 and "cannot connect" in done.stderr, done
    done = checks.tool("bench-flood", "--link", f"{process.port}:Aaa:Riley", "--link",
                       f"{process.port}:Bbb:Riley", "--pid", process.pid, "--ids", 10,
                       "--count", 10)
    assert done.returncode == 1, done


def relays_pass_reports_on(checks):
    out, second, first = checks.ports(), checks.ports(), checks.ports()
    checks.start("floor-relay", second, out)
    checks.start("floor-relay", first, second)
    run = checks.told("bench-propagate", "--in", first, "--out-listen", out, "--count", 50, "--warm", 5)
    assert run["reports"] == 50 and run["latency_ns"]["p50"] > 0, run


def flooders_flood(checks):
    out, ports = checks.ports(), [checks.ports() for _ in range(3)]
    checks.start("floor-flood", ports[0], 0)
    checks.start("floor-flood", ports[1], 0, ports[0])
    checks.start("floor-flood", ports[2], out, ports[0], ports[1])
    run = checks.told("bench-propagate", "--in", ports[0], "--out-listen", out, "--count", 50, "--warm", 5)
    assert run["reports"] == 50 and run["latency_ns"]["p50"] > 0, run


def a_herd_server_is_measured(checks):
    peer, observer = checks.herd()
    for mode in ("iamat", "whatsat"):
        run = checks.told("bench-load", "--mode", mode, "--port", peer.port, "--pid", peer.pid, "--ids", 100, "--fill",
                          "--count", 2000, "--depth", 4) if mode == "iamat" else checks.told(
            "bench-load", "--mode", mode, "--port", peer.port, "--ids", 100, "--count", 500, "--depth", 4)
        assert run["requests"] == (2000 if mode == "iamat" else 500), run
    run = checks.told("bench-propagate", "--in", peer.port, "--out-listen", observer, "--count", 20, "--warm", 2,
                      "--time", 1721464827959498503)
    assert run["reports"] == 20, run
    run = checks.told("bench-flood", "--link", f"{peer.port}::", "--link", f"{peer.port}::", "--pid", peer.pid, "--ids", 100, "--count", 2000,
                      "--time", 1731464827959498503)
    assert run["fresh_cpu_ns"] > 0 and run["duplicate_cpu_ns"] > 0 and run["late_cpu_ns"] > 0, run


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("tools")
    options.add_argument("peer", nargs=argparse.REMAINDER)
    options = options.parse_args()
    all_checks = [floors_echo_every_request, every_client_has_its_place, the_http_server_answers, a_schedule_is_kept,
                  a_bound_in_time_ends_a_run, a_wrong_server_is_refused, relays_pass_reports_on, flooders_flood]
    if options.peer:
        all_checks.append(a_herd_server_is_measured)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="herd-bench.") as directory:
        for check in all_checks:
            checks = Checks(os.path.abspath(options.tools), directory, options.peer)
            try:
                check(checks)
                print("ok  ", check.__name__)
            except Exception as problem:  # whatever it is, the other checks still run
                failed += 1
                print("FAIL", check.__name__, "-", repr(problem))
            finally:
                checks.close()
    print(f"{len(all_checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
