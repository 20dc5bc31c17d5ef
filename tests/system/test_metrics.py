# SPDX-License-Identifier: MIT
"""What a server says of itself: /metrics as Prometheus' own tool reads it, /readyz with its reasons, and to whom."""
import json
import os
import re
import shutil
import subprocess
import unittest
import urllib.parse
import urllib.request

from herd import PROGRAM, Client, HerdTest, free_port, main, wait_for
from test_http import Answer

MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "monitoring")
HOST = b"Host: localhost\r\n"
SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z_]+="[^"\n]*"\})? ([0-9.e+-]+|\+Inf)$')


def get(server, path, head=b""):
    with Client(server.http_port) as client:
        client.send(b"GET %s HTTP/1.1\r\n" % path + HOST + head + b"\r\n")
        return Answer(client)


def figures(text):
    """{(family, labels): value}; fails on what Prometheus would take and mean something else: series twice, families
    in pieces, samples without a type."""
    found, families, family = {}, {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families, f"{family} twice"
            families[family] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.match(line)
            assert match, line
            name = match[1]
            if families[family] == "histogram":
                name = re.sub("_(bucket|sum|count)$", "", name)
            assert name == family, f"{line} among {family}"
            assert (match[1], match[2]) not in found, f"{line} twice"
            found[match[1], match[2]] = float(match[3])
    assert text.endswith("\n")
    return found


class Eyes(HerdTest):
    def servers(self, names, links, **options):
        herd = self.herd(names, links, **options)
        for name in names:
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        for name in names:
            herd[name].start()
        return herd

    def ready(self, server):
        return get(server, b"/readyz").status

    def test_metrics(self):
        herd = self.servers(["A", "B"], [["A", "B"]])
        a, b = herd["A"], herd["B"]
        wait_for(lambda: self.ready(a) == 200 and self.ready(b) == 200, "both ready")
        with Client(a.port) as client:
            for n in range(100):
                client.ask(b"IAMAT c%d +1+1 5\n" % n)
            client.ask(b"IAMAT c1 +1+1 4\n")
            client.ask(b"what\n")
        wait_for(lambda: figures(get(b, b"/metrics").body.decode())["herd_clients", None] == 100,
                 "100 clients at B")
        answer = get(a, b"/metrics")
        self.assertEqual(answer["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        text = answer.body.decode()
        seen = figures(text)
        self.assertEqual(seen["herd_reports_total", '{result="news"}'], 100)
        self.assertEqual(seen["herd_reports_total", '{result="stale"}'], 1)
        self.assertEqual(seen["herd_invalid_lines_total", None], 1)
        self.assertEqual(seen["herd_peer_up", '{peer="B"}'], 1)
        self.assertEqual(seen["herd_digest_agrees", '{peer="B"}'], 1)
        self.assertEqual(seen["herd_repairs_total", None], 0)
        self.assertGreater(seen["process_resident_memory_bytes", None], 1e6)
        theirs = figures(get(b, b"/metrics").body.decode())
        self.assertEqual(theirs["herd_at_received_total", '{peer="A"}'], 100)
        self.assertEqual(theirs["herd_propagation_seconds_count", None], 6)
        self.assertEqual(theirs["herd_propagation_seconds_bucket", '{le="+Inf"}'], 6)
        self.assertNotIn("c1", text)

    @unittest.skipUnless(shutil.which("promtool"), "no promtool (Debian package prometheus)")
    def test_promtool_has_no_word_to_say(self):
        herd = self.servers(["A", "B"], [["A", "B"]])
        said = subprocess.run(["promtool", "check", "metrics"], input=get(herd["A"], b"/metrics").body,
                              capture_output=True, check=False)
        self.assertEqual((said.returncode, said.stderr.decode(), said.stdout.decode()), (0, "", ""))

    def test_summary(self):
        herd = self.servers(["A", "B"], [["A", "B"]], limits={"summary_ms": 500})
        with Client(herd["A"].port) as client:
            client.ask(b"IAMAT c1 +1+1 5\n")
            wait_for(lambda: herd["A"].events("summary", reports="1", clients="1", links="1", connections="1",
                                              journal="none"), "a summary")
        wait_for(lambda: herd["B"].events("summary", reports="0", clients="1", at_received="1"), "a summary at B")

    def test_ready_says_why_not(self):
        herd = self.servers(["A", "B"], [["A", "B"]])
        a, b = herd["A"], herd["B"]
        wait_for(lambda: self.ready(a) == 200, "ready")
        self.assertEqual(get(a, b"/readyz").body, b"ok\n")
        b.kill()
        wait_for(lambda: self.ready(a) == 503, "not ready")
        self.assertRegex(get(a, b"/readyz").body, b"^no link with B: [a-z_]+\n$")
        self.assertEqual(get(a, b"/healthz").status, 200)
        b.start()
        wait_for(lambda: self.ready(a) == 200, "ready")
        self.assertGreaterEqual(figures(get(a, b"/metrics").body.decode())["herd_peer_links_total", '{peer="B"}'], 2)

    def expressions(self):
        """Of the dashboard and the alerts, with what a dashboard fills in filled in."""
        with open(os.path.join(MONITORING, "dashboard.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        with open(os.path.join(MONITORING, "alerts.yml"), encoding="utf-8") as file:
            found += re.findall(r"^ +expr: (.*)$", file.read(), re.M)
        return [expr.replace("$__rate_interval", "5m").replace("$instance", ".*") for expr in found]

    def test_dashboard_and_alerts_name_what_there_is(self):
        herd = self.herd(["A", "B"], [["A", "B"]], more={"journal": "{name}.journal"})
        for name in ("A", "B"):
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        for server in herd:
            server.start()
        there = {name for name, _ in figures(get(herd["A"], b"/metrics").body.decode())} | {"up"}
        expressions = self.expressions()
        self.assertGreater(len(expressions), 20)
        for expression in expressions:
            bare = re.sub(r'"[^"]*"', "", re.sub(r"\{[^}]*\}|by \([^)]*\)|\[[^]]*\]", "", expression))
            named = set(re.findall(r"\b(up|(?:herd|process)_[a-z_]+)\b", bare))
            self.assertTrue(named and named <= there, (expression, named - there))

    @unittest.skipUnless(shutil.which("promtool"), "no promtool (Debian package prometheus)")
    def test_promtool_takes_rules_and_configuration(self):
        for words in (["check", "rules", os.path.join(MONITORING, "alerts.yml")],
                      ["check", "config", os.path.join(MONITORING, "prometheus.yml")]):
            said = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        rules = "groups: [{name: dashboard, rules: [" + ", ".join(
            f"{{record: 'a:b{n}', expr: '{expression}'}}" for n, expression in enumerate(self.expressions())) + "]}]"
        path = os.path.join(self.directory(), "dashboard.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(rules)
        said = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    @unittest.skipUnless(shutil.which("prometheus"), "no prometheus (Debian package prometheus)")
    def test_a_real_prometheus_scrapes(self):
        herd = self.servers(["A", "B"], [["A", "B"]])
        folder, port = self.directory(), free_port()
        with open(os.path.join(folder, "p.yml"), "w", encoding="utf-8") as file:
            file.write("scrape_configs: [{job_name: herd, scrape_interval: 1s, static_configs: [{targets: "
                       f"['127.0.0.1:{herd['A'].http_port}', '127.0.0.1:{herd['B'].http_port}']}}]}}]")
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["prometheus", f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def ask(expression):
            url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return [float(one["value"][1]) for one in json.load(answer)["data"]["result"]]
            except OSError:
                return None
        wait_for(lambda: ask("sum(up) + sum(herd_peer_up)") == [4], "two servers scraped, two ends of a link up")
        self.assertEqual(ask("herd_repairs_total > 0"), [])

    def command(self, herd, *words):
        return subprocess.run([PROGRAM, "-c", herd.config_path, *words], capture_output=True, text=True, check=False)

    def test_status_and_verify(self):
        herd = self.servers(["A", "B", "C"], [["A", "B"], ["B", "C"]])
        wait_for(lambda: all(self.ready(server) == 200 for server in herd), "ready")
        with Client(herd["A"].port) as client:
            for n in range(10):
                client.ask(b"IAMAT c%d +1+1 5\n" % n)
        said = self.command(herd, "--verify")
        self.assertEqual((said.returncode, said.stderr), (0, ""), said.stdout)
        rows = said.stdout.split("\n")
        self.assertEqual([row.split()[:4] for row in rows[1:4]],
                         [["A", "up", "10", "1/1"], ["B", "up", "10", "2/2"], ["C", "up", "10", "1/1"]])
        self.assertEqual(len({row.split()[-1] for row in rows[1:4]}), 1, "one digest")
        herd["C"].kill()
        wait_for(lambda: self.ready(herd["B"]) == 503, "link down")
        said = self.command(herd, "--verify")
        self.assertEqual(said.returncode, 1)
        self.assertRegex(said.stdout, r"C +down +\S")
        self.assertRegex(said.stdout, r"no link with C: [a-z_]+\n")
        self.assertTrue(said.stdout.endswith("NOT WELL\n"))
        said = self.command(herd, "--status", "A")
        self.assertEqual(said.returncode, 0)
        self.assertNotIn("\nB", said.stdout)
        self.assertEqual(self.command(herd, "--status", "Nobody").returncode, 2)


if __name__ == "__main__":
    main()
