# SPDX-License-Identifier: MIT
"""What a server says of itself: /metrics as Prometheus' own tool reads it, /readyz with its reasons, and to whom."""
import json
import os
import re
import resource
import shutil
import subprocess
import unittest
import urllib.parse
import urllib.request

from herd import PROGRAM, Client, HerdTest, free_port, main, wait_for
from places_stub import PlacesStub
from test_http import Answer

MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "monitoring")
HOST = b"Host: localhost\r\n"
SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z_]+="[^"\n]*"(?:,[a-z_]+="[^"\n]*")*\})? ([0-9.e+-]+|\+Inf)$')


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

    def test_journal(self):
        """Its size is that of the file, also when it is read; its syncs are counted, and what the disk does not take."""
        server = self.servers(["A"], [], limits={"journal_sync_ms": 1}, more={"journal": "{name}.journal"},
                              log={"traffic": False})["A"]
        path = os.path.join(server.herd.dir, "A.journal")

        def journal():
            return {name[13:]: value for (name, labels), value in figures(get(server, b"/metrics").body.decode()).items()
                    if name.startswith("herd_journal_") and not labels}

        before = journal()
        self.assertEqual((before["behind"], before["unwritten"], before["errors_total"]), (0, 0, 0))
        with Client(server.port) as client:
            for n in range(100):
                client.ask(b"IAMAT c%d +1+1 5\n" % n)
        wait_for(lambda: journal()["sync_seconds_count"] > before["sync_seconds_count"], "it is synced")
        self.assertEqual(journal()["bytes"], os.path.getsize(path))
        self.assertGreater(journal()["bytes"], before["bytes"] + 2000)
        self.assertGreater(journal()["sync_seconds_sum"], 0)
        server.stop()
        server.start()
        self.assertEqual(journal()["bytes"], os.path.getsize(path))
        hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (os.path.getsize(path), hard))
        with Client(server.port) as client:
            client.ask(b"IAMAT more +1+1 5\n")
        wait_for(lambda: journal()["errors_total"] > 0 and journal()["behind"] == 1, "the disk takes no more")
        self.assertEqual(journal()["bytes"], os.path.getsize(path))
        self.assertEqual((self.ready(server), get(server, b"/readyz").body), (503, b"the journal is behind\n"))
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_for(lambda: journal()["behind"] == 0, "it takes what it lacked")
        self.assertEqual(journal()["bytes"], os.path.getsize(path))
        self.assertEqual(self.ready(server), 200)

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

    with_tls_alone = {"herd_certificate_end_timestamp_seconds"}

    def test_look_ups_and_requests(self):
        herd = self.servers(["A"], [], more={"places": [{"provider": "embedded"}, {"provider": "embedded"}]})
        server = herd["A"]
        seen = figures(get(server, b"/metrics").body.decode())
        self.assertEqual(seen["herd_lookup_duration_seconds_count", '{provider="embedded"}'], 0)
        self.assertEqual(seen["herd_http_requests_total", '{route="/metrics",method="GET",code="2xx"}'], 0)
        self.assertEqual(seen["herd_http_request_duration_seconds_count", None], 0)
        with Client(server.port) as client:
            client.ask(b"IAMAT kiwi +34.068930-118.445127 1614209128.918963997\n")
            for _ in range(3):
                client.whatsat(b"kiwi", b"10", b"1")
        for path in (b"/v1/clients/kiwi", b"/v1/clients/nobody", b"/nothing"):
            get(server, path)
        seen = figures(get(server, b"/metrics").body.decode())
        self.assertEqual(seen["herd_lookup_duration_seconds_count", '{provider="embedded"}'], 3)
        self.assertEqual(seen["herd_lookup_duration_seconds_bucket", '{provider="embedded",le="+Inf"}'], 3)
        self.assertEqual(seen["herd_lookup_failures_total", '{provider="embedded"}'], 0)
        route = 'route="/v1/clients/{}",method="GET",code='
        self.assertEqual([seen["herd_http_requests_total", f'{{{route}"{code}xx"}}'] for code in (2, 4)], [1, 1])
        self.assertEqual(seen["herd_http_requests_total", '{route="none",method="any",code="4xx"}'], 1)
        self.assertEqual(seen["herd_http_requests_total", '{route="/metrics",method="GET",code="2xx"}'], 1)
        self.assertEqual(seen["herd_http_request_duration_seconds_count", None], 4)
        self.assertNotIn("kiwi", " ".join(str(key) for key in seen))

    def test_what_is_under_way(self):
        """A provider that hangs has one question, one waits for its turn; a viewer, and what it was sent."""
        stub = PlacesStub(self)
        stub.mode = "hang"
        herd = self.herd(["A"], [], more={"places": [stub.provider(in_flight_max=1)]})
        server = herd["A"]
        server.http_port = herd.config["servers"]["A"]["http_port"] = free_port()
        herd.write()
        server.start(stub.env)
        with Client(server.port) as one, Client(server.port) as other, Client(server.http_port) as viewer:
            viewer.send(b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
            one.ask(b"IAMAT kiwi +34.0-118.4 1614209128\n")
            one.ask(b"IAMAT bus +48.0+2.0 1614209128\n")
            one.send(b"WHATSAT kiwi 10 1\n")
            other.send(b"WHATSAT bus 10 1\n")

            def seen():
                all_of = figures(get(server, b"/metrics").body.decode())
                return (all_of["herd_lookups_in_flight", '{provider="google-legacy"}'], all_of["herd_lookup_queue", None],
                        all_of["herd_viewers", None], all_of["herd_events_sent_total", None] > 2,
                        all_of["herd_events_skipped_total", None])
            wait_for(lambda: seen() == (1, 1, 1, True, 0), "one at the provider, one that waits")
        all_of = figures(get(server, b"/metrics").body.decode())
        self.assertGreaterEqual(all_of["herd_connections_total", None], 5)
        self.assertLess(all_of["herd_loop_lag_max_seconds", None], 60)

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
        there = {name for name, _ in figures(get(herd["A"], b"/metrics").body.decode())} | {"up"} | self.with_tls_alone
        expressions = self.expressions()
        self.assertGreater(len(expressions), 20)
        for expression in expressions:
            bare = re.sub(r'"[^"]*"', "", re.sub(r"\{[^}]*\}|by \([^)]*\)|\[[^]]*\]", "", expression))
            named = set(re.findall(r"\b(up|(?:herd|process)_[a-z_]+)\b", bare))
            self.assertTrue(named and named <= there, (expression, named - there))

    def test_every_alert_says_what_to_do(self):
        """What somebody is woken by says what to do."""
        with open(os.path.join(MONITORING, "alerts.yml"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count("- alert:"), text.count("description:"))
        self.assertIn("herd_certificate_end_timestamp_seconds - time() < 14 * 86400", text)

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
