#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""README.md against the code: C blocks stand in examples/, JSON blocks are good configurations, the tables
of members and limits are complete and right, and what is linked exists.

usage: readme.py SOURCE_ROOT HERD_SERVER
"""
import json
import os
import re
import subprocess
import sys
import tempfile

root, server = sys.argv[1:3]
text = open(os.path.join(root, "README.md"), encoding="utf-8").read()
faults = []


def must(good, what):
    if not good:
        faults.append(what)


def blocks(language):
    return re.findall(r"^```%s\n(.*?)^```" % language, text, re.M | re.S)


def squeezed(code):
    return "\n".join(line.strip() for line in code.strip().splitlines())


def check(config):
    """What herd-server --check says about a configuration: (exit status, its words)."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(config)
        file.flush()
        done = subprocess.run([server, "--print-config", "--config", file.name], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


examples = "\n".join(squeezed(open(os.path.join(root, "examples", name), encoding="utf-8").read())
                     for name in sorted(os.listdir(os.path.join(root, "examples"))) if name.endswith(".c"))
must(len(blocks("c")) > 0, "no C block")
for block in blocks("c"):
    must(squeezed(block) in examples, "this C block stands in no file of examples/:\n" + block)

for block in blocks("sh"):
    for line in block.strip().splitlines():
        program = line.split()[0]
        if "/" in program:
            must(os.access(os.path.join(root, program), os.X_OK), "not a program: " + line)

must(len(blocks("json")) > 0, "no JSON block")
for block in blocks("json"):
    status, words = check(block)
    must(status == 0, "herd-server --check refuses:\n%s\n%s" % (block, words))

# Every limit, with its default, its range and its sentence, in the order of the header.
header = open(os.path.join(root, "include/herd/config.h"), encoding="utf-8").read()
limits = re.findall(r'X\((\w+), (\d+), (\d+), (\d+), "([^"]*)"\)', header)
must(len(limits) > 20, "HERD_LIMIT_LIST not found in config.h")
rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \| (.*) \|$", text, re.M)
must(rows == limits, "the table of limits differs from HERD_LIMIT_LIST:\n%s" %
     "\n".join("%s\n  config.h: %s\n  README:   %s" % (a[0], a, b) for a, b in zip(limits, rows) if a != b))
printed = json.loads(subprocess.run([server, "--print-config"], capture_output=True, text=True, check=True).stdout)
must({name: int(value) for name, value, *_ in limits} == printed["limits"], "--print-config has other limits")

# Every member: the program itself says which it expects when it meets another.
members = set(re.findall(r"^\| `([\w.]+)` \|", text, re.M))
for prefix, config in [("", '{"?": 1}'), ("places.", '{"places": {"?": 1}}'), ("log.", '{"log": {"?": 1}}'),
                       ("tls.", '{"tls": {"?": 1}}'),
                       ("servers.NAME.", '{"servers": {"A": {"?": 1}}}')]:
    status, words = check(config)
    found = re.search(r"expected ([\w ,]+)", words)
    must(status == 2 and found is not None, "no list of members for %s: %s" % (config, words))
    for name in re.split(r", | or ", found.group(1)) if found else []:
        must(prefix + name.strip() in members, "README does not explain the member " + prefix + name)
kinds = re.search(r'kinds_text\[\] = "([^"]*)"', open(os.path.join(root, "lib/edge/config/config_places.c")).read())
for kind in re.split(r", | or ", kinds.group(1)):
    must("`%s`" % kind in text, "README does not name the provider " + kind)

for target in re.findall(r"\]\(([^)#:]+)\)", text):
    must(os.path.exists(os.path.join(root, target)), "linked, but not there: " + target)

for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
