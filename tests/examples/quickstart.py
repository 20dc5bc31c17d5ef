#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs examples/quickstart with a herd-server that is built already, plain and secure, and checks what it shows; then leaves
the herd running, asks for the page at the address that is printed, and ends it.

usage: quickstart.py QUICKSTART HERD_SERVER plain|secure
"""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request

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
    """The first of five free ports in a row, and 80 beyond them, below the range from which the kernel takes ports for others."""
    for first in range(15000 + os.getpid() % 900 * 5, 32000, 5):
        held = []
        try:
            for port in [*range(first, first + 5), *range(first + 80, first + 85)]:
                held.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise AssertionError("no five free ports in a row")


def run(*options, **env):
    process = subprocess.Popen([quickstart, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True, env=dict(os.environ, HERD_SERVER=server, **env))
    try:
        out, _ = process.communicate(timeout=100)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out
    return out


def get(url, logs, token):
    """What is at this address, as a browser with this token gets it."""
    context = ssl.create_default_context(cafile=f"{logs}/tls/ca.pem") if secure else None
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                         *([urllib.request.HTTPSHandler(context=context)] if context else []))
    with opener.open(request, timeout=20) as answer:
        return answer.read().decode()


def look_at_the_page():
    """--keep prints addresses of pages, and what those need; --stop ends all."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"HERD_PORT": str(five_ports()), "HERD_RUNNING": folder + "/running"}
        options = ["--secure"] if secure else []
        try:
            kept = run(*options, "--keep", **env)
            pages = re.findall(r"^  (https?://127\.0\.0\.1:\d+/)  as (\w+) sees it$", kept, re.M)
            assert [name for _, name in pages] == ["Riley", "Jaquez", "Juzang", "Campbell", "Bernard"], kept
            logs = re.search(r"^  logs:  (\S+)$", kept, re.M)[1]
            token = open(f"{logs}/operator.token").read().strip() if secure else None
            for url, name in pages:
                assert url.startswith("https:" if secure else "http:")
                assert "<!doctype html>" in get(url, logs, None)
                assert json.loads(get(url + "v1/node", logs, token))["name"] == name
                assert "kiwi" in get(url + "v1/clients", logs, token)
        finally:
            stopped = run("--stop", **env)
        assert "The herd is stopped." in stopped and not os.path.exists(logs), stopped


out = run(*(["--secure"] if secure else []), HERD_PORT=str(five_ports()))
shown = [r"^  \| AT Riley \S+ kiwi\S* \+34\.068930-118\.445127 ", r'"name" : "Beverly Hills"', r"^Done; the five servers are stopped\.$"]
if secure:
    shown += [r"^  \| OK kiwi$", r"^  \| \? AUTH$", r"^  \| \? WHATSAT kiwi 20 1$", r"^  \| \? IAMAT bus ",
              r"^  \| \(closed without a word\)$", r"^  \| REFUSE peer_not_proved$", r"^  Riley\.log: warn tls_issuer_unknown "]
    assert "herd_" not in out.replace("herd_...", "").replace("herd_wrong", ""), "it shows the token"
else:
    shown += [r"^  \| AT Campbell \S+ bus\.lausanne\.example ", r"^  \| \? WHEREIS "]
for pattern in shown:
    assert re.search(pattern, out, re.M), (pattern, out)
look_at_the_page()
