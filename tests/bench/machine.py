# SPDX-License-Identifier: MIT
"""The machine a benchmark runs on: processes pinned to CPUs that never outlive the run, free ports, CPU time
and memory of a process as the kernel accounts them, Debian packages, and what to say about the machine."""
import ctypes
import os
import platform
import random
import resource
import shutil
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
START_S = 30
STOP_S = 5
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Something went wrong that makes a figure impossible; the message says what."""


def cpu_ns(pid):
    """CPU time of all threads of a process, from the clock that the scheduler keeps."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def rss_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} has no memory")


def at_rest(pids, window_s=0.1, share=0.02, patience_s=120):
    """Waits until all processes together use less than this share of a core."""
    give_up = time.monotonic() + patience_s
    before = sum(map(cpu_ns, pids))
    while time.monotonic() < give_up:
        time.sleep(window_s)
        now = sum(map(cpu_ns, pids))
        if now - before < share * window_s * 1e9:
            return
        before = now
    raise Failed("the servers do not come to rest")


class Ports:
    """Free ports of the loopback, below those the kernel gives to outgoing connections; each once."""

    def __init__(self):
        self.given = set()

    def __call__(self):
        for _ in range(10000):
            port = random.randrange(20000, 32000)
            if port in self.given:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self.given.add(port)
            return port
        raise Failed("no free port")


def child_setup(cpu, policy=None):
    """Between fork and exec: pinned to a CPU or a set of them, killed when the run dies however it dies, as many
    files as allowed."""

    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cpu if isinstance(cpu, set) else {cpu})
        if policy is not None:
            try:
                os.sched_setscheduler(0, policy, os.sched_param(1 if policy == os.SCHED_FIFO else 0))
            except PermissionError:
                pass  # not root: the generator shares its CPU as anyone does
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare


class Process:
    """A server under measurement."""

    def __init__(self, argv, name, port, cpu, directory, policy=None):
        self.name, self.port = name, port
        self.errors = os.path.join(directory, f"{name}.{port}.stderr")
        with open(self.errors, "wb") as errors:
            self.popen = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                cwd=directory, preexec_fn=child_setup(cpu, policy), start_new_session=True)
        self.pid = self.popen.pid

    def wait_ready(self):
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            if self.popen.poll() is not None:
                raise Failed(f"{self.name} ended with status {self.popen.returncode}: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise Failed(f"{self.name} does not listen on port {self.port}: {self.said()}")

    def said(self):
        with open(self.errors, "r", encoding="utf-8", errors="replace") as errors:
            return errors.read()[-500:].strip() or "it said nothing"

    def stop(self):
        if self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def installed(program):
    return shutil.which(program) is not None


def install(packages):
    """Installs Debian packages without starting their services. True if apt-get succeeded."""
    if os.geteuid() != 0 or not installed("apt-get"):
        return False
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for attempt in (command, ["apt-get", "update", "-q"], command):
        done = subprocess.run(attempt, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
        if done and attempt is command:
            return True
    return False


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else None


def describe():
    """What a figure is not to be quoted without."""
    about = {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": platform.release(),
             "cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                about["cpu"] = line.split(":", 1)[1].strip()
                break
    about["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    about["system"] = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    about["virtual"] = first_line("systemd-detect-virt") or "unknown"
    versions = {"gcc": ("gcc", "--version"), "redis": ("redis-server", "--version"), "memcached": ("memcached", "-V"),
                "node": ("node", "--version"), "java": ("java", "-version"), "python": ("/usr/bin/python3", "-V"),
                "libevent": ("pkg-config", "--modversion", "libevent_core")}
    about["versions"] = {name: first_line(*command) for name, command in versions.items()}
    return about
