#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""README's "An open network", done as it says: its commands are run as printed, its configuration is checked and started,
and its client's lines are spoken with its command. Only /etc/herd, hosts and ports are this test's own.

usage: open_network.py SOURCE_ROOT HERD_SERVER
"""
import atexit
import json
import os
import re
import signal
import socket
import subprocess
import threading

from readme_herd import PATIENCE_S, begin, configuration, free_port, root, server, text, until

work = begin(["openssl"])
section = re.search(r"^### An open network\n(.*?)^### ", text, re.M | re.S).group(1)
blocks = dict((language, []) for language in ("json", "sh", ""))
for language, block in re.findall(r"^```(\w*)\n(.*?)^```", section, re.M | re.S):
    blocks[language].append(block)
addition, = blocks["json"]
commands, client = blocks["sh"]
said, = blocks[""]
herd = configuration(addition, work)
for one in herd["servers"].values():
    one["admin_port"] = free_port()
with open("herd.json", "w") as file:
    json.dump(herd, file)

# What stands for the programs and folders that a user has where these commands are printed.
os.symlink(os.path.join(root, "examples"), "examples")
path = os.path.dirname(server) + ":" + os.environ["PATH"]
done = subprocess.run(["bash", "-euc", commands], env=dict(os.environ, PATH=path), capture_output=True, text=True, timeout=PATIENCE_S)
assert done.returncode == 0, (done.stdout, done.stderr)
token = open("kiwi.token").readline().strip()
for name in herd["servers"]:
    done = subprocess.run([server, "--check", "--config", "herd.json", name], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, (name, done.stdout, done.stderr)
    assert "warning" not in done.stdout + done.stderr, (name, done.stdout, done.stderr)
for name in ("secret", "tls/Oslo.key", "kiwi.token", "tls/ca.key"):
    assert os.stat(name).st_mode & 0o077 == 0, name

servers = {}
for name in herd["servers"]:
    servers[name] = subprocess.Popen([server, "--config", "herd.json", "--log", name + ".log", name])
    atexit.register(servers[name].kill)


def log(name):
    return open(name + ".log").read() if os.path.exists(name + ".log") else ""


def says(lines, *more):
    """What comes back to these lines, up to the answer to a last one that is no command, or the end."""
    command = client.replace("oslo.herd.example:12000", "127.0.0.1:%d" % herd["servers"]["Oslo"]["port"]).split()
    talk = subprocess.Popen(command + list(more), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        talk.stdin.write(lines + "END\n")
        talk.stdin.flush()
    except OSError:
        pass  # closed already
    timer = threading.Timer(PATIENCE_S, talk.kill)
    timer.start()
    heard = []
    for line in talk.stdout:
        if line == "? END\n":
            break
        heard.append(line.rstrip("\n"))
    timer.cancel()
    talk.kill()
    talk.communicate()
    return heard


try:
    until(lambda: " peer_up " in log("Oslo") and " peer_up " in log("Ghent"), "the link")
    heard = says(re.sub(r"herd_\w{43}", token, said))
    assert len(heard) == 2 and heard[0] == "OK kiwi" and heard[1].startswith("AT Oslo "), heard
    assert says(said)[:1] == ["? AUTH"], "the token that is printed is one"
    report = said.splitlines()[1]
    assert says(report + "\n") == ["? " + report], "who has no token may report"
    desk = re.search(r"`(-cert [^`]*)`", section).group(1).split()
    heard = says("WHATSAT kiwi 10 0\n" + report + "\n", *desk)
    assert heard[0].startswith("AT Oslo ") and heard[-1] == "? " + report, heard
    # How it is, as README says it; to whom has no admin, nothing.
    ops = open("ops.token").readline().strip()
    verify = re.search(r"`(HERD_TOKEN_FILE=ops.token [^`]*)`", section).group(1)
    for word, status in (("ops.token", 0), ("kiwi.token", 2)):
        done = subprocess.run(["bash", "-euc", verify.replace("ops.token", word)], env=dict(os.environ, PATH=path), capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == status, (word, done.stdout, done.stderr)
    # A token more, and one less: SIGHUP, with a file that is wrong in between.
    lines = open("identities").read()
    open("identities", "w").write("kiwi sha256:1 kiwi kiwi\n")
    servers["Oslo"].send_signal(signal.SIGHUP)
    until(lambda: " configuration_kept " in log("Oslo"), "configuration_kept")
    assert says(re.sub(r"herd_\w{43}", token, said))[:1] == ["OK kiwi"]
    second, line = subprocess.run([server, "--token", "kiwi"], capture_output=True, text=True, check=True).stdout.splitlines()
    open("identities", "w").write(lines.replace("sha256:", line.split()[1] + " sha256:", 1))
    servers["Oslo"].send_signal(signal.SIGHUP)
    until(lambda: " configuration_reloaded " in log("Oslo"), "configuration_reloaded")
    for one in (token, second):
        assert says(re.sub(r"herd_\w{43}", one, said))[:1] == ["OK kiwi"], one
    open("identities", "w").write(line + "\n")
    servers["Oslo"].send_signal(signal.SIGHUP)
    until(lambda: log("Oslo").count(" configuration_reloaded ") == 2, "configuration_reloaded")
    assert says(re.sub(r"herd_\w{43}", token, said)) == ["? AUTH"]
    assert says(re.sub(r"herd_\w{43}", second, said))[:1] == ["OK kiwi"]
    # A renewed certificate, as README says.
    os.remove("tls/Oslo.pem")
    before = log("Oslo").count(" configuration_reloaded ")
    renew = next(one for one in commands.splitlines() if one.startswith("examples/certificates"))
    subprocess.run(["bash", "-euc", renew], env=dict(os.environ, PATH=path), check=True, capture_output=True, timeout=PATIENCE_S)
    servers["Oslo"].send_signal(signal.SIGHUP)
    until(lambda: log("Oslo").count(" configuration_reloaded ") > before, "configuration_reloaded")
    assert says(re.sub(r"herd_\w{43}", second, said))[:1] == ["OK kiwi"]
    # The change of a herd that runs: allow lets in who does not speak TLS, require does not, and a reload is enough.
    for mode, answer in [("allow", b"? WHATSAT kiwi 10 0\n"), ("require", b"")]:
        herd["tls"]["mode"] = mode
        with open("herd.json", "w") as file:
            json.dump(herd, file)
        before = log("Oslo").count(" configuration_reloaded ")
        servers["Oslo"].send_signal(signal.SIGHUP)
        until(lambda: log("Oslo").count(" configuration_reloaded ") > before, "configuration_reloaded")
        with socket.create_connection(("127.0.0.1", herd["servers"]["Oslo"]["port"]), timeout=PATIENCE_S) as plain:
            plain.sendall(b"WHATSAT kiwi 10 0\n")
            plain.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: plain.recv(4096), b"")) == answer, mode
    assert " peer_down " not in log("Oslo"), "the link ended"
    for name in servers:
        for one in (token, second, ops, token[5:], open("secret").read().strip()):
            assert one not in log(name), name
finally:
    for process in servers.values():
        process.kill()
        process.wait()
