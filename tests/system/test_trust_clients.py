# SPDX-License-Identifier: MIT
"""Who a client is, by token or certificate, and what follows: what it may report and ask, how often, how many."""
import os
import subprocess
import time

from herd import AT, main, run, wait_for
from trust import TrustTest, day, proof, skip_without_tls

KIWI, FLEET, OLD, BOSS = ("herd_" + c * 43 for c in "kfob")
IDENTITIES = f"""
# identity  proof  report  ask
kiwi  {proof(KIWI)}  kiwi.example  kiwi.example
fleet {proof(FLEET)} {proof(OLD)}  fleet-*,%2A  fleet-*,depot  reports=1000
boss  {proof(BOSS)}  *  *  connections=2
slow  {proof('herd_' + 's' * 43)}  *  *  reports=1 burst=3
desk  cert  -  *
"""


class ClientTest(TrustTest):
    def server(self, identities=IDENTITIES, **options):
        return self.tls(["A"], identities=identities, **options)["A"].start()

    def signed_in(self, server, token):
        client = self.client(server)
        self.assertRegex(client.ask(b"AUTH %s\n" % token.encode()), rb"\AOK [a-z]+\n\Z")
        return client


class Tokens(ClientTest):
    def test_right(self):
        server = self.server()
        for token, name in ((KIWI, b"kiwi"), (FLEET, b"fleet"), (OLD, b"fleet"), (BOSS, b"boss")):
            self.assertEqual(self.client(server).ask(b"AUTH %s\n" % token.encode()), b"OK %s\n" % name)

    def test_pipelined(self):
        """No wait for OK: lines behind AUTH are that identity's, in order."""
        client = self.client(self.server())
        client.send(b"AUTH %s\r\nIAMAT kiwi.example +1-1 5\nIAMAT other +1-1 5\nWHATSAT kiwi.example 1 0\n" % KIWI.encode())
        self.assertEqual(client.line(), b"OK kiwi\n")
        at = client.line()
        self.assertRegex(at, AT)
        self.assertEqual(client.line(), b"? IAMAT other +1-1 5\n")
        self.assertEqual(client.line(), at)

    def test_wrong(self):
        """Answered a second late and closed; what is behind it is not read; nobody else waits."""
        server = self.server()
        good = self.signed_in(server, KIWI)
        began = time.monotonic()
        wrong = self.client(server)
        where = "%s:%d" % wrong.socket.getsockname()
        wrong.send(b"AUTH herd_%s\nIAMAT kiwi.example +9-9 5\n" % (b"w" * 43))
        self.assertRegex(good.ask(b"IAMAT kiwi.example +1-1 5\n"), AT)
        self.assertEqual(wrong.closed_by_server(), b"? AUTH\n")
        self.assertGreater(time.monotonic() - began, 0.95)
        server.wait_event("sent", line="? AUTH")
        log = server.log_text()
        self.assertLess(log.index('sent="AT A '), log.index('line="? AUTH"'))
        found = server.wait_event("auth_failed")
        self.assertEqual(found["client"], where)
        self.assertIn(b"+1-1", good.ask(b"WHATSAT kiwi.example 1 0\n"))

    def test_refused(self):
        """Short, none, two words, in small letters, of 64 KiB, twice, behind another line."""
        server = self.server()
        for line in (b"AUTH x", b"AUTH", b"AUTH %s more" % KIWI.encode(), b"auth " + KIWI.encode(),
                     b" AUTH " + KIWI.encode()[:-1], b"AUTH " + KIWI.encode() + b"k", b"AUTH herd_\0", b"AUTH \xff\xfe"):
            with self.subTest(line):
                client = self.client(server)
                client.send(line + b"\nIAMAT kiwi.example +1-1 5\n")
                self.assertEqual(client.closed_by_server(), b"? AUTH\n")
        client = self.signed_in(server, KIWI)
        client.send(b"AUTH %s\nIAMAT kiwi.example +1-1 5\n" % BOSS.encode())
        self.assertEqual(client.closed_by_server(), b"? AUTH\n")
        client = self.client(server)
        client.send(b"hello\nAUTH %s\nIAMAT kiwi.example +1-1 5\n" % KIWI.encode())
        self.assertEqual(client.closed_by_server(), b"? hello\n? AUTH\n")

    def test_a_token_of_64_KiB(self):
        """It is not echoed, not even its front, and does not stand in the log."""
        server = self.server()
        token = b"herd_" + b"secretpart" * 6553
        for line in (b"AUTH " + token, b"auth " + token, b"AUTH\t" + token):
            client = self.client(server)
            try:
                client.send(line + b"\n")
            except ConnectionError:
                pass
            self.assertNotIn(b"secretpart", client.closed_by_server())
        wait_for(lambda: len(server.events("closed") + server.events("closing")) >= 3, "they are closed")
        self.assertNotIn("secretpart", server.log_text())

    def test_in_pieces(self):
        """A token that comes byte by byte is as secret as one that comes at once."""
        server = self.server()
        client = self.client(server)
        for byte in b"AUTH %s\n" % KIWI.encode():
            client.send(bytes([byte]))
        self.assertEqual(client.line(), b"OK kiwi\n")
        wait_for(lambda: "OK kiwi" in server.log_text(), "it is logged")
        self.assertNotIn("kkkkk", server.log_text())

    def test_never_sent_to_its_end(self):
        """Cut off inside of the token: by close_notify and by a FIN."""
        server = self.server()
        for orderly in (True, False):
            client = self.records(server).handshake()
            client.write(b"AUTH " + KIWI.encode())
            if orderly:
                client.send(client.notify())
            client.socket.shutdown(1)
            client.closed_by_server()
        server.wait_event("tls_truncated")
        self.assertNotIn("kkkkk", server.log_text())

    def test_many_guesses(self):
        """Hundreds of wrong tokens at once cost nobody else a thing: one after the other they would take minutes."""
        server = self.server()
        wrong = [self.client(server) for _ in range(150)]
        for n, client in enumerate(wrong):
            client.send(b"AUTH herd_%043d\n" % n)
        good = self.signed_in(server, KIWI)
        self.assertRegex(good.ask(b"IAMAT kiwi.example +1-1 5\n"), AT)
        for client in wrong:
            self.assertEqual(client.closed_by_server(), b"? AUTH\n")
        self.assertIn(len(wait_for(lambda: server.events("auth_failed"), "told")), range(1, 20))  # the 1st, 2nd, 4th, 8th, ...

    def test_without_identities(self):
        """Then a token proves nothing, and all is as without it."""
        server = self.tls(["A"])["A"].start()
        self.assertEqual(server.wait_event("access_for_everybody")["tls"], "require")
        client = self.client(server)
        client.send(b"AUTH %s\n" % KIWI.encode())
        self.assertEqual(client.closed_by_server(), b"? AUTH\n")
        server.wait_event("auth_without_identities")
        self.assertRegex(self.client(server).ask(b"IAMAT kiwi +1-1 5\n"), AT)
        self.assertNotIn("kkkk", server.log_text())

    def test_on_loopback_in_clear(self):
        herd = self.herd(["A"])
        self.identities(herd, IDENTITIES)
        herd.write()
        server = herd["A"].start()
        self.assertEqual(server.ask(b"AUTH %s\n" % KIWI.encode()), b"OK kiwi\n")
        self.assertEqual(server.ask(b"IAMAT kiwi.example +1-1 5\n"), b"? IAMAT kiwi.example +1-1 5\n")
        wait_for(lambda: "OK kiwi" in server.log_text(), "it is logged")
        self.assertNotIn("kkkk", server.log_text())

    def test_a_new_one(self):
        """--token prints a token and its line; both fit."""
        done = run("--token", "kiwi")
        self.assertEqual(done.returncode, 0)
        token, line = done.stdout.decode().splitlines()
        self.assertRegex(token, r"\Aherd_[A-Za-z0-9_-]{43}\Z")
        self.assertEqual(line.split(), ["kiwi", proof(token), "kiwi", "kiwi"])
        self.assertNotEqual(run("--token", "kiwi").stdout, done.stdout)
        server = self.server(line + "\n")
        client = self.signed_in(server, token)
        self.assertRegex(client.ask(b"IAMAT kiwi +1-1 5\n"), AT)


class Certificates(ClientTest):
    def test_an_identity(self):
        """Known by its certificate: from the first line on, without AUTH."""
        server = self.server()
        boss = self.signed_in(server, BOSS)
        at = boss.ask(b"IAMAT kiwi +1-1 5\n")
        desk = self.client(server, self.authority.issue("desk", "client"))
        self.assertEqual(desk.ask(b"WHATSAT kiwi 1 0\n"), at)
        desk.until(b"\n\n")
        self.assertEqual(desk.ask(b"IAMAT kiwi +1-1 5\n"), b"? IAMAT kiwi +1-1 5\n")

    def test_not_by_certificate(self):
        """A certificate of the name of somebody who has a token only, of nobody, of a server: no identity."""
        server = self.server()
        for name, role in (("kiwi", "client"), ("nobody", "client"), ("desk", "server"), ("anonymous", "client")):
            with self.subTest((name, role)):
                client = self.client(server, self.authority.issue(name, role, file="it"))
                self.assertEqual(client.ask(b"IAMAT kiwi.example +1-1 5\n"), b"? IAMAT kiwi.example +1-1 5\n")
        server.wait_event("not_allowed")

    def test_expired(self):
        server = self.server()
        made = self.authority.issue("desk", "client", dates=(day(-9), day(-2)))
        try:
            client = self.client(server, made)
            client.send(b"WHATSAT kiwi 1 0\n")
            client.closed_by_server()
        except OSError:
            pass
        server.wait_event("tls_certificate_expired")

    def test_another_tool(self):
        """gnutls-cli with a client's certificate: another implementation of TLS."""
        server = self.server()
        at = self.signed_in(server, BOSS).ask(b"IAMAT kiwi +1-1 5\n")
        made = self.authority.issue("desk", "client")
        gnutls = subprocess.run(["gnutls-cli", "--logfile", os.devnull, "--x509cafile", self.authority.certificate,
                                 "--x509certfile", made[0], "--x509keyfile", made[1], "--no-ca-verification", "-p",
                                 str(server.port), "127.0.0.1"], input=b"WHATSAT kiwi 1 0\n", stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=30)
        self.assertIn(at, gnutls.stdout, gnutls.stderr)


class Rights(ClientTest):
    def test_patterns(self):
        server = self.server()
        boss, fleet = self.signed_in(server, BOSS), self.signed_in(server, FLEET)
        for name in (b"fleet", b"depot", b"kiwi"):
            boss.ask(b"IAMAT %s +1-1 5\n" % name)
        for name in (b"fleet-", b"fleet-1", b"fleet-*", b"fleet-#", b"fleet-\xff", b"fleet-" + b"x" * 200, b"fleet-\0x", b"*"):
            self.assertTrue(fleet.ask(b"IAMAT %s +1-1 5\n" % name).startswith(b"AT A "), name)
        for name in (b"fleet", b"Fleet-1", b"xfleet-1", b"**", b"#", b"+", b"depot", b"flee", b"%2A", b"flee\0t-1"):
            self.assertEqual(fleet.ask(b"IAMAT %s +1-1 5\n" % name), b"? IAMAT %s +1-1 5\n" % name)
        self.assertRegex(fleet.ask(b"WHATSAT depot 1 0\n"), AT)
        fleet.until(b"\n\n")
        # What it may not ask for and what does not exist are told apart by nothing.
        for name in (b"kiwi", b"nowhere", b"fleet"):
            self.assertEqual(fleet.ask(b"WHATSAT %s 1 0\n" % name), b"? WHATSAT %s 1 0\n" % name)
        server.wait_event("not_allowed", detail="fleet fleet")

    def test_who_proved_nothing(self):
        server = self.server()
        client = self.client(server)
        self.assertEqual(client.ask(b"IAMAT kiwi.example +1-1 5\n"), b"? IAMAT kiwi.example +1-1 5\n")
        found = server.wait_event("not_allowed")
        self.assertEqual(found["detail"], "- kiwi.example")
        self.assertEqual(found["client"], "%s:%d" % client.socket.getsockname())

    def test_anonymous(self):
        server = self.server(IDENTITIES + "anonymous - - public-* connections=2\n")
        boss = self.signed_in(server, BOSS)
        at = boss.ask(b"IAMAT public-1 +1-1 5\n")
        one, two = self.client(server), self.client(server)
        self.assertEqual(one.ask(b"WHATSAT public-1 1 0\n"), at)
        self.assertEqual(two.ask(b"WHATSAT kiwi 1 0\n"), b"? WHATSAT kiwi 1 0\n")
        self.assertEqual(one.until(b"\n\n")[-2:], b"\n\n")
        self.assertEqual(one.ask(b"IAMAT public-1 +1-1 5\n"), b"? IAMAT public-1 +1-1 5\n")
        third = self.client(server)
        third.send(b"x\n")
        self.assertEqual(third.closed_by_server(), b"")
        server.wait_event("connection_refused", why="identity_connections")

    def test_who_proves_more_than_the_anonymous(self):
        """With all places of the anonymous taken, who has a token is let in by it, a neighbour by its HELLO, with TLS and
        without; who has neither is not, nor is who says nothing."""
        for mode in ("require", "allow", "off"):
            with self.subTest(mode):
                herd = self.tls(["A", "B"], [("A", "B")], identities=IDENTITIES + "anonymous - * * connections=1\n",
                                limits={"peer_hello_ms": 1000})
                if mode == "off":
                    del herd.config["tls"]
                else:
                    herd.config["tls"]["mode"] = mode
                herd.write()
                server = herd["A"].start(wait=False)
                wait_for(lambda: server.saw("listening"), "A listens")
                come = server.client if mode == "off" else lambda: self.client(server)
                anonymous = come()
                self.assertRegex(anonymous.ask(b"IAMAT x +1-1 5\n"), AT)
                silent, other, boss = come(), come(), come()
                self.assertEqual(boss.ask(b"AUTH %s\n" % BOSS.encode()), b"OK boss\n")
                other.send(b"IAMAT y +1-1 5\n")
                self.assertEqual(other.closed_by_server(), b"")
                server.wait_event("connection_refused", why="identity_connections")
                self.assertEqual(silent.closed_by_server(), b"")
                herd["B"].start(wait=False)
                herd.wait_linked()
                self.assertRegex(boss.ask(b"IAMAT y +1-1 5\n"), AT)
                self.assertRegex(anonymous.ask(b"IAMAT x +1-1 6\n"), AT)

    def test_beyond_clients_max_too(self):
        """Room is left for neighbours alone, and the anonymous have their connections: who comes proves either, or goes."""
        herd = self.tls(["A", "B"], [("A", "B")], identities="anonymous - * * connections=1\n",
                        limits={"clients_max": 1, "peer_hello_ms": 1000})
        del herd.config["tls"]
        herd.write()
        server = herd["A"].start(wait=False)
        wait_for(lambda: server.saw("listening"), "A listens")
        inside = server.client()
        self.assertRegex(inside.ask(b"IAMAT x +1-1 5\n"), AT)
        beyond = [server.client() for _ in range(2)]
        for client in beyond:
            self.assertEqual(client.closed_by_server(), b"")
        self.assertRegex(inside.ask(b"IAMAT x +1-1 6\n"), AT)
        herd["B"].start(wait=False)
        herd.wait_linked()

    def test_neighbours_are_not_anonymous(self):
        """A neighbour takes no place of the anonymous ones."""
        herd = self.tls(["A", "B", "C"], [("A", "B"), ("A", "C")], identities="anonymous - * * connections=1\n")
        herd.start()
        client = self.client(herd["A"])
        line = client.ask(b"IAMAT kiwi +1-1 5\n")
        self.assertRegex(line, AT)
        herd["B"].stop()
        herd["B"].start()
        herd.wait_linked()
        self.assertEqual(client.ask(b"WHATSAT kiwi 1 0\n"), line)


class Limits(ClientTest):
    def test_reports_of_an_identity(self):
        """On all of its connections together; others go on."""
        server = self.server()
        one, two = (self.signed_in(server, "herd_" + "s" * 43) for _ in range(2))
        kinds = [client.ask(b"IAMAT x +1-1 %d\n" % n)[:1] for n in range(5) for client in (one, two)]
        self.assertEqual(kinds[:3], [b"A"] * 3)
        self.assertLessEqual(kinds.count(b"A"), 5)
        self.assertRegex(server.wait_event("too_often")["detail"], r"\Aslow x\Z")
        fleet = self.signed_in(server, FLEET)
        for n in range(20):
            self.assertTrue(fleet.ask(b"IAMAT fleet-1 +1-1 %d\n" % n).startswith(b"AT"))
        wait_for(lambda: one.ask(b"IAMAT x +1-1 5\n").startswith(b"AT"), "it may again")

    def test_connections_of_an_identity(self):
        server = self.server()
        one, two = (self.signed_in(server, BOSS) for _ in range(2))
        third = self.client(server)
        third.send(b"AUTH %s\n" % BOSS.encode())
        self.assertEqual(third.closed_by_server(), b"? AUTH\n")
        server.wait_event("identity_connections")
        self.assertRegex(one.ask(b"IAMAT x +1-1 5\n"), AT)
        two.close()

        def again():
            with self.client(server) as client:
                client.send(b"AUTH %s\n" % BOSS.encode())
                return client.line() == b"OK boss\n"
        wait_for(again, "a place is free")

    def test_reports_of_an_address(self):
        server = self.server(limits={"reports_per_address_max": 10})
        clients = [self.signed_in(server, BOSS) for _ in range(2)]
        good = [client.ask(b"IAMAT x +1-1 5\n")[:1] for _ in range(15) for client in clients].count(b"A")
        self.assertGreaterEqual(good, 10)
        self.assertLess(good, 20)
        server.wait_event("too_often")
        other = self.client(server, source="127.0.0.2")
        other.ask(b"AUTH %s\n" % FLEET.encode())
        self.assertRegex(other.ask(b"IAMAT fleet-1 +1-1 5\n"), AT)


if __name__ == "__main__":
    skip_without_tls("gnutls-cli")
    main()
