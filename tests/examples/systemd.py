#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""herd-server under a process manager: this test plays systemd's part of the protocol. Then systemd itself
judges the unit files, where it is installed.

usage: systemd.py HERD_SERVER SERVICE_UNIT SOCKET_UNIT BINDIR
"""
import atexit
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

server, service_unit, socket_unit = (os.path.abspath(path) for path in sys.argv[1:4])
installed = os.path.join(sys.argv[4], "herd-server")
work = tempfile.mkdtemp(prefix="herd-systemd-")
atexit.register(shutil.rmtree, work)
os.chdir(work)
PATIENCE_S = 30


def begin(inherited, *args, shell="", **variables):
    """Starts the server with sockets at 3 and up, as systemd does; LISTEN_PID must be its own number."""
    def place():
        for number, one in enumerate(inherited):
            os.dup2(one.fileno(), 3 + number, inheritable=True)
    script = (("export LISTEN_PID=$$ LISTEN_FDS=%d; " % len(inherited)) if inherited else "") + shell + 'exec "$@"'
    return subprocess.Popen(["/bin/sh", "-c", script, "sh", server, "--log", "log", *args, "Riley"],
                            env=dict(os.environ, **variables), preexec_fn=place, close_fds=False,
                            stderr=open("err", "wb"))


def listen():
    listener = socket.create_server(("127.0.0.1", 0))
    high = listener.dup()  # out of the way of 3, 4, ...
    fd = os.dup2(listener.fileno(), 100 + listener.fileno(), inheritable=False)
    listener.close()
    high.close()
    return socket.socket(fileno=fd)


def notes(where, path_in_kernel):
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(path_in_kernel)
    receiver.settimeout(PATIENCE_S)
    return receiver


for name, address in [(work + "/notify", work + "/notify"), ("@herd-test-%d" % os.getpid(), "\0herd-test-%d" % os.getpid())]:
    receiver, listener = notes(name, address), listen()
    process = begin([listener], NOTIFY_SOCKET=name, WATCHDOG_USEC="100000")
    try:
        assert receiver.recv(4096) == b"READY=1"
        for _ in range(3):
            assert receiver.recv(4096) == b"WATCHDOG=1"
        with socket.create_connection(listener.getsockname(), timeout=PATIENCE_S) as client:
            client.sendall(b"IAMAT kiwi +34.068930-118.445127 1621464827.9\n")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(4096).startswith(b"AT Riley "), "the inherited socket is not served"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        while True:
            note = receiver.recv(4096)
            if note == b"STOPPING=1":
                break
            assert note == b"WATCHDOG=1", note
        assert process.wait(PATIENCE_S) == 0, open("err").read()
        # The socket is still the manager's: a client that comes now waits for the next start.
        socket.create_connection(listener.getsockname(), timeout=PATIENCE_S).close()
    finally:
        process.kill()
        process.wait()
        receiver.close()
        listener.close()

# A socket that does not listen, and more of them than one, are said to be wrong.
plain = socket.socket()
fd = os.dup2(plain.fileno(), 120, inheritable=False)
process = begin([socket.socket(fileno=fd)])
assert process.wait(PATIENCE_S) == 1 and "cannot listen on the inherited socket 3" in open("err").read(), open("err").read()
process = begin([listen(), listen()])
assert process.wait(PATIENCE_S) == 2 and "expected one socket to listen on" in open("err").read(), open("err").read()

# The unit files.
text = open(service_unit).read()
lines = re.findall(r"^Exec(?:Start|Reload)=(\S+) (.*)$", text, re.M)
assert [program for program, _ in lines] == [installed, installed, "/bin/sh"], lines
for _, line in lines[:2]:
    arguments = line.replace("%i", "Riley").replace("/etc/herd/herd.json", work + "/herd.json").split()
    open("herd.json", "w").write("{}")
    if "--check" in arguments:
        assert subprocess.run([server, *arguments], timeout=PATIENCE_S).returncode == 0, line
    else:
        assert "--check" not in arguments and arguments[-1] == "Riley"
# What keeps keys in, and others' ports out; and the two ways in which a server gets its keys are there to be chosen.
for word in ("LimitCORE=0", "SystemCallFilter=sched_setscheduler", "SocketBindDeny=any", "SocketBindAllow=tcp:12000-12004", "UMask=0077"):
    assert re.search("^%s$" % re.escape(word), text, re.M), word
for word in ("LoadCredential=key:/etc/herd/tls/%i.key", "LoadCredential=secret:/etc/herd/secret", "SupplementaryGroups=herd-keys",
             "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'"):
    assert re.search("^#%s$" % re.escape(word), text, re.M), word
# Other servers bind only what the unit allows: the built-in herd is within it.
config = json.loads(subprocess.run([server, "--print-config"], capture_output=True, text=True, check=True).stdout)
assert all(12000 <= one["port"] <= 12004 for one in config["servers"].values())
if shutil.which("systemd-analyze"):
    instance = os.path.join(work, "herd@Riley.service")
    chosen = re.sub(r"^#(LoadCredential|SupplementaryGroups|ExecReload|IPAddress)", r"\1", text, flags=re.M)
    open(instance, "w").write(chosen.replace(installed, server))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", instance], capture_output=True, text=True, timeout=PATIENCE_S)
    assert not [line for line in done.stderr.splitlines() if "herd@" in line], done.stderr  # what is to be chosen is well formed
    open(instance, "w").write(text.replace(installed, server))
    shutil.copy(socket_unit, os.path.join(work, "herd@Riley.socket"))
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=12", instance],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    print(done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr)
    assert done.returncode == 0, "exposure above 1.2"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", instance, os.path.join(work, "herd@Riley.socket")],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    ours = [line for line in done.stderr.splitlines() if "herd@" in line]
    assert not ours, ours
else:
    print("systemd-analyze is not installed: the unit files are not judged")
