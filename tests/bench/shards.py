#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many herds a number of clients needs: measures on this machine what a line costs the core and what a record takes, and
works out the rest, a line each, so that every figure can be followed. No socket is used: what the kernel takes is given, and
so is what a database takes, where they are known (--kernel-ns, --upsert-ns).

    shards.py BENCH_CORE [--clients 1e9] [--interval 30] [--servers 3] [--busy 0.6] ...

BENCH_CORE is built by `meson setup -Dbench=true --buildtype=release BUILD` and `ninja -C BUILD tests/bench/bench-core`.
"""
import argparse
import json
import os
import subprocess

AT_LINE = 86  # bytes of an AT line with an id of 28


def measure(program, ids, passes):
    """What bench-core prints, and the most memory that it had, in bytes."""
    process = subprocess.Popen([program, str(ids), str(passes)], stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{program} failed")
    return json.loads(text), usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bench_core")
    parser.add_argument("--clients", type=float, default=1e9)
    parser.add_argument("--interval", type=float, default=30, help="seconds between two reports of a client")
    parser.add_argument("--servers", type=int, default=3, help="servers a herd, each linked with all others")
    parser.add_argument("--busy", type=float, default=0.6, help="how much of a core may be used")
    parser.add_argument("--memory", type=float, default=4e9, help="bytes of records a server may hold")
    parser.add_argument("--kernel-ns", type=float, default=4900, help="of a report on a connection of its own, in all")
    parser.add_argument("--upsert-ns", type=float, help="processor time of the database for a record")
    parser.add_argument("--flush", type=float, default=300, help="seconds between two writes of a client's record")
    parser.add_argument("--ids", type=int, default=1_000_000)
    parser.add_argument("--passes", type=int, default=5)
    o = parser.parse_args()

    small, small_bytes = measure(o.bench_core, o.ids // 10, o.passes)
    large, large_bytes = measure(o.bench_core, o.ids, o.passes)
    # The benchmark itself keeps a line and a number of four bytes for each id.
    record = (large_bytes - small_bytes) / (o.ids - o.ids // 10) - large["line_bytes"] - 4
    own, news, copy = (large[name] for name in ("IAMAT", "AT, fresh", "AT, duplicate"))
    load = os.getloadavg()[0]
    print(f"measured, {o.ids:,} records, {o.passes} passes, load of the machine {load:.1f} on {os.cpu_count()} cores:")
    print(f"  a report                      {own:8.0f} ns    (told to the neighbours)")
    print(f"  a neighbour's news            {news:8.0f} ns")
    print(f"  the same from another one     {copy:8.0f} ns")
    print(f"  memory of a record            {record:8.1f} bytes")

    rate = o.clients / o.interval
    print(f"\n{o.clients:.3g} clients, a report each {o.interval:g} s: {rate / 1e6:.1f} million reports a second")
    # Each server takes 1/V itself, hears the others once as news, and V - 2 times more.
    v = o.servers
    update = own / v + (v - 1) / v * (news + (v - 2) * copy)
    print(f"of {v} servers, each linked with all others, a server spends on an update of its herd")
    print(f"  {own:.0f} / {v} + {v - 1}/{v} x ({news:.0f} + {v - 2} x {copy:.0f}) = {update:.0f} ns, the core alone")

    def plan(name, one):
        most = o.busy / (one * 1e-9)
        by_time, by_memory = rate / most, o.clients * record / o.memory
        count = max(1, int(-(-max(by_time, by_memory) // 1)))
        ids = o.clients / count
        print(f"\n{name}: {one:.0f} ns an update")
        print(f"  {o.busy:.0%} of a core are {most / 1e6:.2f} million updates a second: {by_time:.1f} herds")
        print(f"  {o.memory / 1e9:g} GB of records a server are {o.memory / record / 1e6:.1f} million clients: {by_memory:.1f} herds")
        print(f"  so {count} herds, {count * v} servers, {4096 / count:.1f} buckets a herd; of each server:")
        print(f"    {ids / 1e6:.1f} million clients, {ids * record / 1e9:.2f} GB; {rate / count / 1e3:.0f} thousand updates a "
              f"second, {rate / count * one * 1e-9:.0%} of a core")
        print(f"    told to each neighbour {rate / count / v * AT_LINE * 8 / 1e9:.3f} to "
              f"{rate / count * AT_LINE * 8 / 1e9:.3f} Gbit/s")
        print(f"  one herd more moves 1 in {count + 1}: {o.clients / (count + 1) / 1e6:.1f} million clients, and none of the others")
        if o.upsert_ns:
            writes = o.clients / o.flush / count
            print(f"  a database a herd, each record every {o.flush:g} s: {writes / 1e3:.0f} thousand a second, "
                  f"{writes * o.upsert_ns * 1e-9:.0%} of a core at {o.upsert_ns:.0f} ns each")

    plan("reports come on few connections that are full (gateways)", update)
    plan("each client has a connection of its own, one report at a time", update + o.kernel_ns / v)


if __name__ == "__main__":
    main()
