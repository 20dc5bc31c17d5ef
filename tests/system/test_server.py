# SPDX-License-Identifier: MIT
"""The program: options, configuration, exit codes, signals, the log."""
import hashlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time

from herd import AT, DEADLINE, PROGRAM, Client, Event, HerdTest, environment, free_port, main, run, wait_for
from places_stub import PlacesStub


# What --check says of each configuration without identities.
OPEN_TO_ALL = b'warning: no "identities": who can connect may report and ask for every client\n'


class Options(HerdTest):
    """What is said and with which exit code, without a server running."""

    def setUp(self):
        super().setUp()
        self.dir = self.directory()

    def program(self, *args, **options):
        result = run(*args, cwd=self.dir, **options)
        self.assertNotIn(b"Sanitizer", result.stderr)
        self.assertNotIn(b"runtime error", result.stderr)
        return result

    def config(self, text):
        path = os.path.join(self.dir, "herd.json")
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def test_help_and_version(self):
        for option in ("--help", "-h"):
            result = self.program(option)
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            for word in (b"--config", b"--log", b"--check", b"--print-config", b"--token", b"--help", b"--version", b"NAME"):
                self.assertIn(word, result.stdout)
        for option in ("--version", "-V"):
            result = self.program(option)
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertRegex(result.stdout, rb"\Aherd-server \d+\.\d+\.\d+ \(.*libevent.*\)\n\Z")

    def test_usage_errors(self):
        for args, word in (([], b"NAME"), (["--no-such-option"], b"no-such-option"), (["Riley", "Jaquez"], b"Jaquez"),
                           (["-c"], b"requires an argument"), (["-x", "Riley"], b"x"),
                           (["--config"], b"requires an argument"), (["--check=1"], b"check")):
            with self.subTest(args=args):
                result = self.program(*args)
                self.assertEqual((result.returncode, result.stdout), (2, b""))
                self.assertIn(word, result.stderr)
        self.assertEqual(os.listdir(self.dir), [])

    def test_unknown_name(self):
        result = self.program("Nobody")
        self.assertEqual(result.returncode, 2)
        for name in (b"Nobody", b"Riley", b"Jaquez", b"Juzang", b"Campbell", b"Bernard"):
            self.assertIn(name, result.stderr)
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(self.program("riley").returncode, 2)

    def test_check(self):
        result = self.program("--check")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b"herd-server: " + OPEN_TO_ALL))
        self.assertEqual(self.program("--check", "-c", self.config("{}")).returncode, 0)
        self.assertEqual(self.program("--check", "Riley").returncode, 0)
        self.assertEqual(os.listdir(self.dir), ["herd.json"])

    def test_token(self):
        lines = self.program("--token", "kiwi").stdout.decode().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"\Aherd_[A-Za-z0-9_-]{43}\Z")
        proof = "sha256:" + hashlib.sha256(lines[0].encode()).hexdigest()
        self.assertEqual(lines[1].split(), ["kiwi", proof, "kiwi", "kiwi"])
        self.assertNotEqual(self.program("--token", "kiwi").stdout.decode().splitlines()[0], lines[0])
        path = os.path.join(self.dir, "identities")
        for name in ("kiwi", "cert", "-", "x" * 64):  # the line is one that a file may have
            with open(path, "wb") as file:
                file.write(self.program("--token=" + name).stdout.splitlines()[1] + b"\n")
            result = self.program("--check", "-c", self.config(json.dumps({"identities": path})))
            self.assertEqual((result.returncode, result.stderr), (0, b""))
        for name in ("", "a b", "anonymous", "x" * 65, "a\nb"):
            result = self.program("--token", name)
            self.assertEqual((result.returncode, result.stdout), (2, b""))
            self.assertIn(b"identity", result.stderr)
        self.assertEqual(self.program("--token").returncode, 2)

    def test_check_of_trust_prints_every_fault(self):
        def write(name, text, mode=0o600):
            path = os.path.join(self.dir, name)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, mode)
            return path
        files = {"secret_file": write("secret", "12\n"), "identities": write("identities", "# all\nkiwi sha256:1 - -\n"),
                 "psk_file": write("psk", "A " + "0" * 64 + "\nB x\n"), "herd": "h",
                 "tls": {"certificate": write("{name}.pem", "no certificate"), "key": "/no/key",
                         "ca": write("ca", "x", 0o646)}}
        config = {"servers": {"A": {"port": 1}, "B": {"port": 2}}, "links": [["A", "B"]], **files}
        path = self.config(json.dumps(config, indent=1))
        write("A.pem", "no certificate")
        result = self.program("--check", "-c", path, "A")
        self.assertEqual(result.returncode, 2)
        lines = result.stderr.decode().splitlines()
        for member, word in (("secret_file", "secret:1: expected 64 hexadecimal digits"),
                             ("identities", "identities:2:6: expected 64 hexadecimal digits"),
                             ("psk_file", "psk:2: expected the name of a server"), ("certificate", "A.pem: no start line"),
                             ("ca", "mode 646 lets others write it")):
            with open(path) as file:
                number = [n for n, line in enumerate(file, 1) if '"%s"' % member in line][0]
            self.assertTrue(any(line.startswith("%s:%d:" % (path, number)) and word in line for line in lines), (member, lines))
        self.assertEqual(len(lines), 5, lines)
        # Without a neighbour's key, and without a certificate, nobody is let in.
        write("psk", "C " + "0" * 64 + "\n")
        write("secret", "0f" * 32 + "\n")
        config = {**config, "psk_file": files["psk_file"], "tls": {}}
        del config["identities"]
        result = self.program("--check", "-c", self.config(json.dumps(config)), "A")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"no key for the pair with neighbour B, and no certificate", result.stderr)
        self.assertIn(OPEN_TO_ALL, result.stderr)
        write("psk", "B " + "0" * 64 + "\n")
        result = self.program("--check", "-c", self.config(json.dumps(config)), "A")
        self.assertEqual(result.returncode, 0, result.stderr)
        config["tls"] = {"mode": "allow"}
        result = self.program("--check", "-c", self.config(json.dumps(config)), "A")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"neighbours that prove nothing are let in", result.stderr)

    def test_check_looks_at_the_name_too(self):
        result = self.program("--check", "Nobody")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"Nobody; there is: Riley Jaquez Juzang Campbell Bernard\n", result.stderr)
        many = {f"server{n}": {"port": 12000 + n} for n in range(60)}
        result = self.program("--check", "-c", self.config(json.dumps({"servers": many, "links": []})), "Nobody")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, rb"Nobody; there is: server0 server1 .*\.\.\.\n")

    def test_check_prints_every_fault(self):
        text = '''{"servers": {"A": {"port": 0, "hots": 1}, "B": {"host": "192.0.2.7", "port": 2}, "C D": {"port": "x"}},
 "links": [["A", "X"], ["Y", "Z"], ["A", "B"], ["B", "A"], 7],
 "places": [{"provider": "gogle", "url": 1}, {"key_file": "/no/key", "ca_file": "/no/ca"}, {"file": "/no/file"}, 3],
 "log": {"level": "loud", "traffic": 1},
 "journal": "/no/such/{name}.journal",
 "limits": {"redial_max_ms": 0, "nope": 2, "output_pause_bytes": 9999999},
 "what": 1}'''
        path = self.config(text)
        result = self.program("--check", "-c", path, "-l", "/no/log", "B")
        self.assertEqual((result.returncode, result.stdout), (2, b""))
        lines = result.stderr.decode().splitlines()
        self.assertIn("cannot write the log /no/log: No such file", lines.pop())
        found = {}
        for line in lines:
            match = re.match(re.escape(path) + r":(\d+):(\d+): (.+)\Z", line)
            self.assertTrue(match, line)
            found.setdefault((int(match[1]), int(match[2])), []).append(match[3])
        expected = [(1, 28, "servers.A.port"), (1, 31, "servers.A.hots"), (1, 48, "cannot listen on this host"),
                    (1, 82, "servers.C D"), (1, 98, "servers.C D.port"), (2, 18, "links[0][1]"), (2, 25, "links[1][0]"),
                    (2, 30, "links[1][1]"), (2, 48, "links[3]: the same link as links[2]"), (2, 60, "links[4]"),
                    (3, 26, "places[0].provider"), (3, 42, "places[0].url"), (3, 46, "key file /no/key: No such file"),
                    (3, 46, "/no/ca: No such file"), (3, 92, "/no/file: No such file"), (3, 114, "places[3]"),
                    (4, 19, "log.level"), (4, 38, "log.traffic"), (5, 13, "journal: cannot make a file in /no/such"),
                    (6, 30, "limits.redial_max_ms"), (6, 33, "limits.nope"), (7, 2, "what: unknown member")]
        for line, column, word in expected:
            self.assertTrue(any(word in text for text in found.get((line, column), [])), (line, column, word, lines))
        self.assertEqual(len(lines), len(expected), lines)
        # A start needs the first of them only.
        result = self.program("-c", path, "B")
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (2, 1))

    def test_check_opens_what_is_named(self):
        key, places = os.path.join(self.dir, "key"), os.path.join(self.dir, "p.geojson")
        herd = self.herd(["A"], more={"journal": "{name}.journal"}).start()
        config = dict(herd.config, places=[{"key_file": key}, {"file": places}])
        path = os.path.join(herd.dir, "checked.json")

        def check(**more):
            with open(path, "w") as file:
                json.dump({**config, **more}, file)
            return run("--check", "-c", path, "-l", "A.log", "A", cwd=herd.dir)
        with open(key, "w") as file:
            file.write("k" * 20 + "\n")
        os.chmod(key, 0o600)
        with open(places, "w") as file:
            file.write('{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "x"},'
                       ' "geometry": {"type": "Point", "coordinates": [1, 2]}}]}')
        # The server runs meanwhile: port, journal and log are in use, and nothing is wrong with that.
        result = check()
        self.assertEqual((result.returncode, result.stderr),
                         (0, b"herd-server: " + path.encode() + b": " + OPEN_TO_ALL))
        self.assertTrue(herd["A"].ask(b"IAMAT x +1-1 5\n").startswith(b"AT A "))
        with open(places, "w") as file:
            file.write('{"type": "FeatureCollection",\n "features": [}')
        os.chmod(key, 0o644)
        result = check(journal=herd.dir)
        self.assertEqual(result.returncode, 2)
        for word in (b"can be read by others", b"p.geojson", b"journal: not a regular file"):
            self.assertIn(word, result.stderr)
        self.assertNotIn(b"kkkk", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 4)

    def test_print_config_is_read_again(self):
        default = self.program("--print-config")
        self.assertEqual((default.returncode, default.stderr), (0, b""))
        herd = json.loads(default.stdout)
        self.assertEqual({name: server["port"] for name, server in herd["servers"].items()},
                         {"Riley": 12000, "Jaquez": 12001, "Juzang": 12002, "Campbell": 12003, "Bernard": 12004})
        self.assertEqual({frozenset(link) for link in herd["links"]},
                         {frozenset(link) for link in (("Riley", "Jaquez"), ("Riley", "Juzang"), ("Bernard", "Jaquez"),
                                                       ("Bernard", "Juzang"), ("Bernard", "Campbell"),
                                                       ("Juzang", "Campbell"))})
        for text in (default.stdout, b'{"servers": {"A": {"port": 1, "host": "::1", "plain": true}, "B.x-y_z": '
                     b'{"port": 65535}}, "links": [["A", "B.x-y_z"]], "log": {"level": "debug", "traffic": false}, '
                     b'"limits": {"client_idle_ms": 0, "records_max": 7}, "places": [{"provider": "google-new", '
                     b'"key_env": "K"}, {"provider": "file", "file": "/a \\"b\\\\ \\u00e9"}, {"provider": "embedded"}]}'):
            once = self.program("--print-config", "-c", self.config(text))
            self.assertEqual((once.returncode, once.stderr), (0, b""))
            twice = self.program("--print-config", "-c", self.config(once.stdout))
            self.assertEqual(twice.stdout, once.stdout)
        printed = json.loads(once.stdout)
        self.assertEqual(printed["limits"]["records_max"], 7)
        self.assertEqual(printed["places"][1]["file"], '/a "b\\ \u00e9')
        self.assertEqual(printed["servers"]["A"], {"host": "::1", "port": 1, "plain": True})

    def test_configuration_errors_say_where_and_what(self):
        for text, line, column, words in (
                ('', 1, 1, []),
                ('{', 1, 2, []),
                ('{"servers": {}}', 1, 13, ["servers"]),
                ('{\n "serverz": {}}', 2, 2, ["serverz", "unknown"]),
                ('{"servers": {"A": {"port": 0}}}', 1, 28, ["servers.A.port", "0"]),
                ('{"servers": {"A": {"port": 65536}}}', 1, 28, ["servers.A.port", "65536"]),
                ('{"servers": {"A": {"port": "x"}}}', 1, 28, ["servers.A.port", "x"]),
                ('{"servers": {"A": {"port": 1.5}}}', 1, 28, ["servers.A.port", "1.5"]),
                ('{"servers": {"A": {}}}', 1, 19, ["servers.A", "port"]),
                ('{"servers": {"A": {"port": 1, "prot": 2}}}', 1, 31, ["servers.A.prot", "unknown"]),
                ('{"servers": {"A B": {"port": 1}}}', 1, 14, ["A B"]),
                ('{"servers": {"A": {"port": 1}, "B": {"port": 1}}}', 1, 46, ["same host and port", "A"]),
                ('{"servers": {"A": {"port": 1}},\n "links": [["A", "B"]]}', 2, 18, ["links[0][1]", "B"]),
                ('{"servers": {"A": {"port": 1}},\n "links": [["A", "A"]]}', 2, 18, ["links[0]", "A"]),
                ('{"links": [["Riley", "Jaquez"], ["Jaquez", "Riley"]]}', 1, 33, ["links[1]", "links[0]"]),
                ('{"links": [["Riley"]]}', 1, 12, ["links[0]", "pair"]),
                ('{"log": {"level": "loud"}}', 1, 19, ["log.level", "loud"]),
                ('{"log": {"traffic": 1}}', 1, 21, ["log.traffic", "true"]),
                ('{"limits": {"no_such": 1}}', 1, 13, ["limits.no_such"]),
                ('{"limits": {"records_max": 0}}', 1, 28, ["limits.records_max", "0"]),
                ('{"limits": {"records_max": 99999999999999999999}}', 1, 28, ["records_max", "99999999999999999999"]),
                ('{"limits": {"redial_max_ms": 1}}', 1, 30, ["redial_max_ms", "redial_min_ms"]),
                ('{"places": {"provider": "gogle"}}', 1, 25, ["places.provider", "gogle"]),
                ('{"places": {"provider": "google-new", "url": "http://example.com/"}}', 1, None, ["places.url", "https"]),
                ('{"limits": {"records_max": 1, "records_max": 2}}', 1, None, ["records_max"]),
                ('[]', 1, 1, []), ('null', 1, 1, []), ('{} x', 1, 4, []), ('{"log": {}},', 1, 12, []),
                ('{"log": NaN}', 1, 9, []), ("{'log': {}}", 1, 2, []), ('\ufeff{}', 1, 1, []),
                ('{"log": {"level": "\\ud800"}}', 1, None, []), ('[' * 100000, 1, None, [])):
            with self.subTest(text=text[:60]):
                path = self.config(text)
                for args in (["--check", "-c", path], ["-c", path, "Riley"], ["--print-config", "-c", path]):
                    result = self.program(*args)
                    self.assertEqual((result.returncode, result.stdout), (2, b""))
                    match = re.match(re.escape(path) + r":(\d+):(\d+): (.+)\n\Z", result.stderr.decode())
                    self.assertTrue(match, result.stderr)
                    self.assertEqual(int(match[1]), line, result.stderr)
                    if column:
                        self.assertEqual(int(match[2]), column, result.stderr)
                    for word in words:
                        self.assertIn(word, match[3])
        self.assertEqual(os.listdir(self.dir), ["herd.json"])

    def test_configuration_files_that_cannot_be_read(self):
        for path in (os.path.join(self.dir, "missing.json"), self.dir):
            result = self.program("--check", "-c", path)
            self.assertEqual(result.returncode, 2)
            self.assertIn(path.encode(), result.stderr)
            self.assertRegex(result.stderr, rb"No such file|Is a directory")

    def test_hostile_configuration_bytes_do_not_reach_the_terminal(self):
        result = self.program("--check", "-c", self.config(b'{"servers": {"A\\u001b[31m": {"port": 1}}}'))
        self.assertEqual(result.returncode, 2)
        self.assertNotIn(b"\x1b", result.stderr)
        result = self.program("--check", "-c", self.config(b'{"log": {"level": "\x1b[31m\xff"}}'))
        self.assertEqual(result.returncode, 2)
        self.assertNotIn(b"\x1b", result.stderr)

    def test_port_in_use_is_a_clear_error(self):
        with socket.create_server(("127.0.0.1", free_port())) as taken:
            port = taken.getsockname()[1]
            path = self.config(json.dumps({"servers": {"A": {"port": port}}}))
            result = self.program("-c", path, "A")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rb"127\.0\.0\.1 port %d: Address already in use" % port)

    def test_a_host_that_is_not_ours(self):
        path = self.config(json.dumps({"servers": {"A": {"port": free_port(), "host": "192.0.2.1"}}}))
        result = self.program("-c", path, "A")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"192.0.2.1", result.stderr)

    def test_a_log_that_cannot_be_written(self):
        path = self.config(json.dumps({"servers": {"A": {"port": free_port()}}}))
        result = self.program("-c", path, "-l", os.path.join(self.dir, "no", "A.log"), "A")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rb"A\.log: No such file")

    def test_a_provider_without_its_key(self):
        shared = os.path.join(self.dir, "key")
        with open(shared, "w") as file:
            file.write("CANARY\n")
        os.chmod(shared, 0o644)
        # 2: somebody has to edit. A file that is missing may be there the next time.
        for places, word, status in (
                ({"provider": "google-legacy"}, b"key", 2),
                ({"provider": "google-legacy", "key_env": "HERD_TEST_UNSET"}, b"HERD_TEST_UNSET", 2),
                ({"provider": "google-legacy", "key_file": shared}, b"read by others", 2),
                ({"provider": "google-new", "key_file": "/no/such/key"}, b"key", 1),
                ({"provider": "file", "file": "/no/such/places"}, b"places", 1)):
            with self.subTest(places=places):
                path = self.config(json.dumps({"servers": {"A": {"port": free_port()}}, "places": places}))
                result = self.program("-c", path, "-l", "-", "A")
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertIn(word, result.stderr)

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def dumps_core(self, config):
        """Whether a server with this configuration leaves a core file when it is aborted."""
        folder = self.directory()
        path = os.path.join(folder, "herd.json")
        with open(path, "w") as file:
            json.dump(config, file)

        def prepare():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        process = subprocess.Popen([PROGRAM, "-c", path, "-l", "A.log", "A"], cwd=folder, preexec_fn=prepare,
                                   env=environment({"ASAN_OPTIONS": "disable_coredump=0"}),
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = os.path.join(folder, "A.log")
        wait_for(lambda: os.path.exists(log) and b" listening " in self.read(log), "it listens")
        process.send_signal(signal.SIGABRT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = status
        self.assertTrue(os.WIFSIGNALED(status))
        return os.WCOREDUMP(status)

    def test_a_key_stays_out_of_core_files(self):
        key = os.path.join(self.dir, "key")
        with open(key, "w") as file:
            file.write("CANARY\n")
        os.chmod(key, 0o600)
        servers = {"servers": {"A": {"port": free_port()}}}
        try:
            without = self.dumps_core({**servers, "places": {"provider": "embedded"}})
        except ValueError:
            self.skipTest("skipped: the limit of core files cannot be raised here")
        if not without:
            self.skipTest("skipped: this system leaves no core files, or not of this build")
        self.assertFalse(self.dumps_core({**servers, "places": {"provider": "google-new", "key_file": key}}))
        self.assertFalse(self.dumps_core({**servers, "places": [{"provider": "embedded"}, {
            "provider": "google-legacy", "key_env": "PATH"}]}))

    def test_a_journal_that_cannot_be_used(self):
        """A folder that is missing or a lock that is held may be otherwise at the next start: 1."""
        config = {"servers": {"A": {"port": free_port()}}, "journal": os.path.join(self.dir, "no", "A.journal")}
        result = self.program("-c", self.config(json.dumps(config)), "-l", "-", "A")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, rb"A\.journal: .*No such file")
        herd = self.herd(["A"], more={"journal": "{name}.journal"}).start()
        herd.config["servers"]["A"]["port"] = free_port()
        path = self.config(json.dumps(herd.config))
        result = run("-c", path, "-l", "-", "A", cwd=herd.dir)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(b"in use by another process", result.stderr)

    def test_text_that_cannot_be_written(self):
        for option in ("--version", "--help", "--print-config"):
            with open("/dev/full", "wb") as full:
                result = subprocess.run([PROGRAM, option], stdout=full, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(result.returncode, 1, option)
            self.assertTrue(result.stderr)

    def test_standard_streams_that_are_closed(self):
        """Their numbers are not given to the log or a socket, or what somebody prints would end up there."""
        herd = self.herd(["A"])
        process = subprocess.Popen(["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PROGRAM, "-c", herd.config_path,
                                    "A"], cwd=herd.dir)
        try:
            log = os.path.join(herd.dir, "A.log")
            wait_for(lambda: os.path.exists(log) and os.path.getsize(log), "it listens")
            for fd in range(3):
                self.assertEqual(os.readlink("/proc/%d/fd/%d" % (process.pid, fd)), "/dev/null")
        finally:
            process.terminate()
            self.assertEqual(process.wait(30), 0)


class Addresses(HerdTest):
    """Where it listens."""

    def test_ipv6_and_names(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
            socket.getaddrinfo("localhost", None)
        except OSError:
            self.skipTest("no IPv6 here, or a machine that does not know localhost")
        herd = self.herd(["A", "B"], [("A", "B")])
        herd.config["servers"]["A"]["host"] = "::1"
        herd.config["servers"]["B"]["host"] = "localhost"
        herd.write()
        for server in herd:
            server.start()
        herd.wait_linked()
        with socket.create_connection(("::1", herd["A"].port), 30) as connection:
            connection.sendall(b"IAMAT x +1-1 5\n")
            line = connection.makefile("rb").readline()
        self.assertRegex(line, AT)
        self.assertTrue(herd["A"].wait_event("received", line="IAMAT x +1-1 5")["client"].startswith("[::1]:"))
        herd["B"].wait_event("received", line=line.decode()[:-1], peer="A")


class Signals(HerdTest):
    """SIGTERM, SIGINT, SIGHUP."""

    def test_signals_that_come_too_late(self):
        """Until the process is gone: none of them makes an orderly end a death by signal."""
        server = self.one()
        for late in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT) * 8:
            server.signal(signal.SIGTERM)
            while server.running:
                server.signal(late)
            self.assertEqual(server.wait(), 0)
            server.start()

    def test_term_and_int_end_an_idle_server(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                server = self.one()
                server.signal(number)
                self.assertEqual(server.wait(), 0)
                self.assertEqual([e.name for e in server.events()][-1], "stopped")
                self.assertEqual(server.events("signal")[0]["signal"], str(int(number)))

    def test_term_at_once_after_the_start(self):
        """From the moment it says that it listens, a signal ends it in good order."""
        for _ in range(20):
            server = self.one()
            self.assertEqual(server.stop(), 0)

    def test_clients_connected_do_not_hold_the_end_up_for_long(self):
        server = self.one()
        clients = [server.client() for _ in range(20)]
        for n, client in enumerate(clients):
            client.ask(b"x\n")
            if n % 2:
                client.send(b"IAMAT unfinished ")
        began = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - began, 4)
        for n, client in enumerate(clients):
            self.assertEqual(client.closed_by_server(), b"")

    def test_owed_answers_arrive(self):
        """Look-ups under way, commands behind them, and commands that wait for their turn: all that was read
        is answered; then the connection ends in good order, and the server with it."""
        stub = PlacesStub(self)
        stub.mode = "hold"
        server = self.one(places=stub.provider(), env=stub.env, limits={"lookups_per_client_max": 2})
        client = server.client()
        client.send(b"IAMAT a +1-1 5\n" + b"WHATSAT a 10 1\nx\nWHATSAT a 11 1\ny\nWHATSAT a 12 1\nz\n")
        at = client.line()
        stub.wait_requests(2)
        server.signal(signal.SIGTERM)
        server.wait_event("stopping")
        with self.assertRaises(ConnectionRefusedError):
            Client(server.port)
        self.assertTrue(client.silent())
        began = time.monotonic()
        stub.release()
        for n, reply in enumerate((b"? x\n", b"? y\n", b"? z\n")):
            self.assertEqual(client.answer()[0], at)
            self.assertEqual(client.line(), reply)
        self.assertEqual(client.rest(), b"")
        client.close()
        self.assertEqual(server.wait(), 0)
        self.assertLess(time.monotonic() - began, 4)

    def test_a_large_answer_arrives_though_its_client_is_slow(self):
        server = self.one(log={"level": "info", "traffic": False})
        client = server.client(receive_buffer=4096)
        client.send(b"IAMAT a +34.07-118.44 5\n" + b"WHATSAT a 50 20\n" * 100)
        client.line()
        client.answer()
        server.signal(signal.SIGTERM)
        for _ in range(99):
            client.answer()
        self.assertEqual(client.rest(), b"")
        client.close()
        self.assertEqual(server.wait(), 0)

    def test_commands_that_had_arrived_are_answered(self):
        """Even those the server had no time to read yet."""
        server = self.one()
        client = server.client()
        client.ask(b"x\n")
        server.pause()
        client.send(b"IAMAT late +1-1 5\n")
        server.signal(signal.SIGTERM)
        server.resume()
        self.assertRegex(client.line(), AT)
        self.assertEqual(client.rest(), b"")
        self.assertEqual(server.wait(), 0)

    def test_twice_is_at_once(self):
        stub = PlacesStub(self)
        stub.mode = "hang"
        server = self.one(places=stub.provider(timeout_ms=60000), env=stub.env)
        client = server.client()
        client.send(b"IAMAT a +1-1 5\nWHATSAT a 10 1\n")
        client.line()
        stub.wait_requests(1)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait_event("stopping")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        self.assertLess(time.monotonic() - began, 4)

    def test_patience_has_an_end(self):
        """A provider that never answers holds the end up for the patience only, and its client is answered
        or let go."""
        stub = PlacesStub(self)
        stub.mode = "hang"
        server = self.one(places=stub.provider(timeout_ms=60000), env=stub.env)
        client = server.client()
        client.send(b"IAMAT a +1-1 5\nWHATSAT a 10 1\n")
        client.line()
        stub.wait_requests(1)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        client.closed_by_server()

    def test_hup_reopens_the_log(self):
        server = self.one()
        server.ask(b"before\n")
        server.wait_event("received", line="before")
        old = server.log_path + ".1"
        os.rename(server.log_path, old)
        server.log_start = 0
        server.signal(signal.SIGHUP)
        wait_for(lambda: os.path.exists(server.log_path), "a new log")
        server.ask(b"after\n")
        server.wait_event("received", line="after")
        with open(old) as file:
            text = file.read()
        self.assertIn('"before"', text)
        self.assertNotIn('"after"', text)
        self.assertEqual(server.events("received", line="before"), [])

    def test_hup_when_the_log_cannot_be_reopened_keeps_the_old_one(self):
        herd = self.herd(["Riley"])
        server = herd["Riley"]
        directory = os.path.join(herd.dir, "logs")
        os.mkdir(directory)
        server.log_path = os.path.join(directory, "Riley.log")
        server.start()
        os.rename(directory, directory + "-moved")
        server.log_path = os.path.join(directory + "-moved", "Riley.log")
        server.signal(signal.SIGHUP)
        server.wait_event("log_reopen_failed")
        self.assertEqual(server.ask(b"x\n"), b"? x\n")
        server.wait_event("received", line="x")


class Log(HerdTest):
    """What an operator reads."""

    def test_default_file_is_name_log(self):
        herd = self.herd(["Riley"])
        elsewhere = self.directory()
        process = subprocess.Popen([PROGRAM, "-c", herd.config_path, "Riley"], cwd=elsewhere)
        try:
            path = os.path.join(elsewhere, "Riley.log")
            wait_for(lambda: os.path.exists(path) and os.path.getsize(path), "Riley.log")
        finally:
            process.terminate()
            self.assertEqual(process.wait(30), 0)

    def test_dash_is_standard_error(self):
        herd = self.herd(["Riley"])
        server = herd["Riley"]
        server.may_speak = True
        server.start(wait=False, args=("-l", "-"))
        wait_for(lambda: " listening " in server.stderr(), "a line on standard error")
        server.stop()
        for line in server.stderr().splitlines():
            Event(line)

    def test_traffic_and_connections(self):
        herd = self.herd(["A", "B"], [("A", "B")], log={"level": "info"}).start()
        line = herd["A"].ask(b"IAMAT x +1-1 5\n").decode()[:-1]
        client = herd["A"].events("received", line="IAMAT x +1-1 5") or \
            [herd["A"].wait_event("received", line="IAMAT x +1-1 5")]
        self.assertRegex(client[0]["client"], r"\A127\.0\.0\.1:\d+\Z")
        # What the answer repeats of the report is not told twice; an answer that repeats it otherwise is.
        own = line[:-len("x +1-1 5")]
        self.assertEqual(client[0]["sent"], own + "...")
        odd = herd["A"].ask(b"IAMAT  y  +1-1 5\n").decode()[:-1]
        herd["A"].wait_event("received", line="IAMAT  y  +1-1 5")
        herd["A"].wait_event("sent", line=odd)
        herd["A"].wait_event("sent", line=line, peer="B")
        herd["B"].wait_event("received", line=line, peer="A")
        herd["B"].kill()
        herd["A"].wait_event("peer_down", peer="B")
        with herd["A"].client() as asker:
            asker.whatsat(b"x")
        lookup = herd["A"].wait_event("lookup", provider="embedded")
        self.assertGreaterEqual(int(lookup["duration_us"]), 0)

    def test_traffic_off(self):
        herd = self.herd(["A", "B"], [("A", "B")], log={"level": "info", "traffic": False}).start()
        line = herd["A"].ask(b"IAMAT secret +1-1 5\n")
        herd.wait_everywhere(b"secret", line)
        herd.stop()
        for server in herd:
            self.assertEqual(server.events("received") + server.events("sent"), [])
            self.assertTrue(server.events("peer_up"))

    def test_levels(self):
        herd = self.herd(["A"], log={"level": "warn"})
        herd["A"].start(wait=False)

        def answers():
            try:
                return herd["A"].ask(b"x\n")
            except ConnectionRefusedError:
                return None
        wait_for(answers, "A listens")
        herd["A"].client().send(b"HELLO 2 X A 0\n")
        herd["A"].wait_event("peer_name_unknown")
        herd["A"].stop()
        self.assertEqual({event.level for event in herd["A"].events()}, {"warn"})

    def test_up_to_date_within_a_second(self):
        server = self.one()
        took = []
        for mark in ("one", "two", "three"):
            server.ask(mark.encode() + b"\n")
            began = time.monotonic()
            server.wait_event("received", line=mark)
            took.append(time.monotonic() - began)
        self.assertLess(min(took), 1.5)

    def test_long_and_hostile_lines_are_capped_and_escaped(self):
        server = self.one()
        server.ask(b"A" * 60000 + b"\n")
        server.ask(b'"\\\t\x1b]0;x\x07\x7f\x80\xe2\x80\xae 2026 error fake=1\n')
        events = wait_for(lambda: server.events("received")[1:] and server.events("received"), "two lines")
        self.assertLess(len(events[0].text), 2000)
        self.assertTrue(events[0]["line"].endswith("..."))
        self.assertEqual(events[1]["line"],
                         '\\"\\\\\\x09\\x1b]0;x\\x07\\x7f\\x80\\xe2\\x80\\xae 2026 error fake=1')

    def test_a_full_disk_costs_lines_not_service(self):
        herd = self.herd(["Riley"])
        server = herd["Riley"]
        server.start(wait=False, args=("-l", "/dev/full"))

        def answers():
            try:
                return server.ask(b"x\n")
            except ConnectionRefusedError:
                return None
        wait_for(answers, "it listens")
        with server.client() as client:
            client.send(b"y\n" * 20000)
            self.assertEqual(len(client.lines(20000)), 20000)
        self.assertEqual(server.stop(), 0)

    def test_a_pipe_nobody_reads_costs_lines_not_service(self):
        herd = self.herd(["Riley"])
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen([PROGRAM, "-c", herd.config_path, "-l", "-", "Riley"], cwd=herd.dir,
                                       env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=writer)
            os.close(writer)
            line = b""
            while b" listening " not in line:
                line += os.read(reader, 65536)
            with herd["Riley"].client() as client:
                for _ in range(20):
                    client.send(b"IAMAT kiwi +1+1 1\n" * 1000)
                    client.lines(1000)  # some 6 MB of log, a pipe takes 64 KiB
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(DEADLINE), 0)
            self.assertLess(time.monotonic() - began, 10)
        finally:
            process.kill()
            process.wait()
            os.close(reader)

    def test_standard_descriptors_closed_at_start(self):
        herd = self.herd(["Riley"])
        server = herd["Riley"]

        def close_all():
            for fd in (0, 1, 2):
                os.close(fd)
        process = subprocess.Popen([PROGRAM, "-c", herd.config_path, "-l", server.log_path, "Riley"], cwd=herd.dir,
                                   env=environment(), preexec_fn=close_all)
        try:
            wait_for(lambda: server.saw("listening"), "it listens")
            for fd in "012":
                self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{fd}"), "/dev/null")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(DEADLINE), 0)
        finally:
            process.kill()
            process.wait()

    def test_output_that_cannot_be_written(self):
        for args in (["--version"], ["--help"], ["--print-config"]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE)
            self.assertEqual(result.returncode, 1, args)
            self.assertTrue(result.stderr)

    def test_time_stamps_are_now_and_never_go_back_far(self):
        server = self.one()
        for _ in range(20):
            server.ask(b"x\n")
        server.stop()
        stamps = [e.text[:27] for e in server.events()]
        self.assertEqual(stamps, sorted(stamps))
        now = time.strftime("%Y-%m-%dT%H:", time.gmtime())
        self.assertTrue(stamps[-1].startswith(now) or stamps[0][:10] <= now[:10])


if __name__ == "__main__":
    main()
