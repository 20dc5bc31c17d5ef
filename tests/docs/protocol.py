#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lib/PROTOCOL.md against the code. The hashes are made here once more, from its words alone; its worked example
must be what these words give, and what the library gives. Its conversation is held with a real server, and its
limits are those of the configuration. A neighbour made of its words alone, keys included, is one to a real server.

usage: protocol.py PROTOCOL.md RECORD_HASH HERD_SERVER
"""
import atexit
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from free_port import free_port  # noqa: E402  pylint: disable=wrong-import-position

text = open(sys.argv[1], encoding="utf-8").read()
record_hash, server = map(os.path.abspath, sys.argv[2:4])

# As hash_of below has it.
assert "h = fold(h ^ first, swap(h) ^ A ^ second) + (h ^ B)" in text

M = 2 ** 64 - 1
A, B, C = (int(re.search(name + r" = (0x[0-9a-f]{16})", text).group(1), 16) for name in "ABC")


def fold(a, b):
    return (a * b & M) ^ (a * b >> 64)


def hash_of(seed, data):
    if len(data) < 16:
        blocks = [data + bytes(16 - len(data))]
    else:
        blocks = [data[i:i + 16] for i in range(0, len(data) - 15, 16)]
        if len(data) % 16:
            blocks.append(data[-16:])
    h = seed ^ (len(data) * C & M)
    for block in blocks:
        first, second = (int.from_bytes(half, "little") for half in (block[:8], block[8:]))
        h = fold(h ^ first, (h << 32 & M | h >> 32) ^ A ^ second) + (h ^ B) & M
    return fold(h ^ C, B)


def record_hash_of(name, diff, client, place, when, key=0):
    whole, _, decimals = when.partition(".")
    plain = (whole == "0" or not whole.startswith("0")) and len(decimals) <= 9
    characters = diff + place + ("" if plain else when)
    halves = [{"+": 11, "-": 13, ".": 14}.get(c) or int(c) if c in "+-." else int(c) for c in characters]
    halves += [0] * (len(halves) % 2)
    body = client.encode() + bytes(halves[i] << 4 | halves[i + 1] for i in range(0, len(halves), 2))
    s = hash_of(key, name.encode())
    s = fold(s ^ len(diff) << 32 ^ len(place), A)
    s = fold(s ^ (0 if plain else len(when)) << 36 ^ (len(decimals) if plain else 10) << 32 ^ len(client), B)
    time_ns = int(whole) * 10 ** 9 + int(decimals[:9].ljust(9, "0"))
    return hash_of(s ^ time_ns, body)


example = re.findall(r"^    AT (\S+) (\S+) (\S+) (\S+) (\S+)\n      id hash     (\w+)\n      record hash (\w+)$", text, re.M)
root = re.search(r"^    (ROOT \d+ \w+)$", text, re.M).group(1)
words = ["%016x %016x" % (hash_of(0, row[2].encode()), record_hash_of(*row[:5])) for row in example]
words.append("ROOT %d %016x" % (len(example), sum(record_hash_of(*row[:5]) for row in example) & M))
library = subprocess.run([record_hash], input="".join("AT %s %s %s %s %s\n" % row[:5] for row in example),
                         capture_output=True, text=True, check=True).stdout.splitlines()
page = [row[5] + " " + row[6] for row in example] + [root]
for what, found in [("the library", library), ("the page", page)]:
    if found != words:
        sys.exit("From the words of the page: %s\n%s has: %s" % (words, what, found))
assert len(example) == 3
gone = re.search(r"^    GONE (\S+) (\S+) (\S+) (\S+)\n      record hash (\w+)$", text, re.M).groups()
tombstone = "%016x" % record_hash_of(*gone[:3], "", gone[3])
library = subprocess.run([record_hash], input="GONE %s %s %s %s\n" % gone[:4], capture_output=True, text=True, check=True).stdout
assert tombstone == gone[4] == library.split()[1], (tombstone, gone[4], library)

# Many more records, so that every length of id and text is there.
rows = [("S%d" % i, "%s%d.%s" % ("+-"[i % 2], i, "5" * (i % 12 + 1)), "x" * (i % 70 + 1),
         "+%d.%s-%d" % (i % 90, "1" * (i % 30 + 1), i % 180), "%s%d%s" % ("0" * (i % 5 == 4), i + 1, ("." + "7" * (i % 13)) * (i % 13 > 0)))
        for i in range(500)]
library = subprocess.run([record_hash], input="".join("AT %s %s %s %s %s\n" % row for row in rows),
                         capture_output=True, text=True, check=True).stdout.splitlines()
for row, found in zip(rows, library):
    assert found.split()[1] == "%016x" % record_hash_of(*row), (row, found)

# Limits that the page names, with their defaults.
limits = json.loads(subprocess.run([server, "--print-config"], capture_output=True, text=True, check=True).stdout)["limits"]
units = {"": 1, " KiB": 1024, " MiB": 1048576, " s": 1000, " ms": 1}
named = re.findall(r"`(\w+_(?:ms|bytes|max))`(?: \(|, )(\d+)( KiB| MiB| s| ms|)", text)
assert len(named) > 10, named
for name, number, unit in named:
    assert int(number) * units[unit] == limits[name], (name, number, unit, limits[name])

# The conversation of section 2, with a server of the built-in name but a port of our own.
conversation = re.search(r"^(    C: .*?)\n\n", text, re.M | re.S).group(1)
said = [line[7:] for line in conversation.split("\n") if line.startswith("    C: ")]
heard = [line[7:].rstrip() for line in conversation.split("\n") if line.startswith("    S:")]
work = tempfile.mkdtemp(prefix="herd-protocol-")
atexit.register(shutil.rmtree, work)
os.chdir(work)
port = free_port()
with open("herd.json", "w") as file:
    json.dump({"servers": {"Riley": {"port": port}}}, file)
process = subprocess.Popen([server, "-c", "herd.json", "Riley"])
try:
    deadline = time.monotonic() + 30
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
            break
        except OSError:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
    client.sendall(("\n".join(said) + "\n").encode())
    client.shutdown(socket.SHUT_WR)
    reply = b"".join(iter(lambda: client.recv(65536), b"")).decode().split("\n")
finally:
    process.kill()
    process.wait()


def same(shown, found):
    """The clocks of the page and of this machine differ."""
    return re.sub(r"[+-]\d+\.\d{9} ", "DIFF ", shown) == re.sub(r"[+-]\d+\.\d{9} ", "DIFF ", found)


expected = heard[:3] + heard[-3:]
found = reply[:3] + reply[-4:-1]
assert all(same(a, b) for a, b in zip(expected, found)), (expected, found)

# ---- keys: of the herd, and of a pair ----

def hkdf(salt, key, info, size):
    pseudo_random = hmac.new(salt.encode(), key, hashlib.sha256).digest()
    return hmac.new(pseudo_random, info.encode() + b"\1", hashlib.sha256).digest()[:size]


def hkdf_of(name):
    """The salt, the info and the number of bytes that the page names for a key."""
    found = re.search(r'%s *= HKDF-SHA256\(salt "([^"]+)", secret, info "([^"]+)", (\d+) bytes\)' % name, text)
    return found.group(1), found.group(2), int(found.group(3))


shown = dict(re.findall(r"^    (K|key_check|BK) +([0-9a-f]{16})$", text, re.M))
secret = bytes(range(32))
keys = {}
for name in ("K", "key_check", "BK"):
    salt, info, size = hkdf_of(name)
    keys[name] = hkdf(salt, secret, info, size)
    assert keys[name].hex() == shown[name], (name, keys[name].hex())

# ---- buckets, and herds of buckets ----

def weight_of(name, bucket):
    return hash_of(hash_of(0, name.encode()), bucket.to_bytes(2, "little"))


rows = re.findall(r"^    (\S+) +bucket +(\d+) with BK = 0, +(\d+) with this one$", text, re.M)
assert len(rows) == 3
for client, bare, keyed in rows:
    for bucket, key in ((bare, 0), (keyed, int.from_bytes(keys["BK"], "big"))):
        assert hash_of(key, client.encode()) >> 52 == int(bucket), (client, bucket)
rows = re.findall(r"^    bucket +(\d+)  weights (\w{16}) (\w{16}) (\w{16})  (\w+)$", text, re.M)
assert len(rows) == 4
for bucket, *weights, herd in rows:
    names = ["north", "south", "east"]
    found = [weight_of(name, int(bucket)) for name in names]
    assert ["%016x" % weight for weight in found] == weights, (bucket, found)
    assert names[found.index(max(found))] == herd

if subprocess.run([server, "--token", "kiwi"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
    print("SKIP: a library without OpenSSL has no keys")
    sys.exit(0)


def secret_file(name, content):
    with open(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(content)


def begin(config):
    """Alpha, with a neighbour Beta that is not there: its process, once it answers."""
    with open("keys.json", "w") as file:
        json.dump(config, file)
    alpha = subprocess.Popen([server, "-c", "keys.json", "--log", "keys.log", "Alpha"])
    atexit.register(alpha.kill)
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", config["servers"]["Alpha"]["port"]), timeout=30).close()
            return alpha
        except OSError:
            assert time.monotonic() < deadline and alpha.poll() is None
            time.sleep(0.02)


secret_file("secret", secret.hex() + "\n")
ports = [free_port(), free_port()]
herd = {"servers": {"Alpha": {"port": ports[0]}, "Beta": {"port": ports[1]}}, "links": [["Alpha", "Beta"]]}
alpha = begin(dict(herd, secret_file="secret"))
try:
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=30) as client:
        client.sendall(b"IAMAT kiwi +34.068930-118.445127 1621464827.9\n")
        taken = client.makefile().readline().split()
    for check, answer in [("", "REFUSE peer_key_differs"), (" 0 1", "REFUSE peer_key_differs"),
                          (" 0 " + shown["key_check"], "HELLO 2 Alpha Beta ")]:
        with socket.create_connection(("127.0.0.1", ports[0]), timeout=30) as beta:
            beta.sendall(("HELLO 2 Beta Alpha 1%s\n" % check).encode())
            lines = beta.makefile()
            line = lines.readline().strip()
            assert line.startswith(answer), (check, line)
            if answer.startswith("HELLO"):
                assert line.split()[5:] == ["0", shown["key_check"]], line
                line = next(one for one in lines if one.startswith("ROOT"))
                number = record_hash_of(*taken[1:], key=int(shown["K"], 16))
                assert line.split()[:3] == ["ROOT", "1", "%016x" % number], (line, taken)
finally:
    alpha.kill()
    alpha.wait()

if not shutil.which("openssl"):
    print("SKIP: not installed, so not checked: openssl")
    sys.exit(77)
pair = bytes(range(32, 64))
secret_file("psk", "Beta %s\n" % pair.hex())
alpha = begin(dict(herd, herd="example", psk_file="psk", tls={"mode": "require"}))
salt, size = re.search(r'HKDF-SHA256\(salt "([^"]+)", key of the pair, info "from>to", (\d+) bytes\)', text).groups()
try:
    # Beta by its own key; the key of the other direction; the pair's key itself; and what Alpha itself would say.
    for identity, key, good in [("Beta>Alpha", hkdf(salt, pair, "Beta>Alpha", int(size)), True),
                                ("Beta>Alpha", hkdf(salt, pair, "Alpha>Beta", int(size)), False),
                                ("Beta>Alpha", pair, False),
                                ("Alpha>Beta", hkdf(salt, pair, "Alpha>Beta", int(size)), False)]:
        done = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", "127.0.0.1:%d" % ports[0], "-tls1_3",
                                 "-psk_identity", identity, "-psk", key.hex()],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            done.stdin.write("HELLO 2 Beta Alpha 1\n")
            done.stdin.flush()
        except OSError:
            pass  # closed already
        line = done.stdout.readline()
        assert line.startswith("HELLO 2 Alpha Beta ") if good else line == "", (identity, good, line)
        done.kill()
        done.communicate()
finally:
    alpha.kill()
    alpha.wait()
