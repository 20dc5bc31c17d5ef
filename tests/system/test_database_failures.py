# SPDX-License-Identifier: MIT
"""What a core database does to a herd, and servers to it, in every phase: killed, cut off behind a commit, full, put back to what it
was, shut to who may not. At the end the database has what the herd has. tests/README.md says which failure is proved where."""
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import database
from herd import *
from trust import proof


class Cutter:
    """A proxy before a database on a Unix socket: it carries everything, until the answers are to be lost."""

    def __init__(self, test, path, target):
        self.target, self.swallows, self.ends = target, False, False
        self.swallowed = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.pairs = {}
        self.servers = set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def close(self):
        self.ends = True
        self.thread.join(DEADLINE)
        for end in [self.listener, *self.pairs]:
            end.close()

    def cut(self):
        """Ends all connections; new ones are carried."""
        self.swallows = False
        for end in list(self.pairs):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _carry(self, one):
        other = self.pairs[one]
        try:
            data = one.recv(1 << 16)
            if data and one in self.servers and self.swallows:
                self.swallowed += len(data)
                return
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            for end in (one, other):
                self.pairs.pop(end, None)
                self.servers.discard(end)
                end.close()

    def _run(self):
        while not self.ends:
            for ready in select.select([self.listener, *self.pairs], [], [], 0.05)[0]:
                if ready is self.listener:
                    one, other = ready.accept()[0], socket.socket(socket.AF_UNIX)
                    try:
                        other.connect(self.target)
                    except OSError:
                        one.close()
                        continue
                    self.pairs[one], self.pairs[other] = other, one
                    self.servers.add(other)
                elif ready in self.pairs:
                    self._carry(ready)


class Beside(HerdTest):
    def start_database(self, kind, **options):
        made = kind(**options)
        self.addCleanup(made.close)
        return made

    def beside(self, made, names, links=(), limits=None, more=None, **members):
        return self.herd(names, links, limits=limits,
                         more={"herd": "paws", "database": made.section(**members), **(more or {})})

    def has(self, made, client_id, line):
        fields = line.split()
        return made.get(client_id, b"paws") == [fields[1], fields[2], fields[4], fields[5]]

    def wait_written(self, made, client_id, line):
        wait_for(lambda: self.has(made, client_id, line), f"the database has {line!r}")


class Common(database.OfAKind):
    """Each kind runs all of these."""

    def test_cut_after_commit(self):
        """The database has it and the server is not told: it writes again, which changes nothing."""
        made = self.start_database(self.kind)
        history = {"history": "samples"} if made.kind == "postgres" else {}
        herd = self.beside(made, ["A"], **history)
        folder = self.directory()
        name = os.path.basename(made.socket_path())
        cutter = Cutter(self, os.path.join(folder, name), made.socket_path())
        with open(herd.config["database"]["dsn_file"], "w") as file:
            file.write(made.dsn().replace(made.directory, folder) + "\n")
        server = herd["A"].start()
        self.wait_written(made, b"before", server.ask(b"IAMAT before +1+1 1\n"))
        lost = 0
        for i in range(20):
            cutter.swallows, cutter.swallowed = True, 0
            line = server.ask(b"IAMAT c%d +1+1 5\n" % i)
            wait_for(lambda: cutter.swallowed, "an answer is lost")
            # It may be that of what was written before, or of a heartbeat; then this one was not sent yet.
            lost += self.has(made, b"c%d" % i, line)
            cutter.cut()
            self.wait_written(made, b"d%d" % i, server.ask(b"IAMAT d%d +1+1 5\n" % i))
            self.wait_written(made, b"c%d" % i, line)
            if lost == 3:
                break
        self.assertEqual(lost, 3)
        server.wait_event("database_gone")
        self.assertFalse(server.saw("database_forgot"))
        self.assertFalse(server.saw("database_record_dropped"))
        if history:
            self.assertEqual(made.sql("SELECT count(*), count(DISTINCT id) FROM herd_sample"), [[str(2 * i + 3)] * 2])
        self.assertEqual(server.stop(), 0)

    def test_database_killed_in_every_phase(self):
        """While it is connected to, while tables are made, between and in the middle of batches."""
        made = self.start_database(self.kind)
        server = self.beside(made, ["A"], flush_ms=10)["A"].start()
        lines = {}
        count = 0
        with server.client() as client:
            for round_ in range(self.rounds):
                end = time.monotonic() + 0.02 * round_
                while time.monotonic() < end or not lines:
                    for i in range(100):
                        client_id = b"k%d" % i
                        client.send(b"IAMAT %s +1+%d %d\n" % (client_id, i % 90, count))
                        count += 1
                        lines[client_id] = client.line()
                made.kill()
                client_id = b"away%d" % round_
                lines[client_id] = client.ask(b"IAMAT %s +1+1 5\n" % client_id)
                made.start()
        for client_id, line in lines.items():
            self.wait_written(made, client_id, line)
        self.assertEqual(server.stop(), 0)

    def test_server_killed_in_every_phase(self):
        """What neighbours had of it is written, by them or by itself when it is back."""
        made = self.start_database(self.kind)
        herd = self.beside(made, ["A", "B"], [("A", "B")], flush_ms=20, adopt_ms=1000)
        herd.start()
        kept = {}
        for round_ in range(5):
            with herd["A"].client() as client:
                for i in range(200):
                    client.send(b"IAMAT s%d-%d +1+1 5\n" % (round_, i))
                lines = [client.line() for _ in range(200)]
            time.sleep(0.005 * round_)
            herd["A"].kill()
            with herd["B"].client() as client:
                for i, line in enumerate(lines):
                    if client.whatsat(b"s%d-%d" % (round_, i), b"1", b"0") == line:
                        kept[b"s%d-%d" % (round_, i)] = line
            if round_ % 2:
                herd["B"].wait_event("writer_adopted", server="A")
            herd["A"].start()
            herd.wait_linked()
        for client_id, line in kept.items():
            self.wait_written(made, client_id, line)
        self.assertEqual(set(herd.stop().values()), {0})

    def test_clock_set_back(self):
        """What a server accepted by a clock that was an hour ahead, and what it accepts after it was set right, is there."""
        if not os.path.exists(os.environ.get("HERD_WALL_CLOCK", "")):
            self.skipTest("HERD_WALL_CLOCK is not the library that moves the clock")
        made = self.start_database(self.kind)
        herd = self.beside(made, ["A", "B"], [("A", "B")], adopt_ms=1000)
        clock = os.path.join(self.directory(), "clock")

        def set_clock(seconds):
            with open(clock + ".new", "w") as file:
                file.write(str(seconds))
            os.rename(clock + ".new", clock)

        set_clock(3600)
        env = {"LD_PRELOAD": os.environ["HERD_WALL_CLOCK"], "WALL_CLOCK_FILE": clock, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        server = herd["A"].start(env)
        herd["B"].start()
        ahead = server.ask(b"IAMAT c +1+1 %.3f\n" % (time.time() - 10))
        self.assertGreater(float(ahead.split()[2]), 3000)
        self.wait_written(made, b"c", ahead)
        set_clock(0)
        for i in range(3):
            line = server.ask(b"IAMAT c +2+%d %.3f\n" % (i, time.time()))
            self.assertLess(abs(float(line.split()[2])), 60)
            self.wait_written(made, b"c", line)
            self.wait_written(made, b"d%d" % i, server.ask(b"IAMAT d%d +2+2 %.3f\n" % (i, time.time())))
        made.kill()
        last = server.ask(b"IAMAT c +3+3 %.3f\n" % time.time())
        late = server.ask(b"IAMAT late +3+3 %.3f\n" % time.time())
        wait_for(lambda: herd["B"].ask(b"WHATSAT late 1 0\n").startswith(late), "its neighbour knows")
        server.kill()
        made.start()
        server.start()
        self.wait_written(made, b"c", last)
        self.wait_written(made, b"late", late)
        self.assertEqual(set(herd.stop().values()), {0})

    def test_older_copy(self):
        """A backup put back, a replica with fewer rows promoted: what the herd holds is written again."""
        made = self.start_database(self.kind)
        herd = self.beside(made, ["A", "B"], [("A", "B")], adopt_ms=1000)
        herd.start()
        old = [herd["AB"[i % 2]].ask(b"IAMAT o%d +1+1 5\n" % i) for i in range(40)]
        for i, line in enumerate(old):
            self.wait_written(made, b"o%d" % i, line)
        made.kill()
        made.copy("old")
        made.start()
        new = [herd["AB"[i % 2]].ask(b"IAMAT %s +2+2 6\n" % name) for i, name in
               enumerate([b"o%d" % i for i in range(20)] + [b"n%d" % i for i in range(20)])]
        for line in new:
            self.wait_written(made, line.split()[3], line)
        made.kill()
        made.put_back("old")
        made.start()
        for line in new + old[20:]:
            self.wait_written(made, line.split()[3], line)
        wait_for(lambda: herd["A"].saw("database_forgot") or herd["B"].saw("database_forgot"), "the log says it")
        self.assertEqual(set(herd.stop().values()), {0})

    def test_two_writers(self):
        """Two parts of a herd write the same clients at once: the order decides, and nobody is locked out for long."""
        made = self.start_database(self.kind)
        servers = [self.beside(made, [name], flush_ms=5)[name].start() for name in "AB"]
        newest = {}
        clients = [server.client() for server in servers]
        for round_ in range(40):
            for which, client in enumerate(clients):
                ids = range(60) if (round_ + which) % 2 else range(59, -1, -1)
                for i in ids:
                    client.send(b"IAMAT t%d +1+1 %d\n" % (i, 10 * round_ + (i + which) % 2))
                for i in ids:
                    line = client.line()
                    if i not in newest or float(line.split()[5]) > float(newest[i].split()[5]):
                        newest[i] = line
        for i, line in newest.items():
            self.wait_written(made, b"t%d" % i, line)
        for server in servers:
            self.assertEqual(server.stop(), 0)
        if made.kind == "postgres":
            self.assertEqual(made.sql("SELECT sum(deadlocks) FROM pg_stat_database"), [["0"]])

    def test_read_through_asks_for_rights(self):
        """Who may not ask for a client does not get it from the database, nor has it asked."""
        made = self.start_database(self.kind)
        one = self.beside(made, ["A"])["A"].start()
        for name in (b"kiwi", b"other"):
            self.wait_written(made, name, one.ask(b"IAMAT %s +1+1 5\n" % name))
        kiwi, boss = "herd_" + "k" * 43, "herd_" + "b" * 43
        herd = self.beside(made, ["B"], read_through=True)
        for door in ("http_port", "admin_port"):
            herd.config["servers"]["B"][door] = free_port()
        path = os.path.join(herd.dir, "identities")
        with open(path, "w") as file:
            file.write(f"kiwi {proof(kiwi)} kiwi kiwi\nboss {proof(boss)} * * admin\n")
        herd.config["identities"] = path
        herd.write()
        server = herd["B"].start()

        def get(path, token=None, port="http_port"):
            request = urllib.request.Request(f"http://127.0.0.1:{herd.config['servers']['B'][port]}{path}")
            if token:
                request.add_header("Authorization", "Bearer " + token)
            try:
                with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                return error.code, error.read()

        def asked():
            return [line for line in get("/metrics", boss, "admin_port")[1].splitlines()
                    if line.startswith(b"herd_database_reads_total")]

        def whatsat(name, token=None):
            with server.client() as client:
                if token:
                    client.send(b"TOKEN %s\n" % token.encode())
                    client.line()
                return client.ask(b"WHATSAT %s 1 0\n" % name)

        wait_for(lambda: get("/v1/clients/kiwi", kiwi)[0] == 200, "who may is answered")
        before = asked()
        self.assertTrue(before)
        self.assertIn(get("/v1/clients/other")[0], (401, 404))
        refused, unknown = get("/v1/clients/other", kiwi), get("/v1/clients/nobody", kiwi)
        self.assertEqual(refused[0], 404)
        self.assertEqual(refused[1].replace(b"other", b""), unknown[1].replace(b"nobody", b""))  # not that it is there
        self.assertFalse(whatsat(b"other").startswith(b"AT "))
        self.assertFalse(whatsat(b"other", kiwi).startswith(b"AT "))
        self.assertEqual(asked(), before)
        self.assertEqual(get("/v1/clients/other", boss)[0], 200)
        wait_for(lambda: get("/v1/clients/other", boss)[0] == 200, "who may ask for all is answered")
        self.assertEqual(get("/v1/clients/other", kiwi)[0], 404)  # while it is kept for a second
        self.assertFalse(whatsat(b"other", kiwi).startswith(b"AT "))
        self.assertEqual(server.stop(), 0)


class RedisTest(Common, Beside):
    kind = database.Redis
    rounds = 12

    def test_a_million_changes_while_it_is_away(self):
        """Of 10 000 clients: nothing grows, and the newest of each is written."""
        if sanitized():
            self.skipTest("what a sanitizer keeps is not the server's")
        made = self.start_database(self.kind)
        server = self.beside(made, ["A"])["A"].start()
        count, rounds = 10000, 100
        with server.client() as client:
            def report(round_):
                client.send(b"".join(b"IAMAT m%d +1+1 %d\n" % (i, round_) for i in range(count)))
                return client.lines(count)
            report(1)
            wait_for(lambda: made.do("DBSIZE") == count + 1, "all are written")
            made.kill()
            for round_ in range(2, 12):
                report(round_)
            before = server.resident()
            for round_ in range(12, rounds + 1):
                lines = report(round_)
            self.assertLess(server.resident(), before + (4 << 20))
        made.start()
        keys = [b"herd:{paws}:at:m%d" % i for i in range(count)]
        want = [line.split()[2] for line in lines]
        wait_for(lambda: [value and value.split(b" ")[4] for value in made.do("MGET", *keys)] == want, "all are there")
        self.assertEqual(server.stop(), 0)


class PostgresTest(Common, Beside):
    kind = database.Postgres
    rounds = 6

    def test_full_disk(self):
        """Back-off, and everything when there is room again."""
        if os.getuid() != 0 or not shutil.which("setpriv") or subprocess.run(
                ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], stderr=subprocess.DEVNULL).returncode:
            print("skipped: a small file system needs root, unshare and setpriv", file=sys.stderr)
            self.skipTest("a small file system needs root, unshare and setpriv")
        made = self.start_database(self.kind, small="32m")
        made.sql(f"CREATE TABLESPACE small LOCATION '{made.directory}/small/data'")
        made.sql("ALTER DATABASE postgres SET default_tablespace = small")
        server = self.beside(made, ["A"])["A"].start()
        self.wait_written(made, b"a", server.ask(b"IAMAT a +1+1 1\n"))
        made.sql("CREATE TABLE filler (text text); ALTER TABLE filler ALTER text SET STORAGE PLAIN")
        made.sql("DO $$ BEGIN LOOP INSERT INTO filler SELECT repeat('x', 4000) FROM generate_series(1, 100); END LOOP;"
                 " EXCEPTION WHEN disk_full THEN NULL; END $$")
        with server.client() as client:
            client.send(b"".join(b"IAMAT f%d +1+1 5\n" % i for i in range(2000)))
            lines = client.lines(2000)
        gone = server.wait_event("database_gone")
        self.assertIn("53100", gone.text)
        self.assertFalse(server.saw("database_record_dropped"))
        made.sql("DROP TABLE filler; CHECKPOINT")
        for i in (0, 1000, 1999):
            self.wait_written(made, b"f%d" % i, lines[i])
        wait_for(lambda: made.sql("SELECT count(*) FROM herd_newest") == [["2001"]], "all are written")
        server.wait_event("database_back")
        self.assertEqual(server.stop(), 0)


def message(kind, body):
    return kind + (len(body) + 4).to_bytes(4, "big") + body


class Endless:
    """What says that it is a database, and then answers without an end."""

    SAYS = {  # at the beginning, and from then on
        "redis": (b"+PONG\r\n+OK\r\n$23\r\nredis_version:7.0.15\r\n\n\r\n$40\r\n" + b"0" * 40 + b"\r\n*65536\r\n",
                  b"$1048576\r\n" + b"x" * 1048576 + b"\r\n"),
        "postgres": (message(b"R", bytes(4)) + message(b"S", b"server_version\0" + b"15.0\0") +
                     message(b"S", b"client_encoding\0UTF8\0") + message(b"K", bytes(8)) + message(b"Z", b"I"),
                     message(b"D", b"\0\1" + (1 << 20).to_bytes(4, "big") + bytes(1 << 20))),
    }
    # Before rows: the statement was understood.
    ROWS = message(b"1", b"") + message(b"2", b"") + message(b"T", b"\0\1x\0" + bytes(6) + b"\0\0\0\x11\xff\xff" + bytes(6))

    def __init__(self, test, kind, path):
        self.kind, self.ends, self.sent = kind, False, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def close(self):
        self.ends = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(DEADLINE)
        self.listener.close()

    def _answer(self, one):
        first, endless = self.SAYS[self.kind]
        one.recv(1 << 16)
        one.sendall(first)
        if self.kind == "postgres":
            one.recv(1 << 16)
            one.sendall(self.ROWS)
        while not self.ends:
            self.sent += one.send(endless) if self.kind == "redis" else one.sendall(endless) or len(endless)

    def _run(self):
        while not self.ends:
            try:
                one = self.listener.accept()[0]
            except OSError:
                return
            with one:
                try:
                    self._answer(one)
                except OSError:
                    pass


class HostileTest(Beside):
    """Servers that are no databases: memory is bounded, clients are answered."""

    def hostile(self, kind, name):
        if kind not in os.environ["HERD_ADAPTERS"].split():
            self.skipTest(f"built without the adapter for {kind}")
        folder = self.directory()
        path = os.path.join(folder, name)
        endless = Endless(self, kind, path)
        dsn = os.path.join(folder, "dsn")
        with open(os.open(dsn, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(f"unix://{path}\n" if kind == "redis" else f"host={folder} user=herd dbname=x\n")
        server = self.herd(["A"], more={"database": {"kind": kind, "dsn_file": dsn, "flush_ms": 50}})["A"].start()
        server.wait_event("database_gone", why=self.WHY[kind])
        self.assertGreater(endless.sent, 64 << 20)
        most = 0
        for i in range(200):
            self.assertTrue(server.ask(b"IAMAT h%d +1+1 5\n" % i).startswith(b"AT A "))
            most = max(most, server.resident())
        if not sanitized():
            self.assertLess(most, 400 << 20)
        self.assertEqual(server.stop(), 0)

    WHY = {"redis": "its answer is too long", "postgres": "the server's answer is too long"}

    def test_redis(self):
        self.hostile("redis", "s")

    def test_postgres(self):
        self.hostile("postgres", ".s.PGSQL.5432")


class MendedTest(Beside):
    """An operator gives rights while servers run: they see it within a minute, each kind in the same one."""

    def test_rights_mended(self):
        kinds = [kind for kind in database.KINDS if not kind.missing()]
        if not kinds:
            self.skipTest("no database is installed")
        servers = {}
        for kind in kinds:
            made = self.start_database(kind)
            herd = self.beside(made, ["A"])
            made.shut_out()
            server = herd["A"].start()
            line = server.ask(b"IAMAT a +1+1 1\n")
            server.wait_event("database_refused", kind=kind.kind)
            servers[server] = made, line
        for server, (made, line) in servers.items():
            self.assertIsNone(made.get(b"a", b"paws"))
            made.let_in()
        for server, (made, line) in servers.items():
            wait_for(lambda: server.saw("database_back"), "the log says that it is back", 60 + DEADLINE)
            self.wait_written(made, b"a", line)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
