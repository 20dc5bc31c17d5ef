#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What examples/certificates makes is what a server takes: each server of a configuration is checked with it.

usage: certificates.py SCRIPT HERD_SERVER
"""
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile

script, server = (os.path.abspath(path) for path in sys.argv[1:3])
work = tempfile.mkdtemp(prefix="herd-certificates-")
atexit.register(shutil.rmtree, work)
os.chdir(work)
tls = {"certificate": work + "/tls/{name}.pem", "key": work + "/tls/{name}.key", "ca": work + "/tls/ca.pem"}
config = {"herd": "meadow", "servers": {"North": {"port": 1, "host": "127.0.0.1"}, "South_2.x": {"port": 2, "host": "localhost"}},
          "links": [["North", "South_2.x"]], "tls": tls}
json.dump(config, open("herd.json", "w"))


def run(*args):
    return subprocess.run(args, capture_output=True, text=True, timeout=60)


def check(name):
    return run(server, "--check", "--config", "herd.json", name)


done = run(script, "herd.json", "tls", "kiwi")
assert done.returncode == 0, done.stderr
made = {"ca.pem", "ca.key", "ca.serial", "North.pem", "North.key", "South_2.x.pem", "South_2.x.key", "kiwi.pem", "kiwi.key"}
assert set(os.listdir("tls")) == made, os.listdir("tls")
for name in made:
    if name.endswith(".key"):
        assert os.stat("tls/" + name).st_mode & 0o777 == 0o600, name
for name in config["servers"]:
    done = check(name)
    assert done.returncode == 0 and "note: certificate ends at" in done.stderr, done.stderr
# HTTP knows a server by its host.
for name, found in (("North", "IP Address:127.0.0.1"), ("South_2.x", "DNS:localhost")):
    words = run("openssl", "x509", "-in", "tls/%s.pem" % name, "-noout", "-ext", "subjectAltName").stdout
    assert "URI:herd://meadow/server/%s, %s\n" % (name, found) in words, words
# A second run keeps what is there; what was deleted is made anew, here for as long as a warning needs.
before = {name: open("tls/" + name).read() for name in made - {"ca.serial"}}
os.remove("tls/North.pem")
assert run(script, "--days", "10", "herd.json", "tls", "kiwi").returncode == 0
assert all(open("tls/" + name).read() == text for name, text in before.items() if not name.startswith("North"))
done = check("North")
assert done.returncode == 0 and "warning: certificate ends at" in done.stderr, done.stderr
# A client's certificate is none for a server, and one server's is none for another.
for name, words in (("kiwi", "found=herd://meadow/client/kiwi"), ("South_2.x", "found=herd://meadow/server/South_2.x")):
    shutil.copy("tls/%s.pem" % name, "tls/North.pem")
    shutil.copy("tls/%s.key" % name, "tls/North.key")
    done = check("North")
    assert done.returncode == 2 and words in done.stderr, done.stderr
for args, words in ((["herd.json", "tls", "a b"], "a client's name"), (["herd.json", "tls", "North"], "name of the herd or of"),
                    (["herd.json"], "examples/certificates herd.json")):
    done = run(script, *args)
    assert done.returncode == 2 and words in done.stderr, (args, done.stderr)
