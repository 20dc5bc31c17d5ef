# SPDX-License-Identifier: MIT
"""A database beside a herd, of both kinds, that is away, hangs, dies, forgets, refuses: what is done, and that nothing is
lost but what may be."""
import os
import socket
import urllib.error
import urllib.request

import database
from herd import *


class Common(database.OfAKind):
    """Each kind runs all of these; `database` is one that the test started."""

    def start_database(self, **options):
        self.database = self.kind(**options)
        self.addCleanup(self.database.close)
        return self.database

    def beside(self, names, links=(), limits=None, more=None, **members):
        if not hasattr(self, "database"):
            self.start_database()
        return self.herd(names, links, limits=limits,
                         more={"herd": "paws", "database": self.database.section(**members), **(more or {})})

    def wait_written(self, client_id, line, server=None):
        """Until the database has what an AT line says."""
        fields = line.split()
        want = [fields[1], fields[2], fields[4], fields[5]]
        wait_for(lambda: self.database.get(client_id, b"paws") == want, f"the database has {line!r}")

    def get(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE) as answer:
            return answer.read().decode()

    def test_figures(self):
        herd = self.beside(["A"], warm_start=True)
        port = herd.config["servers"]["A"]["admin_port"] = free_port()
        herd.write()
        server = herd["A"].start()
        self.wait_written(b"a", server.ask(b"IAMAT a +1+1 1\n"))
        wait_for(lambda: json.loads(self.get(port, "/v1/node"))["database"]["written"] >= 1, "it is counted")
        node = json.loads(self.get(port, "/v1/node"))["database"]
        self.assertEqual((node["kind"], node["state"], node["dropped"]), (self.kind.kind, "connected", 0))
        metrics = self.get(port, "/metrics")
        self.assertIn("herd_database_connected 1\n", metrics)
        self.assertRegex(metrics, r"herd_database_batch_seconds_count [1-9]")
        self.assertEqual(self.get(port, "/readyz"), "ok\n")
        self.database.kill()
        server.ask(b"IAMAT a +1+1 2\n")
        wait_for(lambda: "database is away" in self.get(port, "/readyz"), "that is told, and no reason to be asked less")
        self.assertIn("herd_database_connected 0\n", self.get(port, "/metrics"))
        shown = run("--status", "--config", herd.config_path, "A").stdout.decode()
        self.assertRegex(shown, r"journal +database")
        self.assertRegex(shown, r"none +(away|refused)")

    # ---- what it is for ----

    def test_written_by_each(self):
        herd = self.beside(["A", "B", "C"], [("A", "B"), ("B", "C")], limits={"tombstones_max": 10, "forget_line": 1})
        herd.start()
        lines = {}
        for i, name in enumerate("ABC"):
            lines[name] = herd[name].ask(b"IAMAT client-%s +1.%d-2 1%d\n" % (name.encode(), i, i))
        for name, line in lines.items():
            self.wait_written(b"client-" + name.encode(), line)
        newest = herd["C"].ask(b"IAMAT client-A +5-5 99.0000000001\n")
        self.wait_written(b"client-A", newest)
        gone = herd["B"].ask(b"FORGET client-A\n")
        wait_for(lambda: (self.database.get(b"client-A", b"paws") or [0, 0, 1])[2] == b"", f"{gone!r} is written")
        wait_for(lambda: self.database.writers(b"paws") == {b"A", b"B", b"C"}, "all give a sign of life")

    def test_odd_ids(self):
        server = self.beside(["A"])["A"].start()
        ids = [b"\x00", b"a\x00b", b"\xff\xfe", b"\x01", b"'\"\\%$;--", b"\xc3\x28", b"x" * 65000]
        lines = [server.ask(b"IAMAT %s +90-180 5\n" % client_id) for client_id in ids]
        for client_id, line in zip(ids[:-1], lines):
            self.wait_written(client_id, line)
        herd = server.herd
        server.stop()
        herd.config["database"].update(warm_start=True)
        herd.write()
        server.start()
        server.wait_event("warm_start_done")
        for client_id, line in zip(ids, lines):
            self.assertEqual(server.at(client_id), line)

    def test_stop_writes_what_is_due(self):
        herd = self.beside(["A", "B"], [("A", "B")], flush_ms=3600000)
        herd.start()
        line = herd["A"].ask(b"IAMAT a +1+1 5\n")
        herd.wait_everywhere(b"a", line)
        self.assertEqual(set(herd.stop().values()), {0})
        self.wait_written(b"a", line)

    # ---- failures ----

    def test_away_and_back(self):
        self.start_database()
        self.database.kill()
        server = self.beside(["A"])["A"].start()
        server.wait_event("database_gone", kind=self.kind.kind)
        for i in range(200):
            line = server.ask(b"IAMAT a%d +1+1 %d\n" % (i % 20, i))
        self.assertFalse(server.saw("database_back"))
        self.database.start()
        self.wait_written(b"a19", line)
        self.assertEqual(len(server.events("database_gone")), 1)

    def test_hangs(self):
        """Nobody waits for it, and nothing grows."""
        server = self.beside(["A"])["A"].start()
        self.wait_written(b"a", server.ask(b"IAMAT a +1+1 1\n"))
        self.database.hang()
        with server.client() as client:
            for i in range(2000):  # the same 100 clients, over and over
                line = client.ask(b"IAMAT h%d +1+1 %d\n" % (i % 100, i))
            before = server.resident()
            for i in range(2000, 12000):
                line = client.ask(b"IAMAT h%d +1+1 %d\n" % (i % 100, i))
        if not sanitized():
            self.assertLess(server.resident(), before + (4 << 20))
        self.database.go_on()
        self.wait_written(b"h99", line)

    def test_killed(self):
        server = self.beside(["A"])["A"].start()
        for round_ in range(3):
            for i in range(50):
                server.ask(b"IAMAT k%d +1+1 %d\n" % (i, round_ * 2))
            self.database.kill()
            server.wait_event("database_gone")
            line = server.ask(b"IAMAT k0 +2+2 %d\n" % (round_ * 2 + 1))
            self.database.start()
            self.wait_written(b"k0", line)
            wait_for(lambda: all(self.database.get(b"k%d" % i, b"paws") for i in range(50)), "all are written")
        server.wait_event("database_back", kind=self.kind.kind)

    def test_forgets(self):
        """A failover, an old dump: everything is written again."""
        server = self.beside(["A"], adopt_ms=1000)["A"].start()
        lines = [server.ask(b"IAMAT f%d +1+1 5\n" % i) for i in range(50)]
        self.wait_written(b"f49", lines[49])
        self.database.forget()
        server.wait_event("database_forgot")
        for i in (0, 25, 49):
            self.wait_written(b"f%d" % i, lines[i])

    def test_adopted(self):
        """What a server did not write before it died others write."""
        herd = self.beside(["A", "B"], [("A", "B")], flush_ms=200, adopt_ms=1000)
        herd.start()
        self.wait_written(b"a", herd["A"].ask(b"IAMAT a +1+1 1\n"))
        wait_for(lambda: self.database.writers(b"paws") == {b"A", b"B"}, "both write")
        line = herd["A"].ask(b"IAMAT a +2+2 2\n")
        herd.wait_everywhere(b"a", line)
        herd["A"].kill()
        herd["B"].wait_event("writer_adopted", server="A")
        self.wait_written(b"a", line)

    def test_herd_dies_and_comes_back(self):
        names = ["A", "B", "C"]
        herd = self.beside(names, [("A", "B"), ("B", "C")], warm_start=True)
        herd.start()
        lines = {b"w%d" % i: herd["ABC"[i % 3]].ask(b"IAMAT w%d +1+%d 5\n" % (i, i % 90)) for i in range(100)}
        for client_id, line in lines.items():
            self.wait_written(client_id, line)
        for server in herd:
            server.kill()
            os.unlink(server.log_path)
        herd.start()
        herd["A"].ask(b"IAMAT new +1+1 7\n")  # nobody waits for the warm start
        for client_id, line in list(lines.items())[::9]:
            herd.wait_everywhere(client_id, line)
        wait_for(lambda: any(server.saw("warm_start_done") for server in herd), "the log says it")

    def test_read_through(self):
        """A client that this server does not know."""
        one = self.beside(["A"])["A"].start()
        line = one.ask(b"IAMAT known +1+1 5\n")
        self.wait_written(b"known", line)
        other = self.beside(["B"], read_through=True)["B"].start()
        wait_for(lambda: other.at(b"known") == line, "it is found")
        with other.client() as client:
            self.assertEqual(client.ask(b"WHATSAT nobody 1 0\n"), b"? WHATSAT nobody 1 0\n")
            client.send(b"WHATSAT known 1 0\nWHATSAT nobody 1 0\nWHATSAT known 1 0\n")
            self.assertEqual(client.line(), line)
        self.database.hang()
        with other.client() as client:
            for i in range(20):
                self.assertEqual(client.ask(b"WHATSAT x%d 1 0\n" % i), b"? WHATSAT x%d 1 0\n" % i)
        self.database.go_on()
        wait_for(lambda: other.at(b"known") == line, "it is found again")

    def test_read_through_http(self):
        """The same by HTTP; whoever may not ask learns nothing."""
        def get(port, path, method="GET", **headers):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/clients/{path}", headers=headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                    return answer.status, answer.headers["ETag"], answer.read()
            except urllib.error.HTTPError as error:
                return error.code, error.headers["ETag"], error.read()

        ports = {}
        servers = {}
        for name, members in (("A", {}), ("B", {"read_through": True}), ("C", {})):
            herd = self.beside([name], **members)
            ports[name] = herd.config["servers"][name]["http_port"] = free_port()
            herd.write()
            servers[name] = herd[name].start()
        line = servers["A"].ask(b"IAMAT kiwi/1 +1+1 5\n")
        self.wait_written(b"kiwi/1", line)
        here = get(ports["A"], "kiwi%2F1")
        self.assertEqual(here[0], 200)
        wait_for(lambda: get(ports["B"], "kiwi%2F1") == here, "the answer is the same where it is not known")
        self.assertEqual(get(ports["B"], "kiwi%2F1", method="HEAD"), (200, here[1], b""))
        self.assertEqual(get(ports["B"], "kiwi%2F1", **{"If-None-Match": here[1]})[0], 304)
        self.assertEqual(get(ports["B"], "nobody")[0], 404)
        self.assertEqual(get(ports["C"], "kiwi%2F1")[0], 404)  # off
        self.assertNotIn(b"kiwi", get(ports["B"], "")[2] + get(ports["B"], "../clients")[2])  # it is not kept
        self.database.hang()
        for i in range(20):
            self.assertEqual(get(ports["B"], f"x{i}")[0], 404)
        with socket.create_connection(("127.0.0.1", ports["B"])) as leaves:
            leaves.sendall(b"GET /v1/clients/y HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.database.go_on()
        wait_for(lambda: get(ports["B"], "kiwi%2F1") == here, "it is found again")
        self.assertEqual(servers["B"].stop(), 0)

    def test_two_writers(self):
        """Two halves of a herd that both reach the database: the order decides."""
        a, b = self.beside(["A"])["A"].start(), self.beside(["B"])["B"].start()
        lines = []
        for i in range(100):
            lines.append((a, b)[i % 2].ask(b"IAMAT t%d +1+1 %d\n" % (i % 10, 1000 - i)))
        for i in range(10):
            self.wait_written(b"t%d" % i, lines[i])

    # ---- the configuration ----

    def test_secrets(self):
        herd = self.beside(["A"])
        path = herd.config["database"]["dsn_file"]
        with open(path) as file:
            dsn = file.read()
        secret = {"redis": dsn.replace("unix://", "unix://:geheim-11@"),
                  "postgres": dsn.replace("user=herd", "user=herd password=geheim-11")}[self.kind.kind]
        with open(path, "w") as file:
            file.write(secret)
        shown = run("--config", herd.config_path, "--print-config")
        self.assertEqual(shown.returncode, 0)
        self.assertIn(b"dsn_file", shown.stdout)
        self.assertNotIn(b"geheim", shown.stdout)
        server = herd["A"].start()
        with open(f"/proc/{server.pid}/cmdline", "rb") as file:
            self.assertNotIn(b"geheim", file.read())
        server.stop()
        self.assertNotIn("geheim", server.log_text())
        os.chmod(path, 0o644)
        checked = run("--check", "--config", herd.config_path, "A")
        self.assertEqual(checked.returncode, 2)
        self.assertIn(b"mode 644", checked.stdout + checked.stderr)
        self.assertNotIn(b"geheim", checked.stdout + checked.stderr)
        os.chmod(path, 0o600)

    def test_check(self):
        herd = self.beside(["A"])
        self.assertEqual(run("--check", "--config", herd.config_path, "A").returncode, 0)
        for members, word in (({"library": "/nonexistent.so"}, b"nonexistent"), ({"dsn_file": "/nonexistent"}, b"dsn_file"),
                              ({"kind": "oracle", "library": "libherd-oracle.so"}, b"adapter"), ({"flush_ms": 0}, b"flush_ms"),
                              ({"histories": 1}, b"histories")):
            herd.config["database"] = {**self.database.section(), **members}
            herd.write()
            checked = run("--check", "--config", herd.config_path, "A")
            self.assertEqual(checked.returncode, 2, members)
            self.assertIn(word, checked.stdout + checked.stderr)


class RedisTest(Common, HerdTest):
    kind = database.Redis

    def test_wrong_password(self):
        self.start_database(password="geheim-11")
        self.database.password = "geheim-12"
        section = self.database.section()
        self.database.password = "geheim-11"
        server = self.herd(["A"], more={"database": section})["A"].start()
        server.wait_event("database_refused")
        self.assertNotIn("geheim", server.log_text())

    def test_script_forgotten(self):
        server = self.beside(["A"])["A"].start()
        self.wait_written(b"a", server.ask(b"IAMAT a +1+1 1\n"))
        self.database.do("SCRIPT", "FLUSH")
        self.wait_written(b"a", server.ask(b"IAMAT a +1+1 2\n"))
        self.assertFalse(server.saw("database_gone"))

    def test_full(self):
        server = self.beside(["A"])["A"].start()
        self.wait_written(b"a", server.ask(b"IAMAT a +1+1 1\n"))
        self.database.do("CONFIG", "SET", "maxmemory", "1")
        line = server.ask(b"IAMAT a +1+1 2\n")
        server.wait_event("database_gone")
        self.database.do("CONFIG", "SET", "maxmemory", "0")
        self.wait_written(b"a", line)

    def test_one_bad_record(self):
        server = self.beside(["A"])["A"].start()
        self.database.do("LPUSH", b"herd:{paws}:at:bad", "x")
        with server.client() as client:
            client.send(b"".join(b"IAMAT %s +1+1 1\n" % name for name in (b"a", b"bad", b"c")))
            lines = [client.line() for _ in range(3)]
        self.wait_written(b"a", lines[0])
        self.wait_written(b"c", lines[2])
        self.assertEqual(server.wait_event("database_record_dropped")["id"], "bad")


class PostgresTest(Common, HerdTest):
    kind = database.Postgres

    def test_schema_wrong(self):
        self.start_database()
        self.database.sql("CREATE TABLE herd_schema (version text)")
        server = self.beside(["A"])["A"].start()
        server.wait_event("database_refused")
        self.assertTrue(server.ask(b"IAMAT a +1+1 1\n").startswith(b"AT A "))

    def test_history(self):
        server = self.beside(["A"], history="samples", retention_days=7)["A"].start()
        for i in range(3):
            self.wait_written(b"h", server.ask(b"IAMAT h +1+%d %d\n" % (i, i)))
        wait_for(lambda: self.database.sql("SELECT count(DISTINCT lon) FROM herd_track WHERE id = 'h'") == [["3"]],
                 "three samples")


if __name__ == "__main__":
    main()
