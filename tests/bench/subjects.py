# SPDX-License-Identifier: MIT
"""What is measured, and how each is started: floors, herd-server, Redis, memcached, the servers in peers/."""
import itertools
import json
import os
import random
import resource
import signal

from machine import Failed, Process, installed

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"

FIVE = ["Riley", "Jaquez", "Juzang", "Campbell", "Bernard"]
FIVE_LINKS = [["Riley", "Jaquez"], ["Riley", "Juzang"], ["Bernard", "Jaquez"], ["Bernard", "Juzang"],
              ["Bernard", "Campbell"], ["Juzang", "Campbell"]]
STAR_LINKS = [[FIVE[0], name] for name in FIVE[1:]]
RELAYS = 3  # the links from the first of five to the last, and the one to who is told
ROW = FIVE[:RELAYS]  # as many servers with nothing beside the way
ROW_LINKS = [list(pair) for pair in itertools.pairwise(ROW)]
OBSERVER = "Aaa"  # sorts before every server, so that it is this end that dials
CLIENTS_MAX = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 30_000) - 100
LIMITS = {"records_max": 20_000_000, "clients_max": CLIENTS_MAX, "client_idle_ms": 0}
SILENT_PEERS = {"peer_ping_ms": 3_600_000}  # a generator posing as a neighbour does not answer pings


def four_regular(size, seed=1):
    """A connected random graph in which everyone has four neighbours: two rings over shuffled names."""
    names = [f"Node{i:03}" for i in range(size)]
    lot, links = random.Random(seed), set()
    while len(links) < 2 * size:
        links = set()
        for _ in range(2):
            ring = names[:]
            lot.shuffle(ring)
            links |= {tuple(sorted(pair)) for pair in zip(ring, ring[1:] + ring[:1])}
    return names, sorted(map(list, links))


def farthest(names, links, start):
    """The server with the longest way from `start`, and how many links that is."""
    ways, edge = {start: 0}, [start]
    while edge:
        here = edge.pop(0)
        for pair in links:
            if here in pair:
                there = pair[0] if pair[1] == here else pair[1]
                if there not in ways:
                    ways[there] = ways[here] + 1
                    edge.append(there)
    last = max(names, key=lambda name: ways[name])
    return last, ways[last]


class Running:
    """Started processes that are one subject; clients are served on `port`, the first one's."""

    def __init__(self, processes, extra=None):
        self.processes, self.extra = processes, extra or {}
        self.port = processes[0].port
        self.pids = [process.pid for process in processes]

    def by_name(self, name):
        return next(process for process in self.processes if process.name == name)


class Subjects:
    """Starts subjects on this machine; whatever is started is stopped by stop_all at the latest."""

    def __init__(self, options, directory, ports):
        self.options, self.directory, self.ports = options, directory, ports
        self.processes = []

    def launch(self, argv, name, port, cpu=None, policy=None):
        cpu = self.options.server_cpu if cpu is None else cpu
        process = Process(argv, name, port, cpu, self.directory, policy)
        self.processes.append(process)
        return process

    def stop(self, running):
        for process in running.processes:
            process.stop()
            self.processes.remove(process)
            log = os.path.join(self.directory, f"{process.name}.log")
            if os.path.exists(log):  # every line of traffic: gigabytes by the end of a run
                os.remove(log)

    def rotate(self, running):
        """A log file of its own for what comes next: gigabytes that the disk has not taken yet slow down whoever
        goes on writing."""
        for process in running.processes:
            log = os.path.join(self.directory, f"{process.name}.log")
            if os.path.exists(log):
                os.remove(log)
                os.kill(process.pid, signal.SIGHUP)

    def stop_all(self):
        for process in self.processes:
            process.stop()
        self.processes.clear()

    # What is not there, as a sentence; None if a subject can be started.
    def missing(self, subject):
        program = {"redis": "redis-server", "memcached": "memcached", "node": "node", "java": "javac",
                   "asyncio": PYTHON, "wrk": "wrk"}.get(subject.split("-")[0].rstrip("0123456789"))
        if program is not None and not installed(program):
            return f"no {program} on this machine"
        if subject.startswith("herd") and not os.access(self.options.server or "", os.X_OK):
            return "no herd-server: build it or give its path with --server"
        return None

    # Floors.
    def floor(self, name, *words, cpu=None, policy=None):
        port = self.ports()
        process = self.launch([os.path.join(self.options.tools, f"floor-{name}"), port, *words], name, port, cpu, policy)
        process.wait_ready()
        return Running([process])

    def relays(self, out_port):
        """As many in a row as servers that a report passes, the last of which dials out_port."""
        ports = [self.ports() for _ in range(RELAYS)] + [out_port]
        program = os.path.join(self.options.tools, "floor-relay")
        processes = [self.launch([program, port, then], "relay", port) for port, then in itertools.pairwise(ports)]
        for process in processes:
            process.wait_ready()
        return Running(processes)

    def flooders(self, out_port):
        """Bare programs that flood, with the links of five servers; the farthest from the first dials out_port."""
        last, _ = farthest(FIVE, FIVE_LINKS, FIVE[0])
        ports = {name: self.ports() for name in FIVE}
        program, processes = os.path.join(self.options.tools, "floor-flood"), []
        for i, name in enumerate(FIVE):
            peers = [ports[there] for there in FIVE[:i] if [name, there] in FIVE_LINKS or [there, name] in FIVE_LINKS]
            processes.append(self.launch([program, ports[name], out_port if name == last else 0, *peers], "flooder", ports[name]))
            processes[-1].wait_ready()
        return Running(processes)

    # Herds.
    def config(self, names, links, ports, traffic=False, limits=None, name="herd", places=None, more=None, http=()):
        path = os.path.join(self.directory, f"{name}.{ports[names[0]]}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"servers": {name: {"port": ports[name], **({"http_port": http[name]} if name in http else {})}
                                   for name in names}, "links": links,
                       "log": {"traffic": traffic}, "limits": LIMITS | (limits or {}),
                       **({"places": places} if places else {}), **(more or {})}, file)
        return path

    def command(self, kind, config, name):
        """The command line of one server of this kind; all of them read herd-server's configuration."""
        peers = os.path.join(HERE, "peers")
        kind, _, per_message = kind.partition("-")
        words = ["--per-message"] if per_message == "per-message" else []
        program = {"herd": [self.options.server], "asyncio": [PYTHON, os.path.join(peers, "asyncio_herd.py")],
                   "node": ["node", os.path.join(peers, "node_herd.js")],
                   "java": ["java", "-cp", self.options.java, "JavaHerd"]}[kind]
        return [*program, *words, "-c", config, name]

    def herd(self, kind="herd", names=("Riley",), links=(), absent=(), traffic=False, limits=None, places=None,
             cpu=None, policy=None, more=None, log_full=False, http=False):
        """All of `names` started; `absent` are configured but not started: the generator plays them.
        log_full: the log is a pipe that nobody reads."""
        everyone = [*names, *absent]
        ports = {name: self.ports() for name in everyone}
        doors = {name: self.ports() for name in names if http}
        config = self.config(everyone, list(links), ports, traffic, limits, places=places, more=more, http=doors)
        pipes = [self.pipe(f"{name}.log") for name in names if log_full]
        processes = [self.launch(self.command(kind, config, name), name, ports[name], cpu, policy) for name in names]
        for process in processes:
            process.wait_ready()
        return Running(processes, {"ports": ports, "config": config, "pipes": pipes, "http": doors})

    def pipe(self, name):
        path = os.path.join(self.directory, name)
        os.mkfifo(path)
        return open(path, "r+b", buffering=0)

    def link_spec(self, running, name, self_name=OBSERVER, kind="herd"):
        """How load, flood and propagate are told to be a neighbour of `name`."""
        port = running.by_name(name).port
        plain = kind != "herd" or self.options.plain_links
        return f"{port}::" if plain else f"{port}:{self_name}:{name}"

    # Stores.
    def redis(self, replicas=0, more=()):
        base = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--io-threads", "1",
                "--maxclients", CLIENTS_MAX, "--tcp-backlog", "4096", "--repl-diskless-sync", "yes",
                "--repl-diskless-sync-delay", "0", "--daemonize", "no", "--dir", self.directory,
                "--logfile", "", "--client-output-buffer-limit", "replica 0 0 0"]
        port = self.ports()
        processes = [self.launch(["redis-server", "--port", port, *base, *more], "redis", port)]
        processes[0].wait_ready()
        for _ in range(replicas):
            copy = self.ports()
            processes.append(self.launch(["redis-server", "--port", copy, "--replicaof", f"127.0.0.1 {port}", *base],
                                         "redis-replica", copy))
        for process in processes[1:]:
            process.wait_ready()
        return Running(processes)

    def memcached(self):
        port = self.ports()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = self.launch(["memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "1", "-m", "4096", "-c",
                               CLIENTS_MAX, *user], "memcached", port)
        process.wait_ready()
        return Running([process])

    def single(self, subject):
        """One server by name, for the parts that compare single servers: what to start, and the load mode."""
        if subject in ("epoll", "libevent"):
            return self.floor(subject), "echo"
        if subject == "herd":
            return self.herd(), "iamat"
        if subject == "herd-log":
            return self.herd(traffic=True), "iamat"
        if subject == "herd-log-full":
            return self.herd(traffic=True, log_full=True), "iamat"
        if subject in ("redis-set", "redis-geoadd"):
            return self.redis(), subject
        if subject == "memcached":
            return self.memcached(), "memcached-set"
        if subject in ("asyncio", "node", "java"):
            return self.herd(subject), "iamat"
        raise Failed(f"no subject {subject}")


LABELS = {
    "epoll": "raw epoll echo (kernel floor)", "libevent": "libevent line echo (libevent floor)",
    "herd": "herd-server, traffic log off", "herd-log": "herd-server, traffic log on",
    "herd-log-full": "herd-server, log not emptied",
    "redis-set": "Redis SET", "redis-geoadd": "Redis GEOADD", "redis-geosearch": "Redis GEOSEARCH",
    "herd-file": "herd-server, places from a file", "herd-proxied": "herd-server, places from the HTTP server",
    "wrk": "the HTTP server, asked by wrk", "libcurl": "libcurl alone, asking the HTTP server",
    "memcached": "memcached set, 1 thread", "asyncio": "Python asyncio", "node": "Node.js", "java": "Java",
    "herd-row": "three herd-servers in a row",
    "herd5": "herd-server, five", "herd5-star": "herd-server, five in a star", "redis5": "Redis primary + 4 replicas, SET",
    "asyncio5": "Python asyncio, five", "asyncio5-per-message": "Python asyncio, five, a connection a message",
    "node5": "Node.js, five", "java5": "Java, five", "relays": "three bare epoll relays in a row",
    "flooders": "five bare epoll programs that flood",
    "herd-plain": "herd-server, plain TCP", "herd-tls": "herd-server, TLS 1.3",
    "redis-plain": "Redis SET, plain TCP", "redis-tls": "Redis SET, TLS 1.3", "openssl": "a bare OpenSSL loop",
    "report-epoll": "raw epoll that parses the JSON", "report-evhttp": "libevent's HTTP server, likewise",
    "herd-near": "herd-server, NEAR", "redis-near": "Redis GEOSEARCH WITHDIST",
    "herd-http": "herd-server, HTTP", "quiet": "nobody else", "crowd": "1 000 shake hands",
}
