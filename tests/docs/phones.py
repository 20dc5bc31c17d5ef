#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""README's "Phones" and "Programs", done as they say, on the herd of "An open network": its commands are run as printed, and what the app is
told to send is in and found on another server. Only /etc/herd, hosts and ports are this test's own.

usage: phones.py SOURCE_ROOT HERD_SERVER
"""
import atexit
import json
import os
import re
import signal
import subprocess

from readme_herd import PATIENCE_S, begin, configuration, free_port, root, server, text, until

work = begin(["openssl", "curl"])


def part(heading):
    return re.search(r"^### %s\n(.*?)^### " % heading, text, re.M | re.S).group(1)


def blocks(section, language):
    return re.findall(r"^```%s\n(.*?)^```" % language, section, re.M | re.S)


def bash(commands):
    path = os.path.dirname(server) + ":" + os.environ["PATH"]
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(["bash", "-euc", commands], env={**env, "PATH": path}, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


def log(name):
    return open(name + ".log").read() if os.path.exists(name + ".log") else ""


opened, phones = part("An open network"), part("Phones")
herd = configuration(blocks(opened, "json")[0], work)
member, port_said = re.search(r'`"(http_port)": (\d+)`', phones).groups()
http_ports = {name: free_port() for name in ("Oslo", "Ghent")}
for name, port in http_ports.items():
    herd["servers"][name][member] = port
herd.update(json.loads("{%s}" % re.search(r'`("area": true)`', part("Programs")).group(1)))
with open("herd.json", "w") as file:
    json.dump(herd, file)
os.symlink(os.path.join(root, "examples"), "examples")
bash(blocks(opened, "sh")[0])
servers = {}
for name in ("Oslo", "Ghent"):
    servers[name] = subprocess.Popen([server, "--config", "herd.json", "--log", name + ".log", name])
    atexit.register(servers[name].kill)
try:
    until(lambda: all(" listening_http " in log(name) for name in servers) and " peer_up " in log("Ghent"), "the herd")
    token_commands, by_hand = blocks(phones, "sh")
    bash(token_commands)
    line = open("identities").read().splitlines()[-1].split()
    assert line[0] == "jane" and line[2:] == ["jane/*", "jane/*"], line
    for process in servers.values():
        process.send_signal(signal.SIGHUP)
    for name in servers:
        until(lambda: " configuration_reloaded " in log(name), "configuration_reloaded")
    url, = re.findall(r"URL `(https://[^`]*/pub)`", phones)
    assert url in by_hand and port_said in url, url
    report, question = by_hand.replace("oslo.herd.example:" + port_said, "127.0.0.1:%d" % http_ports["Oslo"]).splitlines()
    assert bash(report) == "[]"
    found, = json.loads(bash(question))
    assert (found["username"], found["device"], found["lat"], found["lon"], found["tst"]) == ("jane", "phone", 59.913, 10.752, 1621464827), found
    there = question.replace(str(http_ports["Oslo"]), str(http_ports["Ghent"]))
    until(lambda: json.loads(bash(there)) == [found], "the report at Ghent")
    # Programs do as they.
    put, get, places, way, near = "".join(blocks(part("Programs"), "sh")).replace("oslo.herd.example:" + port_said, "127.0.0.1:%d" % http_ports["Oslo"]).splitlines()
    assert json.loads(bash(put))["state"] == "new"
    assert json.loads(bash(get))["geometry"]["coordinates"] == [10.752, 59.913]
    around = json.loads(bash(places))
    assert around["status"] == "OK" and around["results"][0]["name"] == "Oslo", around
    way = json.loads(bash(way))
    assert (way["id"], way["server"], way["heard_from"]) == ("jane/car", "Oslo", None), way
    for question in (near, near.replace("59.91,10.75&", "jane%2Fcar&")):
        found = json.loads(bash(question))
        assert {f["id"] for f in found["features"]} in ({"jane/car", "jane/phone"}, {"jane/phone"}) and not found["truncated"], found
        assert all(f["properties"]["distance"] < 500 for f in found["features"]), found
    # Other credentials, and none.
    for what, to, status in (('"jane:', '"bob:', "403"), ("jane:$(head", "jane:x$(head", "401")):
        assert bash(report.replace("curl", "curl -o answer -w '%{http_code}'", 1).replace(what, to, 1)) == status, status
    token = open("jane.token").readline().strip()
    for name in servers:
        assert token not in log(name), name
finally:
    for process in servers.values():
        process.kill()
        process.wait()
