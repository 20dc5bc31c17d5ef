# SPDX-License-Identifier: MIT
"""SIGHUP and the files that say who is who: all or nothing, under load, and who is no longer let in is let go. And what
a search for tokens and keys finds in logs, replies, arguments and settings: nothing."""
import os
import re
import resource
import shutil
import signal
import ssl
import subprocess
import threading

from herd import AT, PROGRAM, environment, main, run, wait_for
from trust import Authority, TlsClient, TrustTest, context, day, openssl, proof, skip_without_tls

KIWI, BUS = ("herd_" + c * 43 for c in "kb")
IDENTITIES = f"kiwi {proof(KIWI)} kiwi kiwi\nbus {proof(BUS)} bus bus\ndesk cert - *\nanonymous - any any connections=20\n"


class Load:
    """Clients that report without a rest on connections that stay, while others come and go."""

    def __init__(self, test, server, ca):
        self.test, self.server, self.stopped, self.errors, self.served = test, server, threading.Event(), [], 0
        self.ca = os.path.join(server.herd.dir, "load.pem")
        copy(ca, self.ca)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        wait_for(lambda: self.served > 10 or self.errors, "there is load")

    def _run(self):
        try:
            stays = TlsClient(self.server.port, context(self.ca))
            while not self.stopped.is_set():
                for client in (stays, comes := TlsClient(self.server.port, context(self.ca))):
                    line = client.ask(b"IAMAT any +1-1 5\n")
                    if not re.match(AT, line):
                        raise AssertionError(line)
                    self.served += 1
                comes.close()
            stays.close()
        except Exception as error:  # told to the test
            self.errors.append(error)

    def stop(self):
        self.stopped.set()
        self.thread.join(30)
        self.test.assertEqual(self.errors, [])


class ReloadTest(TrustTest):
    def serial(self, server):
        """Of the certificate that a new connection is shown."""
        with TlsClient(server.port, context(self.authority.certificate)) as client:
            return client.socket.getpeercert()["serialNumber"]

    @staticmethod
    def lost(server):
        """Links that went down since the first SIGHUP: before it both ends may have dialled at once."""
        since = server.events("signal")[0].text[:27]
        return [event for event in server.events("peer_down") if event.text[:27] >= since]

    def put(self, made, name):
        """Puts a certificate and its key where the server looks, as a renewal does."""
        for path, end in zip(made, (".pem", ".key")):
            os.rename(path, self.authority.path(name + end))


class Rotation(ReloadTest):
    def test_under_load(self):
        """A good pair is taken; one that does not fit, is half, is empty, absent, of another CA, expired, of another name,
        or readable by all changes nothing; no client and no link is lost."""
        herd = self.tls(["A", "B"], [("A", "B")], identities="anonymous - * *\n").start()
        server = herd["A"]
        load = Load(self, server, self.authority.certificate)
        before = self.serial(server)
        self.put(self.authority.issue("A", file="new"), "A")
        self.hup(server)
        after = self.serial(server)
        self.assertNotEqual(before, after)
        good = {end: open_bytes(self.authority.path("A" + end)) for end in (".pem", ".key")}
        other = Authority(os.path.join(self.authority.dir, "other"), "Somebody").issue("A")
        faults = {
            "key of another": lambda: copy(self.authority.issue("A", file="x")[1], self.path(".key")),
            "half a certificate": lambda: write(self.path(".pem"), good[".pem"][:len(good[".pem"]) // 2]),
            "half a key": lambda: write(self.path(".key"), good[".key"][:len(good[".key"]) // 2]),
            "empty": lambda: write(self.path(".pem"), b""),
            "no certificate": lambda: os.unlink(self.path(".pem")),
            "no key": lambda: os.unlink(self.path(".key")),
            "another authority": lambda: [copy(one, self.path(end)) for one, end in zip(other, (".pem", ".key"))],
            "expired": lambda: self.put(self.authority.issue("A", dates=(day(-9), day(-2)), file="x"), "A"),
            "another name": lambda: self.put(self.authority.issue("B", file="x"), "A"),
            "mode": lambda: os.chmod(self.path(".key"), 0o644),
            "no roots": lambda: os.rename(self.authority.certificate, self.authority.certificate + ".away"),
        }
        for fault, make in faults.items():
            with self.subTest(fault):
                make()
                why = self.hup(server, "configuration_kept").text
                self.assertRegex(why, r"tls_|file_unreadable|key_file_mode")
                if os.path.exists(self.authority.certificate + ".away"):
                    os.rename(self.authority.certificate + ".away", self.authority.certificate)
                self.assertEqual(self.serial(server), after)
                for end, text in good.items():
                    write(self.path(end), text)
                os.chmod(self.path(".key"), 0o600)
        self.hup(server)
        load.stop()
        self.assertEqual(self.lost(server), [])
        self.assertEqual(server.links_up(), {"B"})

    def path(self, end):
        return self.authority.path("A" + end)

    def test_all_or_nothing(self):
        """A good certificate beside identities with a fault: neither; and the other way round."""
        herd = self.tls(["A"], identities=IDENTITIES)
        server = herd["A"].start()
        before = self.serial(server)
        old = {end: open_bytes(self.path(end)) for end in (".pem", ".key")}
        self.put(self.authority.issue("A", file="new"), "A")
        self.identities(herd, "kiwi nonsense kiwi kiwi\n")
        self.hup(server, "configuration_kept")
        self.assertEqual(self.serial(server), before)
        self.assertEqual(self.client(server).ask(b"AUTH %s\n" % KIWI.encode()), b"OK kiwi\n")
        self.identities(herd, IDENTITIES.replace(proof(KIWI), proof(BUS[::-1])))
        write(self.path(".key"), old[".key"])  # of the certificate before
        self.hup(server, "configuration_kept")
        self.assertEqual(self.client(server).ask(b"AUTH %s\n" % KIWI.encode()), b"OK kiwi\n")

    def test_a_new_authority_in_three_steps(self):
        """The bundle of both, new certificates, the new one alone: links and clients stay, or come back at once."""
        herd = self.tls(["A", "B"], [("A", "B")], identities="anonymous - * *\n").start()
        old = self.authority
        new = Authority(os.path.join(old.dir, "new"), "New")
        both = open_bytes(old.certificate) + open_bytes(new.certificate)
        bundle = os.path.join(herd.dir, "bundle")
        write(bundle, both)
        load = Load(self, herd["A"], bundle)
        write(old.certificate, both)
        for server in herd:
            self.hup(server)
        for name in "AB":
            self.put(new.issue(name), name)
            self.hup(herd[name])
        for server in herd:
            self.assertEqual(self.lost(server), [])
        write(old.certificate, open_bytes(new.certificate))
        for server in herd:
            self.hup(server)
        # The link was made with certificates of the old one: it is closed, and made again with the new ones.
        herd.wait_linked()
        wait_for(lambda: all(server.links_up() for server in herd), "linked again")
        load.stop()
        with TlsClient(herd["A"].port, context(new.certificate)) as client:
            self.assertRegex(client.ask(b"IAMAT any +1-1 5\n"), AT)
        with self.assertRaises(ssl.SSLError):
            only_old = os.path.join(herd.dir, "old.pem")
            write(only_old, both[:len(both) - len(open_bytes(new.certificate))])
            TlsClient(herd["A"].port, context(only_old))


class LetGo(ReloadTest):
    def test_an_identity_removed(self):
        herd = self.tls(["A"], identities=IDENTITIES)
        server = herd["A"].start()
        kiwi, bus = self.client(server), self.client(server)
        self.assertEqual(kiwi.ask(b"AUTH %s\n" % KIWI.encode()), b"OK kiwi\n")
        self.assertEqual(bus.ask(b"AUTH %s\n" % BUS.encode()), b"OK bus\n")
        desk = self.client(server, self.authority.issue("desk", "client"))
        at = bus.ask(b"IAMAT bus +1-1 5\n")
        self.assertEqual(desk.ask(b"WHATSAT bus 1 0\n"), at)
        self.identities(herd, f"bus {proof(BUS)} bus - \n")
        self.hup(server)
        self.assertEqual(kiwi.closed_by_server(), b"")
        desk.closed_by_server()
        wait_for(lambda: len(server.events("identity_gone")) == 2, "it says so")
        self.assertEqual(bus.ask(b"WHATSAT bus 1 0\n"), b"? WHATSAT bus 1 0\n")  # its rights are the new ones
        self.assertRegex(bus.ask(b"IAMAT bus +1-1 5\n"), AT)
        again = self.client(server)
        again.send(b"AUTH %s\n" % KIWI.encode())
        self.assertEqual(again.closed_by_server(), b"? AUTH\n")

    def test_identities_come_and_go(self):
        """A reload that lets everybody in says so in a warning."""
        herd = self.tls(["A"], identities=IDENTITIES)
        server = herd["A"].start()
        path = herd.config.pop("identities")
        herd.write()
        self.hup(server)
        found = server.wait_event("access_for_everybody", tls="require")
        self.assertEqual(found.level, "warn")
        self.assertRegex(self.client(server).ask(b"IAMAT kiwi +1-1 5\n"), AT)
        herd.config["identities"] = path
        herd.write()
        server.signal(signal.SIGHUP)
        wait_for(lambda: len(server.events("access_by_identity")) == 2, "and when it lets in no longer who it does not know")

    def test_one_proof_removed(self):
        """The identity stays, and one of its tokens, or its certificate, is no proof any more: connections by that one go,
        by another stay."""
        herd = self.tls(["A"], identities=f"kiwi {proof(KIWI)} {proof(BUS)} kiwi kiwi\ndesk cert - *\n")
        server = herd["A"].start()
        one, two = self.client(server), self.client(server)
        self.assertEqual(one.ask(b"AUTH %s\n" % KIWI.encode()), b"OK kiwi\n")
        self.assertEqual(two.ask(b"AUTH %s\n" % BUS.encode()), b"OK kiwi\n")
        desk = self.client(server, self.authority.issue("desk", "client"))
        at = two.ask(b"IAMAT kiwi +1-1 5\n")
        self.assertEqual(desk.ask(b"WHATSAT kiwi 1 0\n"), at)
        self.identities(herd, f"kiwi {proof(BUS)} kiwi kiwi\ndesk {proof(KIWI)} - *\n")
        self.hup(server)
        self.assertEqual(one.closed_by_server(), b"")
        desk.closed_by_server()
        wait_for(lambda: len(server.events("identity_gone")) == 2, "it says so")
        self.assertEqual(two.ask(b"WHATSAT kiwi 1 0\n"), at)

    def test_within_handshakes(self):
        """Files are read anew again and again while many shake hands: all are served by what was read when they began, and
        judged by what is in force when they end."""
        herd = self.tls(["A"], identities=IDENTITIES.replace("connections=20", ""), limits={"peer_hello_ms": 30000})
        server = herd["A"].start()
        crowd = []
        for n in range(100):
            crowd.append(self.records(server))
            crowd[-1].send(crowd[-1].first_flight())
            if n % 20 == 0:
                server.signal(signal.SIGHUP)
        for one in crowd:
            one.handshake().write(b"x\n")
        for one in crowd:
            self.assertEqual(one.line(), b"? x\n")
        self.hup(server)

    def test_while_they_come(self):
        """Connections of every stage live through a reload: no byte yet, half a ClientHello, AUTH half sent or not yet
        answered, anonymous ones, a link."""
        herd = self.tls(["A", "B"], [("A", "B")], mode="allow", identities=IDENTITIES).start()
        server = herd["A"]
        nothing, plain = server.client(), server.client()
        self.assertRegex(plain.ask(b"IAMAT any +1-1 5\n"), AT)
        half = self.records(server)
        hello = half.first_flight()
        half.send(hello[:50])
        auth = self.client(server)
        auth.send(b"AUTH " + KIWI.encode()[:9])
        waits = self.client(server)
        waits.send(b"AUTH herd_wrong\n")
        anonymous = self.client(server)
        self.assertRegex(anonymous.ask(b"IAMAT any +1-1 5\n"), AT)
        for _ in range(3):
            self.hup(server)
        half.send(hello[50:])
        half.handshake().write(b"IAMAT any +1-1 5\n")
        self.assertRegex(half.line(), AT)
        auth.send(KIWI.encode()[9:] + b"\n")
        self.assertEqual(auth.line(), b"OK kiwi\n")
        self.assertEqual(waits.closed_by_server(), b"? AUTH\n")
        for client in (nothing, plain, anonymous):
            self.assertRegex(client.ask(b"IAMAT any +1-1 5\n"), AT)
        herd["B"].stop()
        server.wait_event("peer_down", peer="B")
        self.assertEqual(len(self.lost(server)), 1)

    def test_a_live_neighbour_revoked(self):
        herd = self.tls(["A", "B", "C"], [("A", "B"), ("A", "C")], crl=True).start()
        self.authority.revoke(self.authority.path("B.pem"))
        self.hup(herd["A"])
        herd["A"].wait_event("peer_down", peer="B")
        self.assertEqual(herd["A"].links_up(), {"C"})
        wait_for(lambda: herd["A"].events("tls_certificate_revoked"), "it says why")
        herd["B"].wait_event("peer_unreachable", peer="A")
        self.assertEqual(herd["A"].links_up(), {"C"})

    def test_a_live_client_revoked(self):
        herd = self.tls(["A"], identities=IDENTITIES, crl=True)
        server = herd["A"].start()
        made = self.authority.issue("desk", "client")
        desk = self.client(server, made)
        desk.ask(b"x\n")
        self.authority.revoke(made[0])
        self.hup(server)
        desk.closed_by_server()
        server.wait_event("tls_certificate_revoked")

    def test_revoked_within_a_handshake(self):
        """What was read when the handshake began does not count when it ends."""
        herd = self.tls(["A"], identities=IDENTITIES, crl=True)
        server = herd["A"].start()
        made = self.authority.issue("desk", "client")
        for revoked in (False, True):
            client = self.records(server, made)
            client.send(client.first_flight())
            while not client.outgoing.pending:
                client.incoming.write(client.socket.recv(1 << 16))
                try:
                    client.tls.do_handshake()
                except ssl.SSLWantReadError:
                    pass
            if revoked:
                self.authority.revoke(made[0])
            self.hup(server)
            client.flush()
            if not revoked:
                client.write(b"x\n")
                self.assertEqual(client.line(), b"? x\n")
        client.closed_by_server()
        server.wait_event("tls_certificate_revoked")

    def test_lists_that_are_unusable(self):
        """One that is overdue or missing would refuse everybody: it is refused itself."""
        herd = self.tls(["A"], crl=True)
        server = herd["A"].start()
        openssl("ca", "-config", self.authority.path("ca.conf"), "-gencrl", "-crlsec", "1", "-out",
                self.authority.path("crl.pem"), directory=self.authority.dir)
        wait_for(lambda: b"overdue" in run("-c", herd.config_path, "--check", "A").stderr, "it is overdue")
        self.assertIn("overdue", self.hup(server, "configuration_kept").text)
        os.unlink(self.authority.path("crl.pem"))
        self.hup(server, "configuration_kept")
        with TlsClient(server.port, context(self.authority.certificate)) as client:
            self.assertEqual(client.ask(b"x\n"), b"? x\n")

    def test_a_key_of_a_pair_changed(self):
        herd = self.herd(["A", "B"], [("A", "B")])
        herd.config.update(herd="flock", psk_file=os.path.join(herd.dir, "{name}.psk"), tls={"mode": "require"})
        herd.write()
        for name, other in ("AB", "BA"):
            write(os.path.join(herd.dir, name + ".psk"), f"{other} {'11' * 32}\n".encode())
            os.chmod(os.path.join(herd.dir, name + ".psk"), 0o600)
        herd.start()
        write(os.path.join(herd.dir, "A.psk"), f"B {'22' * 32}\n".encode())
        self.hup(herd["A"])
        herd["A"].wait_event("psk_gone")
        wait_for(lambda: herd["A"].links_up() == set(), "the link is closed")
        write(os.path.join(herd.dir, "B.psk"), f"A {'22' * 32}\n".encode())
        self.hup(herd["B"])
        herd.wait_linked()

    def test_tls_asked_for(self):
        """allow becomes require: whoever is in clear goes, links too, and those come back encrypted."""
        herd = self.tls(["A", "B"], [("A", "B")], mode="allow").start()
        plain, secure = herd["A"].client(), self.client(herd["A"])
        plain.ask(b"x\n"), secure.ask(b"x\n")
        herd.config["tls"]["mode"] = "require"
        herd.write()
        for server in herd:
            self.hup(server)
        self.assertEqual(plain.closed_by_server(), b"")
        herd["A"].wait_event("tls_required")
        self.assertEqual(secure.ask(b"x\n"), b"? x\n")
        herd.wait_linked()


class Ending(ReloadTest):
    def test_certificates_that_end_soon(self):
        herd = self.tls(["A"], own=["A"])
        self.authority.issue("A", dates=(day(-9), day(20)))
        server = herd["A"].start()
        self.assertRegex(server.wait_event("tls_certificate_ends")["why"], r"ends at \S+Z, in (19|20) days")
        self.assertIn(b"in ", run("-c", herd.config_path, "--check", "A").stderr)
        self.put(self.authority.issue("A", file="new"), "A")
        self.hup(server)
        wait_for(lambda: len(server.events("tls_certificate_ends")) == 1, "warned once")


class Secrets(ReloadTest):
    def test_found_nowhere(self):
        """Tokens, keys and secrets, in whatever form, are not in the log, replies, arguments, environment, what is printed
        of the configuration, or cores."""
        herd = self.tls(["A", "B"], [("A", "B")], identities=IDENTITIES)
        secret, psk = "5a" * 31 + "f0", "6b" * 31 + "f1"
        for name, text in (("secret", secret + "\n"), ("A.psk", f"C {psk}\n"), ("B.psk", f"C {psk}\n")):
            write(os.path.join(herd.dir, name), text.encode())
            os.chmod(os.path.join(herd.dir, name), 0o600)
        herd.config.update(secret_file=os.path.join(herd.dir, "secret"), psk_file=os.path.join(herd.dir, "{name}.psk"),
                           journal=os.path.join(herd.dir, "{name}.journal"))
        herd.write()
        herd.start()
        server, said = herd["A"], []
        key = open_bytes(self.authority.path("A.key")).decode()
        pem = [line for line in key.splitlines() if not line.startswith("-") and len(line) > 30]
        for text in (f"AUTH {KIWI}", f"auth {KIWI}", f"\tAUTH {KIWI} more", f"x\nAUTH {KIWI}", f"AUTH {KIWI}{'x' * 2000}",
                     f"AUTH {KIWI}\nAUTH {BUS}", f"AUTH {BUS}\0", f"AUTH {BUS}"):
            client = self.client(server)
            client.send(text.encode() + b"\nAUTH again\n")  # refused, so it is closed
            said.append(client.closed_by_server())
            self.assertIn(b"? AUTH\n", said[-1])
        for fault in (f"kiwi {KIWI} kiwi kiwi\n", f"kiwi sha256:{KIWI} x x\n", f"kiwi {proof(KIWI)} x\n"):
            self.identities(herd, fault)
            self.hup(server, "configuration_kept")
            said.append(run("-c", herd.config_path, "--check", "A").stderr)
        self.identities(herd, IDENTITIES)
        self.hup(server)
        done = run("-c", herd.config_path, "--print-config", "A")
        self.assertEqual(done.returncode, 0)
        said += [done.stdout, done.stderr]
        for process in herd:
            for file in ("cmdline", "environ"):
                try:
                    said.append(open_bytes(f"/proc/{process.pid}/{file}"))
                except PermissionError:
                    pass  # as it should be: see below
        herd.stop()
        for name in sorted(os.listdir(herd.dir)):
            if name.endswith((".log", ".stderr", ".journal", ".json")):
                said.append(open_bytes(os.path.join(herd.dir, name)))
        self.assertGreater(sum(map(len, said)), 3000)
        for found in said:
            for hidden in ("kkkkkkkk", "bbbbbbbbb", secret[:16], psk[:16], secret.upper()[:16], *pem):
                self.assertNotIn(hidden.encode(), found)

    def crash(self, herd):
        """Whether a server that crashes leaves a core."""
        server = herd["A"]

        def prepare():
            most = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        with open(server.stderr_path, "ab") as stderr:
            process = subprocess.Popen([PROGRAM, "-c", herd.config_path, "-l", server.log_path, "A"], cwd=herd.dir,
                                       env=environment(), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                                       preexec_fn=prepare)
        try:
            wait_for(lambda: server.saw("listening"), "it listens")
        finally:
            process.send_signal(signal.SIGABRT)
            status = os.waitpid(process.pid, 0)[1]
            process.returncode = -signal.SIGABRT
        self.assertEqual(os.WTERMSIG(status), signal.SIGABRT)
        return os.WCOREDUMP(status) or any(name.startswith("core") for name in os.listdir(herd.dir))

    def test_no_core(self):
        """A crash of a server that holds a key leaves no core; of one without a key it does, where cores are had."""
        if not self.crash(self.herd(["A"])):
            self.skipTest("no process leaves a core here")
        self.assertFalse(self.crash(self.tls(["A"])))


def open_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    """In place: no renaming."""
    with open(path, "wb") as file:
        file.write(data)


def copy(source, to):
    shutil.copyfile(source, to)


if __name__ == "__main__":
    skip_without_tls()
    main()
