# SPDX-License-Identifier: MIT
"""Network namespaces: one a server, each with a cable to a switch in a namespace of its own. Nothing outside of them is
touched; their names say which process made them, so that what a killed run left behind can be told and removed.

    cables.pull(name)            the cable of a server, at the switch: what it sends goes nowhere
    cables.plug(name)
    cables.swallow(a, b)         a sends to b, and nothing arrives: a route into nowhere, one way
    cables.deliver(a, b)
"""
import ctypes
import os
import re
import subprocess

PREFIX = "herd-test-"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """Namespaces cannot be had here; the message says why."""


def ip(*args, check=True):
    done = subprocess.run(["ip", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode:
        raise Unavailable(f"ip {' '.join(args)}: {done.stdout.strip()}")
    return done.stdout


def remove_leftovers():
    for line in ip("netns", "list", check=False).splitlines():
        match = re.match(PREFIX + r"(\d+)-\w+", line)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            ip("netns", "delete", match[0], check=False)


class Inside:
    """with Inside(namespace): sockets made by this thread belong to it."""

    def __init__(self, namespace):
        self.path = f"/run/netns/{namespace}"

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        enter(self.path)

    def __exit__(self, *exc):
        if _libc.setns(self.home, CLONE_NEWNET) < 0:
            os._exit(70)  # lost in a namespace: nothing after this could be believed
        os.close(self.home)


def enter(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(fd)


class Cables:
    def __init__(self, names, cleanup):
        if os.geteuid() != 0:
            raise Unavailable("only root may make network namespaces")
        try:
            ip("-V")
        except FileNotFoundError:
            raise Unavailable("there is no program ip (Debian package iproute2)") from None
        remove_leftovers()
        self.names = list(names)
        self.switch = self.make("switch", cleanup)
        ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.switch, "link", "set", "bridge", "up")
        self.namespaces, self.addresses = {}, {}
        for i, name in enumerate(self.names):
            inside = self.namespaces[name] = self.make(name, cleanup)
            self.addresses[name] = f"10.0.0.{i + 1}"
            ip("-n", self.switch, "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", inside)
            ip("-n", self.switch, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", inside, "address", "add", self.addresses[name] + "/24", "dev", "eth0")
            ip("-n", inside, "link", "set", "eth0", "up")
            ip("-n", inside, "link", "set", "lo", "up")

    def make(self, name, cleanup):
        namespace = f"{PREFIX}{os.getpid()}-{name}"
        cleanup(ip, "netns", "delete", namespace, check=False)
        ip("netns", "add", namespace)
        return namespace

    def port(self, name):
        return f"port{self.names.index(name)}"

    def pull(self, name):
        ip("-n", self.switch, "link", "set", self.port(name), "down")

    def plug(self, name):
        ip("-n", self.switch, "link", "set", self.port(name), "up")

    def swallow(self, a, b):
        ip("-n", self.namespaces[a], "route", "replace", "blackhole", self.addresses[b] + "/32")

    def deliver(self, a, b):
        ip("-n", self.namespaces[a], "route", "delete", "blackhole", self.addresses[b] + "/32")
