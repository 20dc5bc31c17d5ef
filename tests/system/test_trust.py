# SPDX-License-Identifier: MIT
"""Who is whose neighbour: each way in which a server fails to prove its name, and what the log says of it."""
import json
import os
import socket
import ssl
import subprocess

from herd import DEADLINE, Proxy, main, run, wait_for
from trust import HERD, Authority, TlsClient, TrustTest, context, day, openssl, skip_without_tls

AB = (["A", "B"], [("A", "B")])


class Certificates(TrustTest):
    """A herd of two; somebody dials A as B, with a certificate that has a fault."""

    def impostor(self, herd, certificate, hello=b"HELLO 2 B A 1234567890abcdef\n"):
        """Somebody who dials A as B; what it is told before the end, which may be an alert."""
        try:
            with TlsClient(herd["A"].port, context(self.authority.certificate, certificate)) as it:
                it.send(hello)
                return it.closed_by_server()
        except ssl.SSLError:
            return b""

    def refused(self, event, certificate, **tls):
        herd = self.tls(*AB, own=["B"], **tls)
        made = certificate()
        herd["A"].start()
        said = self.impostor(herd, made)
        self.assertNotIn(b"HELLO", said)
        found = herd["A"].wait_event(event)
        self.not_linked(herd["A"])
        return said, found

    def test_a_good_one_is_linked(self):
        """The control: without a fault, the impostor is taken for B."""
        herd = self.tls(*AB)
        herd["A"].start()
        with TlsClient(herd["A"].port, context(self.authority.certificate, (self.authority.path("B.pem"),
                                                                            self.authority.path("B.key")))) as it:
            self.assertIn(f"herd://{HERD}/server/A", it.names())
            self.assertRegex(it.ask(b"HELLO 2 B A 1234567890abcdef\n"), rb"\AHELLO 2 A B [0-9a-f]{16}\n")
        self.assertEqual(herd["A"].wait_event("peer_up")["peer"], "B")

    def test_linked_by_certificates(self):
        herd = self.tls(["A", "B", "C"], [("A", "B"), ("B", "C"), ("A", "C")]).start()
        line = self.client(herd["A"]).ask(b"IAMAT kiwi +1-1 5\n")
        wait_for(lambda: self.client(herd["C"]).ask(b"WHATSAT kiwi 1 0\n") == line, "C is told")

    def test_another_name(self):
        said, _ = self.refused("peer_not_proved", lambda: self.authority.issue("C"))
        self.assertEqual(said, b"REFUSE peer_not_proved\n")

    def test_names_that_are_none(self):
        """Another herd, a client, two names, another case, a NUL, a DNS name, none at all."""
        herd = self.tls(*AB, own=["B"])
        herd["A"].start()
        uris = ["URI:herd://other/server/B", f"URI:herd://{HERD}/client/B", f"URI:herd://{HERD}/server/b",
                f"URI:herd://{HERD}/server/B,URI:herd://{HERD}/server/C", f"URI:HERD://{HERD}/server/B",
                f"URI:herd://{HERD}/server/B/", f"URI:herd://{HERD}/server/B%00", "DNS:B", ""]
        for uri in uris:
            with self.subTest(uri):
                made = self.authority.issue("B", uri=uri, file="it")
                said = self.impostor(herd, made)
                self.assertEqual(said, b"REFUSE peer_not_proved\n")
        herd["A"].wait_event("peer_not_proved", detail="B")
        self.not_linked(herd["A"])

    def test_another_authority(self):
        def other():
            return Authority(os.path.join(self.authority.dir, "other"), "Somebody").issue("B")
        _, found = self.refused("tls_issuer_unknown", other)
        self.assertIn("Somebody", found["why"])

    def test_self_signed(self):
        def own():
            key, made = self.authority.path("self.key"), self.authority.path("self.pem")
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", made, "-days", "10", "-subj", "/CN=B", "-addext", f"subjectAltName=URI:herd://{HERD}/server/B")
            return made, key
        self.refused("tls_issuer_unknown", own)

    def test_an_intermediate(self):
        """Issued one level below the root: linked when the level between is sent along, refused without, with the remedy."""
        def below():
            between = Authority(os.path.join(self.authority.dir, "between"), "Between")
            asked = between.path("ca.csr")
            openssl("req", "-new", "-key", between.path("ca.key"), "-subj", "/CN=Between", "-out", asked)
            extensions = between.path("ca.ext")
            with open(extensions, "w", encoding="ascii") as file:
                file.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
            openssl("x509", "-req", "-in", asked, "-CA", self.authority.certificate, "-CAkey", self.authority.path("ca.key"),
                    "-CAcreateserial", "-days", "10", "-extfile", extensions, "-out", between.certificate)
            self.between = between.certificate
            return between.issue("B")
        herd = self.tls(*AB, own=["B"])
        made = below()
        herd["A"].start()
        self.assertNotIn(b"HELLO", self.impostor(herd, made))
        found = herd["A"].wait_event("tls_issuer_unknown")
        self.assertIn("Between, which is not in our file of roots; a peer must send its intermediates", found["why"])
        self.not_linked(herd["A"])
        with open(made[0], "ab") as file, open(self.between, "rb") as between:
            file.write(between.read())
        with TlsClient(herd["A"].port, context(self.authority.certificate, made)) as it:
            self.assertRegex(it.ask(b"HELLO 2 B A 1234567890abcdef\n"), rb"\AHELLO 2 A B [0-9a-f]{16}\n")

    def test_expired(self):
        _, found = self.refused("tls_certificate_expired", lambda: self.authority.issue("B", dates=(day(-9), day(-2))))
        self.assertRegex(found["why"], r"valid from \S+Z to \S+Z; it is \S+Z here")

    def test_not_yet_valid(self):
        self.refused("tls_certificate_not_yet_valid", lambda: self.authority.issue("B", dates=(day(2), day(9))))

    def test_revoked(self):
        def revoked():
            made = self.authority.issue("B")
            self.authority.revoke(made[0])
            return made
        self.refused("tls_certificate_revoked", revoked, crl=True)

    def test_for_another_use(self):
        """A certificate for servers alone does not dial."""
        self.refused("tls_certificate_refused", lambda: self.authority.issue("B", usage="serverAuth"))

    def test_none(self):
        herd = self.tls(*AB)
        herd["A"].start()
        said = self.impostor(herd, None)
        self.assertEqual(said, b"REFUSE peer_not_proved\n")
        herd["A"].wait_event("peer_not_proved", detail="B")

    def test_a_small_key(self):
        def small():
            openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", self.authority.path("s.key"), "-out",
                    self.authority.path("s.pem"), "-days", "10", "-subj", "/CN=B")
        herd = self.tls(*AB, own=["B"])
        small()
        herd["A"].start()
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{herd['A'].port}", "-cert",
                               self.authority.path("s.pem"), "-key", self.authority.path("s.key"), "-cipher",
                               "ALL:@SECLEVEL=0", "-quiet"], input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=DEADLINE)
        self.assertIn(b"alert", done.stdout)
        wait_for(lambda: [e for e in herd["A"].events() if e.name.startswith("tls_") and e.level == "warn"], "A says why")

    def test_the_one_we_dial_is_another(self):
        """A dials B's address, where C is at home."""
        herd = self.tls(["A", "B", "C"], [("A", "B")])
        self.own_config(herd, "A", servers={"A": {"port": herd["A"].port}, "B": {"port": herd["C"].port}})
        with open(herd["A"].config_path) as file:
            config = json.load(file)
        del config["servers"]["C"]
        with open(herd["A"].config_path, "w") as file:
            json.dump(config, file)
        herd["C"].start()
        herd["A"].start()
        found = herd["A"].wait_event("peer_name_differs")
        self.assertIn("expected=B", found["why"])
        self.assertIn(f"herd://{HERD}/server/C", found["why"])
        herd["A"].wait_event("peer_unreachable", peer="B", why="peer_name_differs")
        self.not_linked(herd["A"], herd["C"])

    def test_a_client_where_a_server_should_be(self):
        """Whom A dials shows the certificate of a client by the name of B."""
        herd = self.tls(*AB, own=["B"])
        made = self.authority.issue("B", role="client")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(*made)
        listener = socket.create_server(("127.0.0.1", herd["B"].port))
        self.addCleanup(listener.close)
        herd["A"].start()
        listener.settimeout(DEADLINE)
        one, _ = listener.accept()
        try:
            with server.wrap_socket(one, server_side=True) as it:
                it.recv(100)
        except OSError:
            pass
        found = herd["A"].wait_event("peer_name_differs")
        self.assertIn(f"herd://{HERD}/client/B", found["why"])

    def test_such_files_are_refused_at_the_start(self):
        """What a peer would find out, the server itself finds out: it does not start, nor is it let pass by --check."""
        for fault, event in (("name", "tls_name_differs"), ("expired", "tls_certificate_expired"),
                             ("early", "tls_certificate_not_yet_valid"), ("other", "tls_issuer_unknown"),
                             ("client", "tls_name_differs"), ("usage", "tls_certificate_bad"),
                             ("key", "tls_key_differs"), ("mode", "key_file_mode"), ("absent", "file_unreadable")):
            with self.subTest(fault):
                herd = self.tls(["A"], own=["A"])
                a = self.authority
                if fault == "other":
                    a = Authority(os.path.join(a.dir, "other"), "Somebody")
                made = {"name": lambda: a.issue("B", file="A"), "expired": lambda: a.issue("A", dates=(day(-9), day(-2))),
                        "early": lambda: a.issue("A", dates=(day(2), day(9))),
                        "client": lambda: a.issue("A", role="client"),
                        "usage": lambda: a.issue("A", usage="serverAuth")}.get(fault, lambda: a.issue("A"))()
                if fault == "other":
                    for path in made:
                        os.rename(path, self.authority.path(os.path.basename(path)))
                if fault == "key":
                    os.rename(a.issue("A", file="x")[1], made[1])
                if fault == "mode":
                    os.chmod(made[1], 0o644)
                if fault == "absent":
                    os.unlink(made[1])
                done = run("-c", herd.config_path, "--check", "A", cwd=herd.dir)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, rb"\A[^\n]*herd.json:\d+:\d+: ")
                done = run("-c", herd.config_path, "-l", "-", "A", cwd=herd.dir)
                self.assertIn(done.returncode, (1, 2))
                self.assertIn(event.encode(), done.stderr)


class Keys(TrustTest):
    """Keys of pairs, without certificates."""

    def keys(self, mode="require", a="11" * 32, b="11" * 32):
        herd = self.herd(*AB)
        herd.config.update(herd=HERD, psk_file=os.path.join(herd.dir, "{name}.psk"), tls={"mode": mode})
        herd.write()
        for name, other, key in (("A", "B", a), ("B", "A", b)):
            self.key(herd, name, other, key)
        return herd

    @staticmethod
    def key(herd, name, other, key):
        path = os.path.join(herd.dir, name + ".psk")
        with open(path, "w") as file:
            file.write(f"{other} {key}\n")
        os.chmod(path, 0o600)

    def test_the_right_key(self):
        herd = self.keys().start()
        self.assertEqual(herd["A"].links_up(), {"B"})
        for server in herd:
            self.assertEqual(server.wait_event("tls_opened")["why"], "TLSv1.3 TLS_AES_128_GCM_SHA256")

    def test_another_key(self):
        herd = self.launch(self.keys(b="22" * 32))
        for server, other in (("A", "B"), ("B", "A")):
            herd[server].wait_event("tls_failed")
            herd[server].wait_event("peer_unreachable", peer=other, why="tls_failed")
        self.not_linked(*herd)

    def test_reflected(self):
        """Somebody between sends what A says back to A: the identity is A>B, and A is not B."""
        herd = self.keys()
        proxy = Proxy(self, herd["A"].port)
        self.own_config(herd, "A", servers={"B": {"port": proxy.port}})
        herd["A"].start()
        herd["A"].wait_event("peer_unreachable", peer="B", count="2")
        herd["A"].wait_event("tls_failed")
        self.not_linked(herd["A"])
        self.assertFalse(herd["A"].events("tls_opened"))

    def test_with_openssl(self):
        """A peer nobody here wrote: the derived key of one direction opens the connection, an unknown identity none."""
        herd = self.keys()
        herd["A"].start()
        derived = openssl("kdf", "-keylen", "32", "-kdfopt", "digest:SHA256", "-kdfopt", "hexkey:" + "11" * 32,
                          "-kdfopt", "salt:herd pair key 1", "-kdfopt", "info:B>A", "HKDF").decode()
        derived = derived.strip().replace(":", "")

        def dial(identity, key):
            return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{herd['A'].port}", "-tls1_3",
                                   "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-psk_identity", identity, "-psk", key,
                                   "-ign_eof"], input=b"HELLO 2 C A 1234567890abcdef\n", stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=DEADLINE).stdout
        self.assertIn(b"REFUSE peer_not_proved", dial("B>A", derived))
        for identity, key in (("B>A", "11" * 32), ("C>A", derived), ("A>A", derived), ("A>B", derived), ("B", derived),
                              (">", derived), ("B>A>A", derived), ("x" * 200 + ">A", derived)):
            with self.subTest(identity):
                self.assertIn(b"alert", dial(identity, key))
        wait_for(lambda: len(herd["A"].events("tls_opened")) == 1, "A tells of the one that was opened")

    def test_files_that_are_refused(self):
        for text, mode in (("B 11\n", 0o600), (f"B {'11' * 32}\nB {'22' * 32}\n", 0o600), (f"B {'zz' * 32}\n", 0o600),
                           (f"B {'11' * 32}\n", 0o644)):
            herd = self.keys()
            path = os.path.join(herd.dir, "A.psk")
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, mode)
            done = run("-c", herd.config_path, "--check", "A", cwd=herd.dir)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, rb"A.psk:[12]: " if mode == 0o600 else rb"A.psk: mode 644")
            self.assertNotIn(b"1111", done.stderr)


class Secret(TrustTest):
    """The secret of the herd."""

    def secret(self, herd, name, text):
        path = os.path.join(herd.dir, name + ".secret")
        with open(path, "w") as file:
            file.write(text + "\n")
        os.chmod(path, 0o600)
        self.own_config(herd, name, secret_file=path)

    def test_the_same(self):
        herd = self.tls(*AB)
        for name in "AB":
            self.secret(herd, name, "5a" * 32)
        herd.start()
        line = self.client(herd["A"]).ask(b"IAMAT kiwi +1-1 5\n")
        wait_for(lambda: self.client(herd["B"]).ask(b"WHATSAT kiwi 1 0\n") == line, "B is told")

    def test_others_differ(self):
        herd = self.tls(*AB)
        self.secret(herd, "A", "5a" * 32)
        self.secret(herd, "B", "5b" * 32)
        self.launch(herd)
        wait_for(lambda: herd["A"].events("peer_key_differs", detail="B") or
                 herd["A"].events("peer_refuses_us", detail="peer_key_differs"), "A says so")
        wait_for(lambda: herd["B"].events("peer_key_differs", detail="A"), "B says so")
        self.not_linked(*herd)

    def test_one_has_none(self):
        """Without TLS too: it does not depend on that."""
        herd = self.herd(*AB)
        self.secret(herd, "A", "5a" * 32)
        self.launch(herd)
        for server, other in (("A", "B"), ("B", "A")):
            herd[server].wait_event("peer_key_differs", detail=other)
        self.not_linked(*herd)


class Modes(TrustTest):
    """off, allow, require: a herd that changes without a stop, and what each says to strangers."""

    def test_a_rolling_change(self):
        """Three linked servers go from off over allow to require, one after the other; a link is there at each step, and
        nothing is lost."""
        herd = self.tls(["A", "B", "C"], [("A", "B"), ("B", "C"), ("A", "C")], mode="off",
                        limits={"redial_max_ms": 100}).start()
        reported = 0
        for mode in ("allow", "require"):
            for name in "ABC":
                self.own_config(herd, name, tls={"mode": mode})
                herd[name].stop()
                herd[name].start()
                herd.wait_linked()
                reported += 1
                asker = herd[name]
                encrypted = mode == "require"
                one = self.client(asker) if encrypted else asker.client()
                line = one.ask(b"IAMAT n%d +1-1 5\n" % reported)
                self.assertTrue(line.startswith(b"AT "))
                for other in herd:
                    secure = other.name <= name and mode == "require"
                    wait_for(lambda: (self.client(other) if secure else other.client()).ask(
                        b"WHATSAT n%d 1 0\n" % reported) == line, f"{other.name} has it")
        herd.wait_linked()  # two made at once may just be settling which is kept
        for server in herd:
            with server.client() as plain:
                plain.send(b"IAMAT x +1-1 5\n")
                self.assertEqual(plain.closed_by_server(), b"")

    def test_one_of_each(self):
        """off and require never speak; allow speaks with both."""
        herd = self.tls(["A", "B", "C"], [("A", "B"), ("B", "C"), ("A", "C")], mode="allow")
        self.own_config(herd, "A", tls={"mode": "off"})
        self.own_config(herd, "C", tls={"mode": "require"})
        self.launch(herd)
        wait_for(lambda: herd["B"].links_up() == {"A", "C"}, "B is linked to both")
        herd["C"].wait_event("tls_expected")
        herd["A"].wait_event("peer_unreachable", peer="C", count="2")
        self.assertNotIn("C", herd["A"].links_up())
        line = herd["A"].ask(b"IAMAT kiwi +1-1 5\n")
        wait_for(lambda: self.client(herd["C"]).ask(b"WHATSAT kiwi 1 0\n") == line, "C is told by B")

    def test_plain_neighbours_and_require(self):
        herd = self.tls(*AB)
        herd.config["servers"]["B"]["plain"] = True
        herd.write()
        done = run("-c", herd.config_path, "--check", "A", cwd=herd.dir)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"a plain neighbour proves nothing", done.stderr)

    def test_plain_on_a_port_that_requires(self):
        server = self.tls(["A"])["A"].start()
        for first in (b"IAMAT kiwi +1-1 5\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HELLO 2 B A 12\n", b"\n", b"\0\0"):
            with self.subTest(first):
                with server.client() as plain:
                    plain.send(first)
                    self.assertEqual(plain.closed_by_server(), b"")
                with server.client() as plain:  # the end comes with the bytes
                    plain.send(first)
                    plain.half_close()
                    self.assertEqual(plain.closed_by_server(), b"")
        self.assertEqual(server.wait_event("tls_expected")["client"][:10], "127.0.0.1:")
        self.assertEqual(wait_for(lambda: server.events("tls_expected"), "told")[0]["why"], "first_bytes=IAMAT")
        self.assertEqual(self.client(server).ask(b"WHATSAT kiwi 1 0\n"), b"? WHATSAT kiwi 1 0\n")

    def test_tls_on_a_port_that_has_none(self):
        server = self.one()
        hello = context()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            TlsClient(server.port, hello)
        server.wait_event("tls_not_enabled")
        self.assertEqual(server.ask(b"x\n"), b"? x\n")


if __name__ == "__main__":
    skip_without_tls()
    main()
