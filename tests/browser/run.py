#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page of a herd of five in Debian's chromium, driven by playwright-core: usage: run.py HERD_SERVER WORKDIR

page.js looks, clicks and judges; what happens to the herd meanwhile it asks for here, a line of JSON each. Screenshots are left
in WORKDIR/screenshots for a person to look at. Exits 77 with a line saying why where a part is missing.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
WORK = pathlib.Path(sys.argv.pop())
sys.argv.pop()

from herd import SEED, SEED_LINKS, Client, HerdTest, free_port, run  # noqa: E402


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def install():
    """The parts from npm, at the versions of package.json."""
    WORK.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", WORK)
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "--fetch-retries=0",
                           "--fetch-timeout=60000"], cwd=WORK, capture_output=True, text=True)
    if done.returncode:
        skip("npm cannot install: " + (done.stderr.strip().splitlines() or ["it did not say why"])[-1])


class Browser(HerdTest):
    def tokens(self, herd):
        """A herd with identities: an operator, and a client of its own."""
        lines, tokens = [], {}
        for name, rest in (("operator", "- * admin"), ("kiwi", "kiwi kiwi")):
            token, line = run("--token", name).stdout.decode().splitlines()
            lines.append(" ".join(line.split()[:2]) + " " + rest)
            tokens[name] = token
        path = os.path.join(herd.dir, "identities")
        with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("\n".join(lines) + "\n")
        herd.config["identities"] = path
        return tokens

    def open(self, names, links, **more):
        herd = self.herd(names, links, limits={"tombstones_max": 10, **more})
        herd.config["area"] = True
        for name in names:
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        return herd

    def command(self, words):
        what, name, *rest = words
        server = self.servers[name]
        if what == "lines":
            with Client(server.port) as client:
                client.send("".join(line + "\n" for line in rest).encode())
                client.lines(len(rest))
        elif what == "start":
            server.start()
        elif what in ("kill", "pause", "resume"):
            getattr(server, what)()
        else:
            raise AssertionError(words)

    def test_page(self):
        seed, closed = self.open(SEED, SEED_LINKS), self.open(["Closed"], [])
        tokens = self.tokens(closed)
        for herd in (seed, closed):
            herd.write()
            herd.start()
        self.servers = {server.name: server for herd in (seed, closed) for server in herd}
        shots = WORK / "screenshots"
        shutil.rmtree(shots, ignore_errors=True)
        shots.mkdir()
        facts = {"pages": {name: f"http://127.0.0.1:{server.http_port}/" for name, server in self.servers.items()},
                 "tokens": tokens, "chromium": chromium(), "shots": str(shots)}
        env = {**os.environ, "NODE_PATH": str(WORK / "node_modules"), "HERD_FACTS": json.dumps(facts)}
        with subprocess.Popen(["node", str(HERE / "page.js")], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
            for line in node.stdout:
                if line.startswith("@"):
                    self.command(json.loads(line[1:]))
                    node.stdin.write("done\n")
                    node.stdin.flush()
                else:
                    print(line, end="", flush=True)
        self.assertEqual(node.returncode, 0)


if __name__ == "__main__":
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"no {program} on this machine")
    if not chromium():
        skip("no chromium on this machine")
    if run("--token", "kiwi").returncode:
        skip("a library without OpenSSL")
    install()
    unittest.main(verbosity=2)
