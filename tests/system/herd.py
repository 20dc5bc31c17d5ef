# SPDX-License-Identifier: MIT
"""A small harness: herds of real servers on free loopback ports, and clients that never wait for ever.

Every wait is for a condition and has a deadline. Whatever happens in a test, its servers are gone when it
ends; then their exit codes, what they wrote to standard error (a sanitizer speaks there) and the form of
every log line are judged too. A test that fails keeps its directory and says where it is.

    class Test(HerdTest):
        def test_something(self):
            herd = self.herd(["A", "B"], [("A", "B")])
            herd.start()
            with herd["A"].client() as client:
                self.assertRegex(client.ask(b"IAMAT x +1-1 5\\n"), AT)
"""
import contextlib
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from free_port import free_port, free_ports_again

PROGRAM = os.environ.get("HERD_SERVER", "herd-server")
DEADLINE = float(os.environ.get("HERD_TEST_DEADLINE", "30"))  # upper bound of any one wait, in seconds
SANITIZER_EXIT = 86

SEED = ["Riley", "Jaquez", "Juzang", "Campbell", "Bernard"]
SEED_LINKS = [("Riley", "Jaquez"), ("Riley", "Juzang"), ("Bernard", "Jaquez"), ("Bernard", "Juzang"),
              ("Bernard", "Campbell"), ("Juzang", "Campbell")]

AT = rb"\AAT [A-Za-z0-9._-]+ [+-]\d+\.\d{9} [^ \t\n\v\f\r]+ [+-][0-9.]+[+-][0-9.]+ [0-9.]+\n\Z"

VALUE = r'(?:"(?:[^"\\]|\\.)*"|(?:[^\s"\\]|\\.)+)'
LOG_LINE = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (error|warn|info|debug) ([a-z_]+)"
                      r"((?: [a-z_]+=" + VALUE + r")*)\Z")
LOG_FIELD = re.compile(r" ([a-z_]+)=(" + VALUE + ")")


class Timeout(AssertionError):
    """A condition did not come true in time."""


def wait_for(condition, what, deadline=DEADLINE):
    """Asks again and again until the condition is true, and returns what it gave."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"not within {deadline} s: {what}")
        time.sleep(0.005)


def environment(more=None):
    env = dict(os.environ)
    env["ASAN_OPTIONS"] = f"exitcode={SANITIZER_EXIT}:detect_leaks=1:" + env.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = f"halt_on_error=1:print_stacktrace=1:exitcode={SANITIZER_EXIT}:" + \
        env.get("UBSAN_OPTIONS", "")
    for proxy in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        env.pop(proxy, None)
    env.update(more or {})
    return env


def run(*args, cwd=None, env=None, input=None):
    """Runs the program to its end. The result has returncode, stdout and stderr (bytes)."""
    return subprocess.run([PROGRAM, *args], cwd=cwd, env=environment(env), input=input,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)


def sanitized():
    """Whether the program was built with a sanitizer, which needs memory of its own."""
    with open(PROGRAM, "rb") as file:
        return b"__asan_init" in (text := file.read()) or b"__tsan_init" in text


class Closed(AssertionError):
    """The server closed the connection before the expected bytes came."""


class Client:
    """A client's connection. No read waits longer than DEADLINE."""

    def __init__(self, port, receive_buffer=None, source=None):
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a reset instead of a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def _more(self, what):
        try:
            got = self.socket.recv(1 << 16)
        except TimeoutError:
            raise Timeout(f"nothing received while waiting for {what}; so far: {self.buffer[-300:]!r}") from None
        if not got:
            raise Closed(f"closed while waiting for {what}; so far: {self.buffer[-300:]!r}")
        self.buffer += got

    def until(self, end):
        """Bytes up to and with `end`."""
        seen = 0
        while (at := self.buffer.find(end, max(0, seen - len(end)))) < 0:
            seen = len(self.buffer)
            self._more(repr(end))
        found, self.buffer = self.buffer[:at + len(end)], self.buffer[at + len(end):]
        return found

    def exactly(self, count):
        while len(self.buffer) < count:
            self._more(f"{count} bytes")
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def line(self):
        return self.until(b"\n")

    def lines(self, count):
        """Many lines; a list."""
        found, have = [], self.buffer.count(b"\n")
        parts = [self.buffer]
        while have < count:
            self.buffer = b""
            try:
                self._more(f"line {have + 1} of {count}")
            except Closed as closed:
                raise Closed(f"{closed} (after {have} lines)") from None
            parts.append(self.buffer)
            have += self.buffer.count(b"\n")
        rest = b"".join(parts)
        found = rest.split(b"\n", count)
        self.buffer = found.pop()
        return [line + b"\n" for line in found]

    def answer(self):
        """An answer to WHATSAT: its AT line and its JSON, without the two LF behind it."""
        at = self.line()
        if not at.startswith(b"AT "):
            raise AssertionError(f"expected an AT line, got {at!r}")
        return at, self.until(b"\n\n")[:-2]

    def ask(self, command):
        """Sends a command and returns one line."""
        self.send(command)
        return self.line()

    def whatsat(self, client_id, radius=b"10", bound=b"5"):
        self.send(b"WHATSAT %s %s %s\n" % (client_id, radius, bound))
        return self.answer()

    def rest(self):
        """Everything up to the server's end of the connection."""
        while True:
            try:
                self._more("the end of the connection")
            except Closed:
                found, self.buffer = self.buffer, b""
                return found

    def closed_by_server(self):
        """Waits for the end of the connection, orderly or not; returns what came before."""
        try:
            return self.rest()
        except ConnectionError:
            found, self.buffer = self.buffer, b""
            return found

    def silent(self):
        """Whether nothing has arrived so far."""
        if self.buffer:
            return False
        self.socket.setblocking(False)
        try:
            self.buffer += self.socket.recv(1 << 16)
            return False
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(DEADLINE)


class Event:
    """A line of a log."""

    def __init__(self, line):
        match = LOG_LINE.match(line)
        if not match:
            raise AssertionError(f"not a well-formed log line: {line!r}")
        self.text = line
        self.level, self.name = match[1], match[2]
        self.fields = {key: value[1:-1] if value.startswith('"') else value
                       for key, value in LOG_FIELD.findall(match[3])}

    def __getitem__(self, key):
        return self.fields.get(key)

    def __repr__(self):
        return self.text


class Server:
    """One server of a herd: started, stopped, killed, and its log read."""

    def __init__(self, herd, name, port):
        self.herd, self.name, self.port = herd, name, port
        self.host = "127.0.0.1"
        self.inside = contextlib.nullcontext  # where its sockets, and those to it, are made
        self.log_path = os.path.join(herd.dir, name + ".log")
        self.stderr_path = os.path.join(herd.dir, name + ".stderr")
        self.config_path = herd.config_path
        self.process = None
        self.exit_code = None
        self.killed = False
        self.torn = set()
        self.may_speak = False   # whether words on standard error are expected
        self.log_start = 0       # where the log of this run begins

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, env=None, files=None, wait=True, args=()):
        """Starts it and waits until it listens. `files`: its limit of open files."""
        assert not self.running
        self.killed = False
        self.exit_code = None
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

        def prepare():
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        with open(self.stderr_path, "ab") as stderr, self.inside():
            self.process = subprocess.Popen(
                [PROGRAM, "-c", self.config_path, "-l", self.log_path, *args, self.name], cwd=self.herd.dir,
                env=environment(env), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                preexec_fn=prepare if files else None)
        if wait:
            wait_for(lambda: self.saw("listening") or self._gone(), f"{self.name} listens")
        return self

    def connect(self, timeout):
        """A bare socket to it."""
        with self.inside():
            return socket.create_connection((self.host, self.port), timeout)

    def _gone(self):
        if not self.running:
            raise AssertionError(f"{self.name} ended with {self.process.returncode} at its start: {self.stderr()}")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9"""
        self.killed = True
        self.process.kill()
        self.exit_code = self.process.wait(DEADLINE)
        with contextlib.suppress(FileNotFoundError), open(self.log_path, "rb") as file:
            if half := file.read().rpartition(b"\n")[2]:
                self.torn |= {half, b""}  # the next run ends this line; its own log begins with that LF

    def wait(self):
        self.exit_code = self.process.wait(DEADLINE)
        return self.exit_code

    def stop(self):
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def pause(self):
        self.signal(signal.SIGSTOP)
        wait_for(lambda: self._stat()[0] == "T", f"{self.name} is stopped")

    def resume(self):
        self.signal(signal.SIGCONT)

    def _stat(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            return stat.read().rsplit(") ", 1)[1].split()

    def cpu_seconds(self):
        """Time on a processor so far, user and system."""
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        """Bytes of memory it has."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stderr(self):
        with open(self.stderr_path, errors="replace") as file:
            return file.read()

    def log_text(self, whole=False):
        """The log of this run (or of all), up to its last whole line, less what a kill tore."""
        try:
            with open(self.log_path, "rb") as file:
                file.seek(0 if whole else self.log_start)
                text = file.read()
        except FileNotFoundError:
            return ""
        whole_lines = text[:text.rfind(b"\n") + 1]
        if self.torn:
            whole_lines = b"".join(line for line in whole_lines.splitlines(True) if line[:-1] not in self.torn)
        return whole_lines.decode("ascii")

    def events(self, name=None, whole=False, **fields):
        """Events of the log with this name and these fields."""
        found = []
        for line in self.log_text(whole).split("\n")[:-1]:
            if name and f" {name}" not in line:
                continue
            event = Event(line)
            if (name is None or event.name == name) and all(event[k] == v for k, v in fields.items()):
                found.append(event)
        return found

    def saw(self, name, **fields):
        return self.events(name, **fields)

    def wait_event(self, name, **fields):
        return wait_for(lambda: self.saw(name, **fields), f"{self.name} logs {name} {fields}")[-1]

    def links_up(self):
        """The neighbours it is linked to, as its log tells."""
        up = set()
        for line in self.log_text().split("\n"):
            if " peer_up " in line:
                up.add(Event(line)["peer"])
            elif " peer_down " in line:
                up.discard(Event(line)["peer"])
        return up

    def client(self, **options):
        client = Client(self.port, **options)
        self.herd.test.addCleanup(client.close)
        return client

    def ask(self, command):
        """One command on a connection of its own."""
        with self.client() as client:
            return client.ask(command)

    def at(self, client_id):
        """The AT line it has for a client, or None."""
        with self.client() as client:
            line = client.ask(b"WHATSAT %s 1 0\n" % client_id)
            return line if line.startswith(b"AT ") else None


class Herd:
    """Servers, their links, and the configuration they share."""

    def __init__(self, test, names, links, limits=None, places=None, log=None, directory=None, more=None):
        self.test = test
        self.dir = directory or test.directory()
        self.links = [tuple(link) for link in links]
        self.config_path = os.path.join(self.dir, "herd.json")
        self.servers = {name: Server(self, name, free_port()) for name in names}
        self.config = {
            "servers": {name: {"port": server.port} for name, server in self.servers.items()},
            "links": [list(link) for link in self.links],
            "limits": {"redial_max_ms": 200, **(limits or {})},
            "log": log or {"level": "debug"},
            **(more or {}),
        }
        if places is not None:
            self.config["places"] = places
        self.write()

    def write(self):
        with open(self.config_path, "w") as file:
            json.dump(self.config, file, indent=1)

    def limit(self, name, **limits):
        """Gives one server limits of its own."""
        self[name].config_path = os.path.join(self.dir, name + ".json")
        with open(self[name].config_path, "w") as file:
            json.dump({**self.config, "limits": {**self.config["limits"], **limits}}, file, indent=1)

    def wire(self, a, b):
        """Puts a Proxy into the link of two servers, and returns it: each finds the other behind it."""
        proxies = []
        for one, other in ((a, b), (b, a)):
            proxy = Proxy(self.test, self[other].port)
            self[one].config_path = os.path.join(self.dir, one + ".json")
            config = self.config
            if os.path.exists(self[one].config_path):
                with open(self[one].config_path) as file:
                    config = json.load(file)
            config = json.loads(json.dumps(config))
            config["servers"][other]["port"] = proxy.port
            with open(self[one].config_path, "w") as file:
                json.dump(config, file, indent=1)
            proxies.append(proxy)
        return Wire(proxies)

    def __getitem__(self, name):
        return self.servers[name]

    def __iter__(self):
        return iter(self.servers.values())

    def neighbours(self, name):
        return {b if a == name else a for a, b in self.links if name in (a, b)}

    def start(self, env=None):
        for server in self:
            server.start(env, wait=False)
        for server in self:
            wait_for(lambda: server.saw("listening") or server._gone(), f"{server.name} listens")
        self.wait_linked()
        return self

    def wait_linked(self):
        """Until every link between running servers is up, as both ends tell."""
        for server in self:
            if server.running:
                wanted = {name for name in self.neighbours(server.name) if self[name].running}
                wait_for(lambda: server.links_up() >= wanted, f"{server.name} is linked to {wanted}")

    def wait_everywhere(self, client_id, line, servers=None):
        for server in servers or self:
            wait_for(lambda: server.at(client_id) == line, f"{server.name} has {line!r}")

    def wait_same(self, client_id):
        """Until every running server gives one and the same AT line."""
        def same():
            lines = {server.at(client_id) for server in self if server.running}
            return len(lines) == 1 and lines.pop()
        return wait_for(same, f"all agree on {client_id!r}")

    def stop(self):
        """SIGTERM to all; then all exit codes."""
        for server in self:
            if server.running:
                server.signal(signal.SIGTERM)
        return {server.name: server.wait() for server in self if server.process}


class Wire:
    """Both directions of dialling of a link: see Proxy."""

    def __init__(self, proxies):
        self.proxies = proxies

    def set(self, mode):
        for proxy in self.proxies:
            proxy.set(mode)


class Proxy:
    """A wire between two servers that can be cut, or go dead without a word."""

    def __init__(self, test, target):
        self.target, self.mode = target, "open"
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        self.wake, self._woken = socket.socketpair()
        self.pairs = {}
        self._applied = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def set(self, mode):
        """"open"; "cut": connections end and none is made; "dead": connections stay and carry nothing; "slow": less
        than 30 kB a second."""
        self._applied.clear()
        self.mode = mode
        self.wake.send(b".")
        self._applied.wait(DEADLINE)

    def close(self):
        self.set("end")
        self.thread.join(DEADLINE)
        self.wake.close()

    def _drop(self, one):
        other = self.pairs.pop(one, None)
        self.pairs.pop(other, None)
        for end in (one, other):
            if end:
                end.close()

    def _accept(self):
        one, _ = self.listener.accept()
        if self.mode == "cut":
            one.close()
            return
        try:
            other = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            one.close()
            return
        self.pairs[one], self.pairs[other] = other, one

    def _run(self):
        while self.mode != "end":
            watched = [self._woken, self.listener] + (list(self.pairs) if self.mode in ("open", "slow") else [])
            for ready in select.select(watched, [], [])[0]:
                if ready is self._woken:
                    self._woken.recv(100)
                    if self.mode == "cut":
                        for one in list(self.pairs):
                            self._drop(one)
                    self._applied.set()
                    break  # what was watched before is out of date
                elif ready is self.listener:
                    self._accept()
                elif ready in self.pairs:
                    self._forward(ready)
        for one in list(self.pairs):
            self._drop(one)
        self.listener.close()
        self._woken.close()
        self._applied.set()

    def _forward(self, one):
        try:
            data = one.recv(300 if self.mode == "slow" else 1 << 16)
            if data:
                self.pairs[one].sendall(data)
                if self.mode == "slow":
                    time.sleep(0.01)
                return
        except OSError:
            pass
        self._drop(one)


class HerdTest(unittest.TestCase):
    """Owns directories, herds and their end."""

    maxDiff = 4000

    def setUp(self):
        self._herds = []
        self._directories = []
        # First in, last out: clients and stubs registered later are closed before the servers are stopped.
        self.addCleanup(self._end)

    def run(self, result=None):
        before = (len(result.failures) + len(result.errors)) if result else 0
        super().run(result)
        failed = result and len(result.failures) + len(result.errors) > before
        for directory in getattr(self, "_directories", []):
            if failed:
                self._show(directory)
            else:
                shutil.rmtree(directory, ignore_errors=True)

    @staticmethod
    def _show(directory):
        print(f"\nkept: {directory}", file=sys.stderr)
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if name.endswith((".log", ".stderr")) and os.path.getsize(path):
                with open(path, "rb") as file:
                    file.seek(max(0, os.path.getsize(path) - 3000))
                    text = file.read().decode("ascii", "backslashreplace")
                print(f"--- {name}\n{text}", file=sys.stderr)

    def hup(self, server, event="configuration_reloaded"):
        """SIGHUP, and the line that says how it went: configuration_reloaded or configuration_kept."""
        before = len(server.events(event))
        server.signal(signal.SIGHUP)
        return wait_for(lambda: server.events(event)[before:], f"{server.name}: {event}")[0]

    def directory(self):
        path = tempfile.mkdtemp(prefix="herd-test-")
        self._directories.append(path)
        return path

    def herd(self, names, links=(), **options):
        herd = Herd(self, names, links, **options)
        self._herds.append(herd)
        return herd

    def one(self, **options):
        """One server, started."""
        env, files = options.pop("env", None), options.pop("files", None)
        return self.herd(["Riley"], **options)["Riley"].start(env, files)

    def _end(self):
        servers = [server for herd in self._herds for server in herd if server.process]
        try:
            for server in servers:
                if server.running:
                    with contextlib.suppress(ProcessLookupError):
                        server.resume()
                        server.signal(signal.SIGTERM)
            for server in servers:
                if server.exit_code is None:
                    server.wait()
        finally:
            for server in servers:
                if server.running:
                    server.process.kill()
                    server.process.wait()
            free_ports_again()
        for server in servers:
            said = server.stderr()
            if "Sanitizer" in said or "runtime error" in said or (said and not server.may_speak):
                self.fail(f"{server.name} said: {said[:6000]}")
            if not server.killed:
                self.assertIn(server.exit_code, (0, 1, 2) if server.may_speak else (0,), f"{server.name}'s exit code")
            for line in server.log_text(whole=True).split("\n")[:-1]:
                Event(line)


def main():
    unittest.main(verbosity=2)
