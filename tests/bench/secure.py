# SPDX-License-Identifier: MIT
"""The parts of the benchmark that have TLS in them: requests, handshakes beside a bare OpenSSL loop, memory of idle clients,
and how long others wait while a thousand shake hands."""
import json
import os
import shutil
import subprocess
import time

from machine import Failed, at_rest, child_setup, installed, rss_bytes
from parts import part
from report import Part, ratios
from subjects import HERE

CLIENT = "client"


def missing(bench):
    """Why there is no TLS here, or None."""
    if not os.access(os.path.join(bench.options.tools, "bench-tls"), os.X_OK):
        return "built without OpenSSL"
    return None if installed("openssl") else "no openssl command"


def files(bench):
    """Makes an authority and certificates once: the directory."""
    directory = os.path.join(bench.subjects.directory, "tls")
    if not os.path.exists(directory):
        config = os.path.join(bench.subjects.directory, "certificates.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"herd": "bench", "servers": {"Riley": {"port": 1}}}, file)
        made = subprocess.run([os.path.join(HERE, "..", "..", "examples", "certificates"), config, directory, CLIENT],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Failed(f"no certificates: {made.stderr}")
    return directory


def server(bench, policy=None):
    """A herd-server whose port takes TLS and plain text."""
    directory = files(bench)
    return bench.subjects.herd(bench.herd_kind, policy=policy, more={"herd": "bench", "tls": {
        "mode": "allow", "ca": f"{directory}/ca.pem", "certificate": f"{directory}/{{name}}.pem",
        "key": f"{directory}/{{name}}.key"}})


def floor(bench, mutual):
    directory = files(bench)
    return bench.subjects.floor("tls", f"{directory}/Riley.pem", f"{directory}/Riley.key",
                                *([f"{directory}/ca.pem"] if mutual else []))


def words(bench, running, kind, port=None):
    """What bench-tls is told of the connection: plain, server's certificate only, mutual. port: where it is not the first."""
    directory = files(bench)
    return ["--port", port or running.port, "--pid", running.pids[0], "--time", bench.next_time(),
            *([] if kind == "plain" else ["--ca", f"{directory}/ca.pem"]),
            *(["--certificate", f"{directory}/{CLIENT}.pem", "--key", f"{directory}/{CLIENT}.key"]
              if kind == "mutual" else [])]


def redis(bench):
    """A Redis with a port for each of plain text and TLS, and the latter."""
    directory = files(bench)
    port = bench.subjects.ports()
    return bench.subjects.redis(more=["--tls-port", port, "--tls-cert-file", f"{directory}/Riley.pem", "--tls-key-file",
                                      f"{directory}/Riley.key", "--tls-ca-cert-file", f"{directory}/ca.pem",
                                      "--tls-auth-clients", "no"]), port


def redis_missing():
    """Why Redis is not measured beside, or None."""
    if not installed("redis-server"):
        return "no redis-server on this machine"
    linked = subprocess.run(["ldd", shutil.which("redis-server")], capture_output=True, text=True, check=False)
    return None if "libssl" in linked.stdout else "built without TLS"


@part("tls", base="herd-plain")
def tls(bench):
    found = Part("tls", "server CPU of an IAMAT, and of a SET of Redis with the same data, over TLS 1.3 and over plain TCP, "
                 "one generator for all", "in flight", "CPU ns/request")
    why = missing(bench)
    names = [] if why else ["herd"]
    if why:
        found.skip("herd-tls", why)
    elif redis_missing():
        found.skip("redis-tls", redis_missing())
    else:
        names.append("redis")
    for _ in range(0 if why else bench.repetitions):
        for name in names:
            running, tls_port = (server(bench), None) if name == "herd" else redis(bench)
            try:
                for depth in (1, 16, 128):
                    count = {1: 60_000, 16: 300_000, 128: 1_000_000}[depth] // (4 if bench.quick else 1)
                    for kind in ("plain", "certificate"):
                        subject = f"{name}-{'plain' if kind == 'plain' else 'tls'}"
                        run = bench.tool("bench-tls", "requests",
                                         *words(bench, running, kind, tls_port if kind == "certificate" else None),
                                         "--mode", "iamat" if name == "herd" else "redis-set", "--depth", depth,
                                         "--count", count, "--warm", count // 5)
                        found.add(subject, depth, run["cpu_ns_per_request"], run)
            finally:
                bench.subjects.stop(running)
    for depth, most in ((1, 2.0), (16, 1.8), (128, 1.8)):
        found.ratio_target(f"TLS / plain IAMAT, {depth} in flight", "herd-tls", "herd-plain", depth, at_most=most)
    for depth in (1, 16, 128):
        kinds = [ratios(theirs, ours) for theirs, ours in
                 ((found.values(f"redis-{kind}", depth), found.values(f"herd-{kind}", depth)) for kind in ("tls", "plain"))
                 if theirs and ours]
        found.target(f"Redis / IAMAT with TLS, over Redis / IAMAT without, {depth} in flight",
                     len(kinds) == 2 and ratios(*kinds), at_least=1)
    return found


# A core is busy only if it need not wait for the one client there is.
HANDSHAKES = (("certificate", 4), ("certificate", 1), ("mutual", 4))


@part("tls-handshakes")
def handshakes(bench):
    found = Part("tls-handshakes", "handshakes of a core in a second, each with a request, of so many clients at once; a bare "
                 "OpenSSL loop beside it", "proof, clients", "handshakes/s")
    why = missing(bench)
    if why:
        found.skip("herd-tls", why)
    count = 1000 if bench.quick else 4000
    for _ in range(0 if why else bench.repetitions):
        for kind, clients in HANDSHAKES:
            for subject in ("openssl", "herd-tls"):
                running = floor(bench, kind == "mutual") if subject == "openssl" else server(bench)
                try:
                    run = bench.tool("bench-tls", "handshakes", *words(bench, running, kind), "--count", count, "--warm",
                                     count // 10, "--clients", clients, *(["--mode", "echo"] if subject == "openssl" else []))
                    found.add(subject, f"{kind}, {clients}", 1e9 / run["cpu_ns_per_handshake"], run)
                finally:
                    bench.subjects.stop(running)
    for kind, clients in HANDSHAKES:
        found.ratio_target(f"handshakes/s, {kind} / a bare OpenSSL loop" + (", one client" if clients == 1 else ""), "herd-tls",
                           "openssl", f"{kind}, {clients}", at_least=0.85)
    return found


@part("tls-idle")
def idle(bench):
    found = Part("tls-idle", "resident bytes of a TLS client that made one request", "proof", "bytes/connection")
    why = missing(bench)
    if why:
        found.skip("herd-tls", why)
    count = 500 if bench.quick else 2000
    for _ in range(0 if why else bench.repetitions):
        for kind in ("certificate", "mutual"):
            running = server(bench)
            command = [os.path.join(bench.options.tools, "bench-tls"), "idle", *words(bench, running, kind)]
            try:
                # The first ones pay for what all use: tables, pools, the code of OpenSSL.
                bench.tool("bench-tls", "handshakes", *words(bench, running, kind), "--count", 20)
                at_rest(running.pids)
                before = rss_bytes(running.pids[0])
                with subprocess.Popen([*map(str, command), "--connections", str(count)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, preexec_fn=child_setup(bench.options.load_cpu)) as clients:
                    if not clients.stdout.readline():
                        raise Failed("no idle clients")
                    at_rest(running.pids)
                    found.add("herd-tls", kind, (rss_bytes(running.pids[0]) - before) / count)
                    clients.stdin.close()
                    clients.wait(60)
            finally:
                bench.subjects.stop(running)
    found.note(f"{count:,} connections; what the kernel keeps for a socket is not in it")
    for kind, most in (("certificate", 15 * 1024), ("mutual", 26 * 1024)):
        values = found.values("herd-tls", kind)
        found.target(f"an idle TLS client, {kind}, bytes", values, at_most=most)
    return found


@part("tls-crowd", base="quiet")
def crowd(bench):
    found = Part("tls-crowd", "IAMAT of connected clients, 1 000 a second on a schedule, alone and while 1 000 others shake "
                 "hands at once, again and again", None, "p99 ns")
    why = missing(bench)
    if why:
        found.skip("herd-tls", why)
    ms = 2000 if bench.quick else 5000
    policy = os.SCHED_FIFO  # latency is the server's, not that of strangers or of a generator which waits for the other one
    for _ in range(0 if why else bench.repetitions):
        running = server(bench, policy)
        try:
            for subject in ("quiet", "crowd"):
                others = None
                if subject == "crowd":
                    command = [os.path.join(bench.options.tools, "bench-tls"), "crowd", *words(bench, running, "certificate")]
                    others = subprocess.Popen([*map(str, command), "--connections", "1000", "--ms", str(ms + 1500)],
                                              stdout=subprocess.PIPE, preexec_fn=child_setup(bench.options.load_cpu))
                    time.sleep(0.3)
                run = bench.load(running, "iamat", rate=1000, count=ms, ids=1000, policy=policy)
                if others is not None:
                    said = others.communicate(timeout=120)[0]
                    if others.returncode != 0:
                        raise Failed("the crowd ended early")
                    told = json.loads(said)
                    found.note(f"{told['handshakes'] / told['seconds']:,.0f} handshakes a second meanwhile; "
                               f"{told['refused']:,} more were closed: a place for them was not free in time")
                found.add(subject, None, run["latency_ns"]["p99"], run)
        finally:
            bench.subjects.stop(running)
    found.others_expected = True
    found.ratio_target("IAMAT p99 while 1 000 clients shake hands / alone", "crowd", "quiet", at_most=2)
    return found
