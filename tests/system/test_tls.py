# SPDX-License-Identifier: MIT
"""TLS on the wire: handshakes that stop, records that lie, ends that are none, peers nobody here wrote."""
import contextlib
import os
import re
import resource
import select
import shutil
import socket
import ssl
import subprocess
import time

from herd import AT, DEADLINE, free_port, main, sanitized, wait_for
from trust import Records, TlsClient, TrustTest, context, skip_without_tls


class TlsTest(TrustTest):
    def server(self, **options):
        return self.tls(["A"], **options)["A"].start()

    def assert_serves(self, server):
        with TlsClient(server.port, context(self.authority.certificate)) as client:
            self.assertEqual(client.ask(b"x\n"), b"? x\n")


class Handshakes(TlsTest):
    def test_stopped_after_each_byte(self):
        """The ClientHello, cut off behind each of its bytes; the connection is closed, and all is given back."""
        server = self.server()
        self.assert_serves(server)  # the first handshake opens what all use
        files = server.open_files()
        for cut in range(len(self.records(server).first_flight())):
            client = Records(server.port, context(self.authority.certificate))
            client.send(client.first_flight()[:cut])
            client.socket.shutdown(socket.SHUT_WR)
            client.closed_by_server()
            client.close()
        server.wait_event("closed", why="tls_handshake_cut_off")
        self.assert_serves(server)
        wait_for(lambda: server.open_files() <= files + 1, "descriptors are given back")

    def test_second_flight_stopped_after_each_byte(self):
        server = self.server()
        made = self.authority.issue("desk", "client")
        cut, whole = 0, 1
        while cut < whole:
            client = Records(server.port, context(self.authority.certificate, made))
            client.send(client.first_flight())
            while True:
                try:
                    client.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    client.incoming.write(client.socket.recv(1 << 16))
            flight = client.outgoing.read()
            whole = len(flight)
            client.send(flight[:cut])
            client.socket.shutdown(socket.SHUT_WR)
            client.closed_by_server()
            client.close()
            cut += 7
        self.assert_serves(server)

    def test_byte_by_byte(self):
        server = self.server()
        client = self.records(server)
        for byte in client.first_flight():
            client.send(bytes([byte]))
        client.handshake()
        for byte in client.seal(b"IAMAT kiwi +1-1 5\n"):
            client.send(bytes([byte]))
        self.assertRegex(client.line(), AT)

    def crowd(self, server, count, bytes_each=None):
        """So many that send a ClientHello, or its beginning, and no more. The bytes are the same: whoever does this pays
        for none of it."""
        hello = Records.first_flight(self.records(server))[:bytes_each]
        made = []
        for _ in range(count):
            one = server.client()
            one.send(hello)
            made.append(one)
        return made

    def assert_others_served(self, client, seconds=1, least=20):
        began, served = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            self.assertRegex(client.ask(b"IAMAT good +1-1 5\n"), AT)
            served += 1
        self.assertGreater(served, least)

    def test_slowloris(self):
        """Three hundred that stop inside of a ClientHello take no place of a handshake: others shake hands and are served at
        once, and all are closed at the deadline."""
        server = self.server(limits={"peer_hello_ms": 3000, "line_deadline_ms": 3000})
        slow = self.crowd(server, 300, 100)
        began = time.monotonic()
        good = self.client(server)
        self.assert_others_served(good)
        for client in slow:
            client.closed_by_server()
        server.wait_event("closed", why="tls_handshake_deadline")
        self.assertLess(time.monotonic() - began, 30)  # one after the other: 900 s
        self.assertFalse(server.events("connection_refused"))
        self.assertEqual(good.ask(b"x\n"), b"? x\n")

    def test_stopped_behind_a_hello(self):
        """Four hundred that send a ClientHello and no more take all the places there are: who is connected notices nothing,
        who comes waits, is let in when the slow ones make room, and is served."""
        server = self.server(limits={"peer_hello_ms": 4000})
        good = self.client(server)
        slow = self.crowd(server, 400)
        began = time.monotonic()
        self.assert_others_served(good)
        late = self.client(server)
        self.assertEqual(late.ask(b"x\n"), b"? x\n")
        server.wait_event("connection_refused", why="tls_half_open")
        for client in slow:
            client.closed_by_server()
        server.wait_event("closed", why="tls_half_open")
        self.assertLess(time.monotonic() - began, 2 * DEADLINE)
        self.assert_serves(server)

    def test_thousands_stopped_behind_a_hello(self):
        """Ten thousand, or as many as there may be files: memory is bounded, others are served, all are closed."""
        most = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        server = self.server(limits={"peer_hello_ms": 2000, "clients_max": most + 100})
        good = self.client(server)
        self.assertEqual(good.ask(b"x\n"), b"? x\n")
        memory = server.resident()
        slow = self.crowd(server, most)
        wait_for(lambda: server.open_files() > most / 2, "they are accepted")
        self.assert_others_served(good)
        # 256 handshakes of 45 KB, and for each that waits what an idle connection costs. Sanitizers keep more.
        if not sanitized():
            self.assertLess(server.resident() - memory, 300 * 65536 + most * 3000)
        for client in slow:
            client.closed_by_server()
        self.assertEqual(good.ask(b"x\n"), b"? x\n")
        self.assert_serves(server)

    def test_a_crowd(self):
        """Five hundred that shake hands at once, more than there are places, are all served."""
        server = self.server(limits={"peer_hello_ms": 20000})
        tls, crowd = context(self.authority.certificate), []
        for _ in range(500):
            one = Records(server.port, tls)
            self.addCleanup(one.close)
            one.send(one.first_flight())
            crowd.append(one)
        for one in crowd:
            one.handshake().write(b"x\n")
        for one in crowd:
            self.assertEqual(one.line(), b"? x\n")
        self.assertFalse(server.events("connection_refused"))

    def test_closed_in_the_middle(self):
        """Connections end, by either side and by a stop, while their handshakes are computed."""
        server = self.server(limits={"peer_hello_ms": 100})
        for n in range(20):
            some = self.crowd(server, 30)
            for one in some:
                (one.reset if n % 2 else one.close)()
        self.crowd(server, 60)
        server.stop()

    def test_silent_ones_cost_nothing(self):
        """Connections without a first byte are no handshakes: they take no place of those."""
        server = self.server(limits={"line_deadline_ms": 60000})
        silent = [server.client() for _ in range(300)]
        self.assert_serves(server)
        self.assertFalse(server.events("connection_refused"))
        del silent

    def test_rubbish(self):
        """Bytes that begin like a record and are none; records of another kind; a hello of SSL 2."""
        server = self.server()
        for rubbish in (b"\x16", b"\x16\x03", b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\x16" * 500, b"\x16\x03\x01\0\0",
                        b"\x16\x03\x03\x00\x04\x01\xff\xff\xff", b"\x15\x03\x03\0\x02\x02\x28", b"\x80\x2e\x01\x03\x01",
                        b"\x16\x03\x01\x00\x05GET /"):
            with self.subTest(rubbish[:10]):
                with server.client() as client:
                    client.send(rubbish)
                    client.half_close()
                    client.closed_by_server()
        self.assert_serves(server)
        self.assertTrue(wait_for(lambda: [e for e in server.events() if e.name in ("tls_failed", "tls_expected")], "told"))


class Versions(TlsTest):
    def s_client(self, server, *args, input=b"x\n"):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                               self.authority.certificate, *args], input=input, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=DEADLINE).stdout

    def test_too_old(self):
        server = self.server()
        for version in ("-tls1", "-tls1_1", "-tls1_2"):
            with self.subTest(version):
                self.assertIn(b"alert", self.s_client(server, version, "-cipher", "ALL:@SECLEVEL=0"))
        self.assertIn("expected TLS 1.3", server.wait_event("tls_version")["why"])

    def test_1_2_where_it_is_allowed(self):
        herd = self.tls(["A"])
        herd.config["tls"]["min_version"] = "1.2"
        herd.write()
        server = herd["A"].start()
        tls = context(self.authority.certificate, least=ssl.TLSVersion.TLSv1_2, most=ssl.TLSVersion.TLSv1_2)
        with TlsClient(server.port, tls) as client:
            self.assertEqual(client.ask(b"x\n"), b"? x\n")
            self.assertEqual(client.socket.version(), "TLSv1.2")
        for version in ("-tls1", "-tls1_1"):
            self.assertIn(b"alert", self.s_client(server, version, "-cipher", "ALL:@SECLEVEL=0"))
        # No suite without forward secrecy, none without AEAD; no renegotiation by the client.
        for suite in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"):
            self.assertIn(b"alert", self.s_client(server, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0"))
        server.wait_event("tls_nothing_in_common")
        process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-CAfile",
                                    self.authority.certificate], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        with process:
            self.addCleanup(process.kill)
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            self.until(process, b"? hello\n")
            process.stdin.write(b"R\n")
            process.stdin.flush()
            self.assertIn(b"no renegotiation", self.until(process, b"no renegotiation"))
            process.kill()

    @staticmethod
    def until(process, what):
        got, end = b"", time.monotonic() + DEADLINE
        while what not in got:
            if not select.select([process.stdout], [], [], end - time.monotonic())[0]:
                raise AssertionError(f"no {what!r} in {got!r}")
            more = process.stdout.read1(1 << 16)
            if not more:
                raise AssertionError(f"no {what!r} in {got!r}")
            got += more
        return got

    def test_no_tickets_no_early_data(self):
        """A session that is kept opens nothing: the second connection shakes hands in full."""
        server = self.server()
        session = self.authority.path("session")
        first = self.s_client(server, "-sess_out", session)
        self.assertNotIn(b"New Session Ticket", first)
        again = self.s_client(server, "-reconnect")
        self.assertNotIn(b"Reused", again)

    def test_early_data(self):
        """Lines sent with the ClientHello by the session of another server, which would take them, are not taken: whoever
        copied them could send them again. The handshake goes on in full, and what comes behind it is answered."""
        server = self.server()
        session, early = self.authority.path("session"), self.authority.path("early")
        with open(early, "wb") as file:
            file.write(b"IAMAT early +1-1 5\n")
        port = free_port()
        with self.talk("s_server", "-early_data", "-no_anti_replay", "-num_tickets", "1", "-cert",
                       self.authority.path("A.pem"), "-key", self.authority.path("A.key"), "-accept", f"127.0.0.1:{port}") as other:
            self.until(other, b"ACCEPT")
            with self.talk("s_client", "-connect", f"127.0.0.1:{port}", "-sess_out", session):
                wait_for(lambda: os.path.exists(session) and b"-----END" in self.read(session), "a session is kept")
            taken = self.early(port, b"x\n", b"Early data was", "-sess_in", session, "-early_data", early)
            self.assertIn(b"Early data was accepted", taken)  # so it is offered
        said = self.early(server.port, b"WHATSAT early 1 0\nIAMAT late +1-1 5\n", b"AT A ", "-sess_in", session, "-early_data",
                          early)
        self.assertIn(b"Early data was rejected", said)
        self.assertIn(b"? WHATSAT early 1 0\n", said)
        self.assertNotIn("early +1-1", server.log_text())
        self.assert_serves(server)

    @contextlib.contextmanager
    def talk(self, *args):
        """The openssl command, which is killed behind this."""
        with subprocess.Popen(["openssl", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            try:
                yield process
            finally:
                process.kill()

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def early(self, port, say, what, *args):
        """What s_client says until that came."""
        with self.talk("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", self.authority.certificate, *args) as process:
            process.stdin.write(say)
            process.stdin.flush()
            return self.until(process, what)

    def test_sslscan(self):
        """Old versions, weak suites, compression, heartbleed: a scanner finds none."""
        if not shutil.which("sslscan"):
            self.skipTest("sslscan is not installed")
        server = self.server()
        said = subprocess.run(["sslscan", "--no-colour", f"127.0.0.1:{server.port}"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120).stdout.decode()
        for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2"):
            self.assertRegex(said, version + r"\s+disabled")
        self.assertRegex(said, r"TLSv1.3\s+enabled")
        self.assertNotRegex(said, r"(Accepted|Preferred)\s+TLSv1\.[0-2]")
        self.assertNotIn("vulnerable to heartbleed\n", said.replace("not vulnerable to heartbleed\n", ""))
        self.assertRegex(said, r"Preferred\s+TLSv1.3\s+128 bits\s+TLS_AES_128_GCM_SHA256")
        self.assert_serves(server)

    def test_gnutls(self):
        """Another implementation talks, and asks for new keys."""
        server = self.server()
        done = subprocess.run(["gnutls-cli", "--x509cafile", self.authority.certificate, "--no-ca-verification",
                               "--inline-commands", "-p", str(server.port), "127.0.0.1"],
                              input=b"IAMAT kiwi +1-1 5\n^rekey^\nIAMAT bus +1-1 5\n", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=DEADLINE)
        self.assertRegex(done.stdout, rb"AT A \S+ kiwi ")
        self.assertRegex(done.stdout, rb"AT A \S+ bus ")

    def test_key_updates(self):
        """A thousand, every second of them answered by one; lines between them."""
        server = self.server()
        process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                                    self.authority.certificate], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        with process:
            self.addCleanup(process.kill)
            self.until(process, b"---\n")
            for n in range(1000):
                if n % 3 == 0:
                    process.stdin.write(b"line %d\n" % n)
                    process.stdin.flush()
                    self.until(process, b"? line %d\n" % n)
                process.stdin.write(b"K\n" if n % 2 else b"k\n")
                process.stdin.flush()
                self.until(process, b"KEYUPDATE")
            process.stdin.close()
            self.until(process, b"DONE")
        self.assertFalse(server.events("tls_failed"))


class Data(TlsTest):
    def test_lines_over_records(self):
        """Each byte a record; many lines a record; the longest record; an empty one between."""
        server = self.server()
        client = self.records(server).handshake()
        client.send(b"".join(client.seal(bytes([byte])) for byte in b"IAMAT kiwi +1-1 5\n"))
        self.assertRegex(client.line(), AT)
        client.write(b"".join(b"l%d\n" % n for n in range(1000)) + b"par")
        for n in range(1000):
            self.assertEqual(client.line(), b"? l%d\n" % n)
        client.write(b"t\n")
        self.assertEqual(client.line(), b"? part\n")
        big = b"x\n" * 8192  # 2^14 bytes
        client.write(big)
        for _ in range(8192):
            self.assertEqual(client.line(), b"? x\n")

    def test_a_bit_flipped(self):
        """In each part of a record: the connection ends, the line is not taken."""
        server = self.server()
        size = len(self.records(server).handshake().seal(b"IAMAT kiwi +1-1 5\n"))
        for at in range(size):
            client = Records(server.port, context(self.authority.certificate)).handshake()
            record = bytearray(client.seal(b"IAMAT kiwi +1-1 5\n"))
            record[at] ^= 1 << at % 8
            client.send(bytes(record))
            client.socket.shutdown(socket.SHUT_WR)
            client.closed_by_server()
            client.close()
        server.wait_event("tls_failed")
        self.assertEqual(self.client(server).ask(b"WHATSAT kiwi 1 0\n"), b"? WHATSAT kiwi 1 0\n")

    def test_a_record_twice_or_left_out(self):
        server = self.server()
        for order in ((0, 0), (1,), (1, 0)):
            client = self.records(server).handshake()
            records = [client.seal(b"IAMAT first +1-1 5\n"), client.seal(b"IAMAT second +1-1 5\n")]
            client.send(b"".join(records[i] for i in order))
            client.closed_by_server()
        self.assertEqual(self.client(server).ask(b"WHATSAT second 1 0\n"), b"? WHATSAT second 1 0\n")

    def test_plain_bytes_inside(self):
        server = self.server()
        client = self.records(server).handshake()
        client.send(b"IAMAT kiwi +1-1 5\n")
        client.closed_by_server()
        server.wait_event("tls_expected")
        self.assertEqual(self.client(server).ask(b"WHATSAT kiwi 1 0\n"), b"? WHATSAT kiwi 1 0\n")

    def test_backpressure(self):
        """A client that does not read is not read either, and goes on where it stood."""
        server = self.server(limits={"output_pause_bytes": 16384, "write_stall_ms": 60000, "line_deadline_ms": 0})
        deaf = self.client(server, receive_buffer=4096)
        command = b"p" * 500 + b"\n"
        deaf.socket.setblocking(False)
        sent, since = 0, time.monotonic()
        while time.monotonic() - since < 1:
            try:
                sent += deaf.socket.send(command)
                since = time.monotonic()
            except (ssl.SSLWantWriteError, BlockingIOError):
                time.sleep(0.01)
        self.assertLess(sent, 64 << 20)
        self.assertEqual(sent % len(command), 0)
        with open(f"/proc/{server.pid}/status") as status:
            self.assertLess(int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]), 100000)
        self.assert_serves(server)
        deaf.socket.settimeout(DEADLINE)
        for line in deaf.lines(sent // len(command)):
            self.assertEqual(line, b"? " + command)

    def test_write_stall(self):
        server = self.server(limits={"write_stall_ms": 500}, log={"level": "debug", "traffic": False})
        deaf = self.client(server, receive_buffer=4096)
        deaf.socket.setblocking(False)
        end = time.monotonic() + DEADLINE
        while not server.events("closed", why="write_stall"):
            self.assertLess(time.monotonic(), end)
            try:
                for _ in range(1000):
                    deaf.socket.send(b"p" * 500 + b"\n")
            except (ssl.SSLWantWriteError, BlockingIOError):
                time.sleep(0.01)
            except OSError:
                break
        server.wait_event("closed", why="write_stall")
        self.assert_serves(server)


class Links(TlsTest):
    def test_at_rest(self):
        """What waited for the handshake has left with it: nobody takes the link for one that takes no byte."""
        herd = self.tls(["A", "B"], [("A", "B")], limits={"write_stall_ms": 500}).start()
        before = [len(server.events("peer_down")) for server in herd]
        time.sleep(2)
        self.assertEqual([len(server.events("peer_down")) for server in herd], before)


class Ends(TlsTest):
    def end(self, server, orderly, text):
        client = self.records(server).handshake()
        client.send(client.seal(text) + (client.notify() if orderly else b""))
        client.socket.shutdown(socket.SHUT_WR)
        return client

    def test_close_notify(self):
        """It is an end: what stands behind the last LF is a line, as without TLS."""
        server = self.server()
        for text in (b"IAMAT whole +1-1 5\n", b"IAMAT half +1-1 5"):
            self.end(server, True, text).closed_by_server()
        client = self.client(server)
        for name in (b"whole", b"half"):
            self.assertRegex(client.ask(b"WHATSAT %s 1 0\n" % name), AT)
            client.until(b"\n\n")
        self.assertFalse(server.events("tls_truncated"))

    def test_fin(self):
        """It is none: whole lines stand, a half one is dropped, and the log says so."""
        server = self.server()
        for text in (b"IAMAT whole +1-1 5\n", b"IAMAT a +1-1 5\nIAMAT half +1-1 5"):
            self.end(server, False, text).closed_by_server()
        wait_for(lambda: len(server.events("tls_truncated")) == 2, "both are truncated")
        client = self.client(server)
        for name in (b"whole", b"a"):
            self.assertRegex(client.ask(b"WHATSAT %s 1 0\n" % name), AT)
            client.until(b"\n\n")
        self.assertEqual(client.ask(b"WHATSAT half 1 0\n"), b"? WHATSAT half 1 0\n")

    def test_a_fin_after_half_a_record(self):
        server = self.server()
        client = self.records(server).handshake()
        client.send(client.seal(b"IAMAT a +1-1 5\n") + client.seal(b"IAMAT half +1-1 5\n")[:-3])
        client.socket.shutdown(socket.SHUT_WR)
        client.closed_by_server()
        server.wait_event("tls_truncated")
        self.assertEqual(self.client(server).ask(b"WHATSAT half 1 0\n"), b"? WHATSAT half 1 0\n")

    def test_rst(self):
        server = self.server()
        client = self.client(server)
        client.ask(b"x\n")
        client.send(b"IAMAT half +1-1 5")
        client.reset()
        wait_for(lambda: server.open_files() < 40, "it is gone")
        self.assertEqual(self.client(server).ask(b"WHATSAT half 1 0\n"), b"? WHATSAT half 1 0\n")

    def test_late_replies(self):
        """After close_notify the other direction still works: replies of what was asked come, then close_notify."""
        server = self.server()
        client = self.records(server).handshake()
        lines = b"".join(b"IAMAT k%d +1-1 5\nWHATSAT k%d 1 0\n" % (n, n) for n in range(100))
        client.send(client.seal(lines) + client.notify())
        end, got = False, b""
        while not end:
            try:
                more = client.tls.read(1 << 16)
                end = not more
                got += more
            except ssl.SSLWantReadError:
                bytes_of_it = client.socket.recv(1 << 16)
                self.assertTrue(bytes_of_it, "ended without close_notify")
                client.incoming.write(bytes_of_it)
            except ssl.SSLZeroReturnError:
                end = True
            except ssl.SSLError as error:
                # Python's own rule: whoever said close_notify reads no more. The bytes did come.
                self.assertIn("AFTER_CLOSE_NOTIFY", str(error))
                break
        if end:
            self.assertEqual(got.count(b"AT A "), 200)
        self.assert_serves(server)

    def test_the_server_says_when_it_closes(self):
        """A line too long, idleness, the end of the server: each is an orderly end."""
        server = self.server(limits={"client_idle_ms": 300})
        client = self.client(server)
        self.assertEqual(client.ask(b"x\n"), b"? x\n")
        self.assertEqual(client.rest(), b"")  # suppress_ragged_eofs is off: an error, were it a bare FIN
        server = self.server()
        client = self.client(server)
        client.ask(b"x\n")
        server.signal(15)
        self.assertEqual(client.rest(), b"")


if __name__ == "__main__":
    skip_without_tls("gnutls-cli")
    main()
