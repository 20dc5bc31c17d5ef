#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""README.md against the code: C blocks stand in examples/, JSON blocks are good configurations, figures stand in
RESULTS.md, events and options exist, folders are in the table, in the picture and in
CONTRIBUTING's order, and what is linked exists.
(Members and limits of the configuration are in herd.json(5): see man.py.)

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

def read(path):
    return open(os.path.join(root, path), encoding="utf-8").read()


def sources(*tops):
    for top in tops:
        for directory, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    yield open(os.path.join(directory, name), encoding="utf-8").read()


# A block that describes a whole herd names nothing that only some machine has, and so can be opened and judged.
for block in blocks("json"):
    if '"servers"' in block:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(block)
            file.flush()
            done = subprocess.run([server, "--check", "--config", file.name], capture_output=True, text=True, timeout=30)
            must(done.returncode == 0, "herd-server --check finds fault:\n%s\n%s" % (block, done.stdout + done.stderr))
            must(len(json.loads(block)["servers"]) == 5, "not five servers:\n" + block)

# Words with an underscore are names of the code: events, limits, members, macros.
code = "\n".join(sources("lib", "bin", "include", "examples"))
named = {word for quoted in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
         for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", quoted)} - {"find_package", "herd_dep", "libevent_core"}
must(len(named) > 20, "no names found")
for word in sorted(named):
    must(re.search(r"\b%s\b" % word, code), "no such name in the code: " + word)

# Options of herd-server and of examples that are scripts.
usage = subprocess.run([server, "--help"], capture_output=True, text=True, check=True).stdout + read("examples/quickstart") + read("examples/database")
for option in re.findall(r"(?<![\w-])--([a-z][a-z-]+)", "\n".join(re.findall(r"`((?:herd-server|--)[^`]*)`", text))):
    must(re.search(r"--%s\b" % option, usage), "no such option: --" + option)

# Exit statuses: those of --help.
statuses = re.findall(r"^\| (\d) \| ", text, re.M)
must(statuses == ["0", "1", "2"], "exit statuses: %s" % statuses)

# The folders of the library, in the table and in the picture: all of them, and no other.
picture = read("lib/architecture.svg")
drawn = re.findall(r'class="folder"[^>]*>([^<]+)<', picture)
for layer in ("core", "edge"):
    folders = {name for name in os.listdir(os.path.join(root, "lib", layer))
               if os.path.isdir(os.path.join(root, "lib", layer, name))}
    row = re.search(r"^\| \[lib/%s\]\(lib/%s\) \| (.*?) \|" % (layer, layer), text, re.M)
    inside = set(re.findall(r"`(\w+)`", row.group(1))) if row else set()
    must(inside == folders, "README's row of lib/%s: %s" % (layer, sorted(inside ^ folders)))
    order = re.search(r"^\* `lib/%s`: (.*)$" % layer, read("CONTRIBUTING.md"), re.M)
    inside = set(re.findall(r"`(\w+)`", order.group(1))) if order else set()
    must(inside == folders, "CONTRIBUTING's order of lib/%s: %s" % (layer, sorted(inside ^ folders)))
    must(folders <= set(drawn), "lib/architecture.svg lacks of lib/%s: %s" % (layer, sorted(folders - set(drawn))))
for name in drawn:
    must(any(os.path.isdir(os.path.join(root, "lib", layer, name)) for layer in ("core", "edge")),
         "lib/architecture.svg draws a folder that is not there: " + name)


def anchors(markdown):
    """What GitHub makes of headings."""
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-")
            for line in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S), re.M)}


# Each figure stands in the section of RESULTS.md that is named beside it.
results = read("tests/bench/RESULTS.md")
rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| \[([^\]]+)\]\(tests/bench/RESULTS.md#[\w-]+\) \|$", text, re.M)
must(len(rows) >= 6, "no figures")
for figures, heading in rows:
    section = re.search(r"^#+ %s$(.*?)(?=^## |^### |\Z)" % re.escape(heading), results, re.M | re.S)
    must(section, "no such section in RESULTS.md: " + heading)
    for number, unit in re.findall(r"\b(\d[\d,.]*) (ns|µs|ms|bytes)\b", figures):
        must(section and re.search(r"(?<![\d.,])%s(?![\d,])(?!\.\d)" % re.escape(number), section.group(1)),
             "not in the section %s of RESULTS.md: %s %s" % (heading, number, unit))

for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", text):
    must(os.path.exists(os.path.join(root, target)), "linked, but not there: " + target)
    must(not anchor or anchor in anchors(read(target) if target else text), "no such heading: %s#%s" % (target, anchor))

for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
