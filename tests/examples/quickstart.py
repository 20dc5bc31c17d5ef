#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs examples/quickstart with a herd-server that is built already, plain and secure, and checks what it shows.

usage: quickstart.py QUICKSTART HERD_SERVER plain|secure
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

quickstart, server, mode = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
secure = mode == "secure"
missing = [name for name in ["nc"] + (["openssl"] if secure else []) if not shutil.which(name)]
if missing:
    print("SKIP: not installed:", ", ".join(missing))
    sys.exit(77)
if secure and subprocess.run([server, "--token", "kiwi"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
    print("SKIP: a library without OpenSSL")
    sys.exit(77)


def five_ports():
    """The first of five free ports in a row, below the range from which the kernel takes ports for others."""
    for first in range(15000 + os.getpid() % 900 * 5, 32000, 5):
        held = []
        try:
            for port in range(first, first + 5):
                held.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise AssertionError("no five free ports in a row")


process = subprocess.Popen([quickstart] + (["--secure"] if secure else []), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, start_new_session=True,
                           env=dict(os.environ, HERD_SERVER=server, HERD_PORT=str(five_ports())))
try:
    out, _ = process.communicate(timeout=100)
finally:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
assert process.returncode == 0, out
shown = [r"^  \| AT Riley \S+ kiwi\S* \+34\.068930-118\.445127 ", r'"name" : "Beverly Hills"', r"^Done; the five servers are stopped\.$"]
if secure:
    shown += [r"^  \| OK kiwi$", r"^  \| \? AUTH$", r"^  \| \? WHATSAT kiwi 20 1$", r"^  \| \? IAMAT bus ",
              r"^  \| \(closed without a word\)$", r"^  \| REFUSE peer_not_proved$", r"^  Riley\.log: warn tls_issuer_unknown "]
    assert "herd_" not in out.replace("herd_...", "").replace("herd_wrong", ""), "it shows the token"
else:
    shown += [r"^  \| AT Campbell \S+ bus\.lausanne\.example ", r"^  \| \? WHEREIS "]
for pattern in shown:
    assert re.search(pattern, out, re.M), (pattern, out)
