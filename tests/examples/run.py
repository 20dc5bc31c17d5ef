#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one example and checks what it prints.

usage: run.py NAME PROGRAM HERD_SERVER tls|plain
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
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from free_port import free_port  # noqa: E402  pylint: disable=wrong-import-position

name, program, herd_server, with_tls = sys.argv[1:5]
HERE = os.path.dirname(os.path.abspath(__file__))
program, herd_server = os.path.abspath(program), os.path.abspath(herd_server)
work = tempfile.mkdtemp(prefix="herd-example-")
atexit.register(shutil.rmtree, work)
os.chdir(work)
PATIENCE_S = 30


def kill_all(*processes):
    for process in processes:
        if process and process.poll() is None:
            process.kill()
            process.wait()


def run(*args, stdin=""):
    done = subprocess.run([program, *args], input=stdin, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def write_herd(names, links):
    ports = {name: free_port() for name in names}
    config = {"servers": {n: {"port": p} for n, p in ports.items()}, "links": links}
    with open("herd.json", "w") as file:
        json.dump(config, file)
    return ports


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain for " + what)


def ask(port, lines):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(lines.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def begin(*args):
    with open("out", "wb") as out:
        return subprocess.Popen(list(args), stdout=out, stderr=subprocess.STDOUT)


def printed():
    return open("out").read()


def test_parse_lines():
    out = run(stdin="IAMAT kiwi +34.068930-118.445127 1621464827.9\nWHATSAT kiwi 10 5\n\nWHEREIS kiwi\n"
                    "AT Riley +0.5 kiwi +1-2 3\nPING")
    assert out.splitlines() == [
        "report id=kiwi time=1621464827.9 lat_deg=34.068930 lon_deg=-118.445127",
        "question id=kiwi radius_km=10 bound=5",
        "blank",
        "invalid",
        "record server=Riley diff=+0.5 id=kiwi lat_deg=1.000000 lon_deg=-2.000000",
        "between servers",
    ], out


def test_three_nodes():
    out = run()
    assert re.search(r"^East replies: AT East [+-]\d+\.\d{9} kiwi \+34\.068930-118\.445127 1621464827\.959498503$",
                     out, re.M), out
    assert "West knows: kiwi is at +34.068930-118.445127, as East heard\n" in out, out


def test_own_places():
    out = run()
    assert out.count("Coffee cart") == 1 and "Book stall" not in out, out
    assert '"name" : "Lausanne"' in out, out


def test_embed():
    ports = write_herd(["Here", "There"], [["Here", "There"]])
    here = begin(program, "herd.json", "Here")
    there = None
    try:
        until(lambda: listens(ports["Here"]), "the embedded node")
        log = open("There.out", "wb")
        there = subprocess.Popen([herd_server, "-c", "herd.json", "There"], stdout=log, stderr=log)
        until(lambda: listens(ports["There"]), "its neighbour")
        reply = ask(ports["There"], "IAMAT kiwi +34.068930-118.445127 1621464827.9\n")
        assert reply.startswith("AT There "), reply
        until(lambda: "kiwi is at +34.068930-118.445127\n" in printed(), "the update")
        until(lambda: "2 clients known\n" in printed(), "the program's own work")
        until(lambda: ask(ports["There"], "WHATSAT program 1 0\n").startswith("AT Here "), "the program's own report")
        here.send_signal(signal.SIGINT)
        assert here.wait(PATIENCE_S) == 0, printed()
    finally:
        kill_all(here, there)


def test_near():
    """Who reports to another server comes to the place, jitters at the border, goes, and is deleted."""
    ports = write_herd(["Here", "There"], [["Here", "There"]])
    with open("herd.json") as file:
        config = json.load(file)
    with open("herd.json", "w") as file:
        json.dump({**config, "limits": {"tombstones_max": 9, "forget_line": 1}}, file)
    here = begin(program, "48.8584", "2.2945", "herd.json", "Here")
    there = None
    try:
        until(lambda: listens(ports["Here"]), "the embedded node")
        log = open("There.out", "wb")
        there = subprocess.Popen([herd_server, "-c", "herd.json", "There"], stdout=log, stderr=log)
        until(lambda: listens(ports["There"]), "its neighbour")
        expected = ""
        for time_s, (id, position, says) in enumerate((
                ("kiwi", "+48.8584+2.3000", ""),  # 402 m away
                ("kiwi", "+48.8584+2.2966", "kiwi comes: +48.8584+2.2966\n"),
                ("plum", "+48.8584+2.2945", "plum comes: +48.8584+2.2945\n"),
                ("kiwi", "+48.8584+2.29735", ""),  # 208 m: within the margin
                ("kiwi", "+48.8584+2.2967", ""),
                ("kiwi", "+48.8600+2.3000", "kiwi goes\n"),
                ("last", "+48.8585+2.2945", "last comes: +48.8585+2.2945\n"))):
            ask(ports["There"], f"IAMAT {id} {position} {1621464827 + time_s}\n")
            until(lambda: ask(ports["Here"], f"WHATSAT {id} 1 0\n").split()[4:5] == [position], "the report")
            expected += says
        ask(ports["There"], "FORGET plum\n")
        until(lambda: printed() == expected + "plum is gone\n", expected)
        here.send_signal(signal.SIGINT)
        assert here.wait(PATIENCE_S) == 0, printed()
    finally:
        kill_all(here, there)
    wrong = subprocess.run([program, "91", "0"], capture_output=True, text=True, timeout=PATIENCE_S)
    assert wrong.returncode == 1 and "no fence" in wrong.stderr, wrong


def test_custom_command():
    """The program's own command keeps its place among hundreds of others, look-ups included."""
    ports = write_herd(["Here"], [])
    here = begin(program, "herd.json", "Here")
    try:
        until(lambda: listens(ports["Here"]), "the node")
        one = "COUNT\nIAMAT id%d +34.068930-118.445127 1621464827.9\nWHATSAT id%d 10 1\nNONSENSE\tx \nCOUNT\n"
        reply = ask(ports["Here"], "".join(one % (i, i) for i in range(100)) + "\nCOUNT")
        words = re.sub(r"^\{.*?^\}\n$", "json", reply, flags=re.M | re.S).splitlines()
        expected = []
        for i in range(100):
            expected += [str(i), "AT id%d" % i, "AT id%d" % i, "json", "? NONSENSE\tx ", str(i + 1)]
        words = [re.sub(r"^AT Here \S+ (\S+) .*", r"AT \1", word) for word in words]
        assert words == expected + ["100"], words[:20]
        here.send_signal(signal.SIGINT)
        assert here.wait(PATIENCE_S) == 0, printed()
    finally:
        if here.poll() is None:
            here.kill()
            here.wait()


def test_tracker():
    """The server in use is killed half-way: the walk goes on elsewhere, and no point is lost. Files that are wrong."""
    gone = subprocess.run([program, "1", "walker", "gone.gpx", "127.0.0.1:9"], capture_output=True, text=True)
    assert gone.returncode == 1 and "gone.gpx: No such file" in gone.stderr, gone
    ports = write_herd(["East", "West"], [["East", "West"]])
    servers = {}
    try:
        for one in ports:
            log = open(one + ".out", "wb")
            servers[one] = subprocess.Popen([herd_server, "-c", "herd.json", one], stdout=log, stderr=log)
            until(lambda: listens(ports[one]), one)
        walk = begin(program, "100", "walker", os.path.join(HERE, "../../examples/walk.gpx"),
                     *("127.0.0.1:%d" % port for port in ports.values()))
        servers["walk"] = walk
        until(lambda: printed().count("East took") >= 2, "two points at East")
        servers["East"].kill()
        assert walk.wait(PATIENCE_S) == 0, printed()
        out = printed()
        places = re.findall(r"^(?:East|West) took (\S+)$", out, re.M)
        assert len(places) == 6 and places[-1] == "+34.010000000-118.496500000", out
        assert "West took" in out and "West says what is near: {" in out, out
        assert "127.0.0.1:%d: " % ports["East"] in out, out
    finally:
        for process in servers.values():
            if process.poll() is None:
                process.kill()
            process.wait()


def secure_walk():
    """The same over TLS, with names and a token from a file; with a wrong name nothing is said to the server."""
    tls = {"mode": "require", "ca": "tls/ca.pem", "certificate": "tls/{name}.pem", "key": "tls/{name}.key"}
    token = subprocess.run([herd_server, "--token", "walker"], capture_output=True, text=True, timeout=PATIENCE_S)
    lines = token.stdout.splitlines()
    secret = next(word for line in lines for word in line.split() if word.startswith("herd_"))
    proof = next(word for line in lines for word in line.split() if word.startswith("sha256:"))
    port = free_port()
    with open("herd.json", "w") as file:
        json.dump({"herd": "meadow", "servers": {"East": {"port": port}}, "links": [], "tls": tls,
                   "identities": "identities"}, file)
    with open("identities", "w") as file:
        file.write("walker %s walker walker\n" % proof)
    with open("token", "w") as file:
        file.write(secret + "\n")
    for path in ["identities", "token"]:
        os.chmod(path, 0o600)
    subprocess.run([os.path.join(HERE, "../../examples/certificates"), "herd.json", "tls"], check=True, timeout=PATIENCE_S,
                   stdout=subprocess.DEVNULL)
    with open("East.out", "wb") as log:
        server = subprocess.Popen([herd_server, "-c", "herd.json", "East"], stdout=log, stderr=log)
    try:
        until(lambda: listens(port), "East")
        track = os.path.join(HERE, "../../examples/walk.gpx")
        trust = ["--ca", "tls/ca.pem", "--herd", "meadow", "--token-file", "token"]
        end = ["10", "walker", track, "127.0.0.1:%d" % port]
        out = run(*trust, "--name", "East", *end)
        assert out.count("East took ") == 6 and "East says what is near: {" in out, out
        wrong = begin(program, *trust, "--name", "West", *end)
        until(lambda: "peer_name_differs: expected=West found=herd://meadow/server/East" in printed(), "the wrong name")
        wrong.kill()
        wrong.wait()
        assert secret not in out + printed() + open("East.out").read()
    finally:
        server.kill()
        server.wait()
    for bad in [["--token-file", "gone"], ["--ca", "gone", "--herd", "meadow"], ["--herd", "meadow"]]:
        done = subprocess.run([program, *bad, *end], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode != 0 and ("gone" in done.stderr or "usage" in done.stderr), done


globals()["test_" + name]()
if name == "tracker" and shutil.which("openssl") and with_tls == "tls":
    secure_walk()
