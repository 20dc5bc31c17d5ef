#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Man pages, completions and Doxygen against each other and the code: each page is well formed, its examples
compile, check or run, and what the program can do is in all of them.

usage: man.py SOURCE_ROOT HERD_SERVER
"""
import atexit
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

root, server = sys.argv[1], os.path.abspath(sys.argv[2])
work = tempfile.mkdtemp(prefix="herd-man-")
atexit.register(shutil.rmtree, work)
PAGES = ["bin/herd-server.1", "bin/herd.json.5", "lib/herd-protocol.7", "lib/libherd.3",
         "lib/database/postgres/herd-postgres.7", "lib/database/redis/herd-redis.7"]
# What scdoc makes of every page, whoever wrote it.
OF_SCDOC = r"input text line longer|skipping paragraph macro|lower case character in document title"
missing = []


def read(path):
    return open(os.path.join(root, path), encoding="utf-8").read()


def run(*args, **more):
    return subprocess.run(list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **more)


source = {page: read(page + ".scd") for page in PAGES}
examples = {page: re.findall(r"^```\n(.*?)^```", text, re.M | re.S) for page, text in source.items()}

# ---- form ----
if shutil.which("scdoc"):
    for page, text in source.items():
        done = run("scdoc", input=text)
        assert done.returncode == 0, (page, done.stdout)
        if shutil.which("mandoc"):
            path = os.path.join(work, os.path.basename(page))
            open(path, "w").write(done.stdout)
            faults = [line for line in run("mandoc", "-Tlint", path).stdout.splitlines() if not re.search(OF_SCDOC, line)]
            assert not faults, (page, faults)
        elif "mandoc" not in missing:
            missing.append("mandoc")
else:
    missing.append("scdoc")

# ---- herd-server(1) and the completions: every option of --help, and no other ----
options = re.findall(r"^  (?:(-\w), |    )(--[\w-]+)", run(server, "--help").stdout, re.M)
assert len(options) == 9, options
page = source["bin/herd-server.1"]
for short, long in options:
    name = re.escape(short + ", " + long if short else long)
    assert re.search(r"^\*%s\*" % name, page, re.M), (short, long)
assert len(re.findall(r"^\*-", page, re.M)) == len(options)
# Each event that the page explains is in the code, and it explains each that the code writes as a literal with a level
# that is seen by default. (Lines of traffic are "received" and "sent"; they need no explanation.)
code = "".join(read(os.path.join(at, name)) for top in ("lib", "bin") for at, _, names in os.walk(os.path.join(root, top))
               for name in names if name.endswith((".c", ".h")))
explained = set(re.findall(r"\*([a-z]+(?:_[a-z]+)*)\*(?!\()", "".join(re.findall(r"(?ms)^# (?:SIGNALS|LOG)$.*?^# ", page))))
assert len(explained) > 40, explained
for word in explained:
    assert re.search(r"\b%s\b" % word, code), "herd-server(1) explains what is not there: " + word
events = set(re.findall(r'herd_log_event\([^;"]*HERD_LOG_(?:INFO|WARN|ERROR), "([a-z_]+)"', code))
events |= set(re.findall(r'herd_notice(?:_damped)?\([^;"]*"([a-z]+_[a-z_]+)"', code))
events |= set(re.findall(r'herd_tls_fail\([^;"]*"([a-z]+_[a-z_]+)"', code))  # a fault's event, logged by whoever is told
events |= set(re.findall(r'"(tls_[a-z]+_end(?:s|ed))"', code))
events |= set(re.findall(r'(?:return|fail_ssl\(\w+,) "(tls_[a-z_]+|peer_[a-z_]+)"', code))
events |= set(re.findall(r'refuse\(session, "([a-z]+_[a-z_]+)"', code))
events |= set(re.findall(r'herd_journal_[a-z_]+\([^;"]*"(journal_[a-z_]+)"', code))
assert len(events) > 30, events
assert events - {"sent_json"} <= explained, "herd-server(1) does not explain %s" % sorted(events - explained)
bash = read("bin/completions/herd-server.bash")
words = re.search(r"compgen -W '(.*?)'", bash).group(1).split()
assert sorted(words) == sorted(word for pair in options for word in pair if word), words
zsh, fish = read("bin/completions/_herd-server"), read("bin/completions/herd-server.fish")
for short, long in options:
    assert long in zsh and (not short or short in zsh), long
    assert re.search(r"^complete .*%s-l %s\b" % ("-s %s " % short[1] if short else "", long[2:]), fish, re.M), long
open(os.path.join(work, "herd.json"), "w").write('{"servers": {"Alpha": {"port": 1}, "Beta": {"port": 2}}}')
done = run("bash", "-c", bash + """
for words in "herd-server --pr" "herd-server R" "herd-server -c herd.json " "herd-server --config herd.json B"; do
    read -ra COMP_WORDS <<<"$words"
    [[ $words == *" " ]] && COMP_WORDS+=("")
    COMP_WORDS[0]=$1 COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    _herd_server
    echo "${COMPREPLY[@]}"
done""", "bash", server, cwd=work)
assert done.stdout.splitlines() == ["--print-config", "Riley", "Alpha Beta", "Beta"], done.stdout
for shell, path in [("zsh", "bin/completions/_herd-server"), ("fish", "bin/completions/herd-server.fish")]:
    if shutil.which(shell):
        done = run(shell, "-n", os.path.join(root, path))
        assert done.returncode == 0 and not done.stdout, done.stdout
    else:
        missing.append(shell)

# ---- herd.json(5) ----
page = source["bin/herd.json.5"]
limits = re.findall(r'X\((\w+), (\d+), (\d+), (\d+), "([^"]*)"\)', read("include/herd/config.h"))
found = re.findall(r"^\*(\w+)\* \((\d+); (\d+) to (\d+)\)\n\t(.*)\.$", page, re.M)
assert found == [(n, d, l, g, w[0].upper() + w[1:]) for n, d, l, g, w in limits], [a for a in zip(found, limits) if a[0][:4] != a[1][:4]]
printed = json.loads(run(server, "--print-config").stdout)["limits"]
assert {name: int(default) for name, default, *_ in found} == printed, "--print-config has other limits"
# The members, each under the one it belongs to. The program itself says which it expects when it meets another, so
# that the page has all of them, and no other.
described, section = {"": set()}, None
for line in re.search(r"^# MEMBERS$(.*?)^# IDENTITIES$", page, re.M | re.S).group(1).splitlines():
    names = re.fullmatch(r"(\t?)(\*\w+\*(?:, \*\w+\*)*)", line)
    if names and not names.group(1):
        section = names.group(2).strip("*")
        described[""].add(section)
    elif names:
        described.setdefault(section, set()).update(re.findall(r"\w+", names.group(2)))
expected = {}
for member, config in [("", '{"?": 1}'), ("places", '{"places": {"?": 1}}'), ("log", '{"log": {"?": 1}}'),
                       ("tls", '{"tls": {"?": 1}}'), ("webhook", '{"webhook": {"?": 1}}'),
                       ("shards", '{"shards": {"?": 1}}'), ("http", '{"http": {"?": 1}}'), ("database", '{"database": {"?": 1}}'), ("servers", '{"servers": {"A": {"?": 1}}}')]:
    open(os.path.join(work, "check.json"), "w").write(config)
    done = run(server, "--check", "--config", os.path.join(work, "check.json"))
    words = re.search(r"expected ([\w ,]+)", done.stdout)
    assert done.returncode == 2 and words, (config, done.stdout)
    expected[member] = {name.strip() for name in re.split(r", | or ", words.group(1))}
assert described == expected, {m: described.get(m, set()) ^ expected.get(m, set()) for m in described | expected}
kinds = re.split(r", | or ", re.search(r'kinds_text\[\] = "([^"]*)"', read("lib/edge/config/config_places.c")).group(1))
text = re.search(r"^\t\*provider\*\n(.*?)^\t\*", page, re.M | re.S).group(1)
assert len(kinds) > 3 and all("*%s*" % kind in text for kind in kinds), kinds
# Their defaults, as the page has them, are what a provider that says nothing gets.
for kind in ("google-new", "overpass"):
    open(os.path.join(work, "check.json"), "w").write(json.dumps({"places": {"provider": kind, "key_env": "KEY"}
                                                                  if kind != "overpass" else {"provider": kind}}))
    provider = json.loads(run(server, "--print-config", "--config", os.path.join(work, "check.json")).stdout)["places"]
    provider = provider[0] if isinstance(provider, list) else provider
    for name in ("timeout_ms", "cache_ms", "in_flight_max"):
        text = re.search(r"^\t\*%s\*\n(.*?)(?=^\t?\*)" % name, page, re.M | re.S).group(1)
        default = re.search(r"The default is (\d+)(?:, for \*overpass\* (\d+))?", text)
        assert provider[name] == int(default.group(2) if kind == "overpass" and default.group(2) else default.group(1)), (kind, name)
# Its file of identities, with the SHA-256 of something, is one.
identities = next(text for text in examples["bin/herd.json.5"] if text.startswith("# identity"))
for i in range(identities.count("HEX")):
    identities = identities.replace("HEX", "%064x" % i, 1)
open(os.path.join(work, "identities"), "w").write(identities)
open(os.path.join(work, "check.json"), "w").write(json.dumps({"identities": os.path.join(work, "identities")}))
done = run(server, "--check", "--config", os.path.join(work, "check.json"))
assert done.returncode == 0 or "this library has no OpenSSL" in done.stdout, done.stdout
examples["bin/herd.json.5"] = [text for text in examples["bin/herd.json.5"] if text.startswith("{")]  # not identities
for example in examples["bin/herd.json.5"]:
    open(os.path.join(work, "check.json"), "w").write(example)
    done = run(server, "--print-config", "--config", os.path.join(work, "check.json"))  # what it names is nowhere here
    assert done.returncode == 0, (example, done.stdout)
assert len(examples["bin/herd.json.5"]) == 3

# ---- libherd(3) ----
# The example as the page shows it: what scdoc and the renderer make of the source is what people copy.
program, = examples["lib/libherd.3"]
if shutil.which("scdoc") and shutil.which("mandoc"):
    path = os.path.join(work, "libherd.3")
    text = run("mandoc", "-T", "utf8", "-O", "width=200", path).stdout
    text = re.sub(".\x08", "", text)  # bold and underlined, as typewriters did
    shown = re.search(r"^EXAMPLE$\n(.*?)^SEE ALSO$", text, re.M | re.S).group(1)
    program = "\n".join(line.strip() for line in shown.splitlines()) + "\n"
    assert '"%s\\n"' in program, "the page lost a backslash"
compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
done = run(compiler, "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-D_DEFAULT_SOURCE", "-I", os.path.join(root, "include"),
           *run("pkg-config", "--cflags", "libevent_core").stdout.split(), "-", input=program)
assert done.returncode == 0, done.stdout
headers = set(re.findall(r"<herd/(\w+\.h)>", source["lib/libherd.3"]))
assert headers == set(os.listdir(os.path.join(root, "include/herd"))) - {"meson.build"}, headers

# ---- the examples at the heads of headers: functions stand as they are, statements become the body of another ----
for name in ["client.h", "config.h", "protocol.h", "server.h"]:
    head = read("include/herd/" + name).split("*/")[1]
    example = "\n".join(line[7:] for line in head.splitlines() if line.startswith(" *     ")) + "\n"
    functions = "".join(re.findall(r"^static .*?^}\n", example, re.M | re.S))
    statements = example.replace(functions, "").replace("struct event_base *base =", "base =")
    assert "herd_" in statements, name
    program = """#include <herd/herd.h>
#include <event2/event.h>
#include <stdio.h>
void remember(struct herd_span id, struct herd_span position, struct herd_span time);
void example(struct event_base *base);
%s
void example(struct event_base *base)
{
    (void)base;
    %s
}
""" % (functions, statements)
    done = run(compiler, "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fsyntax-only",
               "-D_DEFAULT_SOURCE", "-I", os.path.join(root, "include"),
               *run("pkg-config", "--cflags", "libevent_core").stdout.split(), "-", input=program)
    assert done.returncode == 0, (name, done.stdout)

# ---- herd-server(1) and herd-protocol(7): what they show happens ----
rotate = examples["bin/herd-server.1"][0]
assert rotate in read("examples/systemd/herd.logrotate")
commands = examples["bin/herd-server.1"][1] + examples["bin/herd-server.1"][2]
for word in re.findall(r"(?<!\S)--?\w[\w-]*", "\n".join(l for l in commands.splitlines() if l.startswith("herd-server"))):
    assert any(word in pair for pair in options), word
talk = examples["lib/herd-protocol.7"][0].splitlines()
port = free_port()
open(os.path.join(work, "one.json"), "w").write(json.dumps({"servers": {"Riley": {"port": port}}}))
process = subprocess.Popen([server, "-c", "one.json", "Riley"], cwd=work)
try:
    deadline = time.monotonic() + 30
    while True:
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
            break
        except OSError:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
    said = [line for line in talk if not line.startswith("> ")]
    line = re.search(r"^echo '(.*)'", commands, re.M).group(1)
    client.sendall(("\n".join(said + [line]) + "\n").encode())
    client.shutdown(socket.SHUT_WR)
    heard = b"".join(iter(lambda: client.recv(65536), b"")).decode().splitlines()
finally:
    process.kill()
    process.wait()
anyone = lambda text: re.sub(r" [+-]\d+\.\d{9} ", " DIFF ", text)
assert [anyone(l) for l in heard[:-1]] == [anyone(l[2:]) for l in talk if l.startswith("> ")], heard
assert heard[-1].startswith("AT Riley "), heard

# ---- the headers ----
if shutil.which("doxygen"):
    done = run("doxygen", "-", cwd=root, input=read("include/Doxyfile") + "\nOUTPUT_DIRECTORY = %s\n" % work)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout
    text = open(os.path.join(work, "html/server_8h.html"), encoding="utf-8").read()
    assert "Makes a server; it serves as soon as the loop runs" in text, "Doxygen does not see the comments"
else:
    missing.append("doxygen")

if missing:
    print("SKIP: not installed, so not checked:", ", ".join(missing))
    sys.exit(77 if set(missing) - {"zsh", "fish"} else 0)
