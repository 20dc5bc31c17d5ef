# SPDX-License-Identifier: MIT
"""From an address that is not loopback: what is for the machine itself alone, and how much one address may have.

The file runs in a network namespace of its own; where that cannot be had, it is skipped with the reason.
"""
import os
import socket
import ssl
import subprocess
import sys
import time

from herd import DEADLINE, free_port, main, wait_for
from trust import SKIPPED, Records, TrustTest, context, proof, skip_without_tls

INSIDE = "HERD_TEST_OUTSIDE"
HERE, THERE = "10.87.0.1", "10.87.0.2"
KIWI = "herd_" + "k" * 43
IDENTITIES = f"kiwi {proof(KIWI)} kiwi kiwi\n"


def enter_namespace():
    """Runs this file again inside; does not return."""
    unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    ups = "ip link set lo up && " + " && ".join(f"ip address add {one}/32 dev lo" for one in (HERE, THERE))
    try:
        probe = subprocess.run([*unshare, "sh", "-c", ups], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               timeout=30)
        why = probe.stdout.strip() or "no reason given" if probe.returncode else None
    except OSError as error:
        why = str(error)
    if why:
        print("skipped: no network namespace here:", why)
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*unshare, "sh", "-c", ups + ' && exec "$@"', "sh", sys.executable, *sys.argv])


def arrive(server, source, port=None):
    """A bare connection from that address to the server's."""
    made = socket.socket()
    made.settimeout(DEADLINE)
    made.bind((source, 0))
    made.connect((HERE, port or server.port))
    return made


class OutsideTest(TrustTest):
    def server(self, mode="allow", **options):
        herd = self.tls(["A"], mode=mode, identities=IDENTITIES, **options)
        herd.config["servers"]["A"]["host"] = HERE
        herd.write()
        return herd["A"].start()

    def say(self, made, text):
        """What comes back up to the end."""
        with made:
            made.sendall(text)
            got = b""
            try:
                while more := made.recv(1 << 16):
                    got += more
            except ConnectionError:
                pass
            return got

    def secure(self, server, source):
        return context(self.authority.certificate).wrap_socket(arrive(server, source))


class Outside(OutsideTest):
    def test_a_token_in_clear(self):
        """It is refused without a look at it, and not written down; the same token is good in TLS."""
        server = self.server()
        text = b"AUTH %s\nIAMAT kiwi +1-1 5\n" % KIWI.encode()
        self.assertEqual(self.say(arrive(server, THERE), text), b"? AUTH\n")
        server.wait_event("auth_in_clear")
        with self.secure(server, THERE) as good:
            good.sendall(text)
            got = b""
            while got.count(b"\n") < 2:
                got += good.recv(1000)
        self.assertRegex(got, rb"\AOK kiwi\nAT A ")
        wait_for(lambda: "OK kiwi" in server.log_text(), "it is logged")
        self.assertNotIn("kkkk", server.log_text())

    def test_a_wrong_token_in_clear(self):
        """A right one and a wrong one are refused alike, at once: nothing is learnt."""
        server = self.server()
        for token in (KIWI, "herd_" + "w" * 43):
            took = []
            for _ in range(3):
                began = time.monotonic()
                self.assertEqual(self.say(arrive(server, THERE), b"AUTH %s\n" % token.encode()), b"? AUTH\n")
                took.append(time.monotonic() - began)
            self.assertLess(min(took), 0.9)

    def test_handshakes_of_an_address(self):
        """Eight at once; more of it wait until these are over, and are served then. Another address notices nothing."""
        server = self.server(mode="require", limits={"peer_hello_ms": 3000})
        hello = Records.__new__(Records)
        hello.incoming, hello.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello.tls = context().wrap_bio(hello.incoming, hello.outgoing)
        front = hello.first_flight()
        slow = []
        for _ in range(8):
            one = arrive(server, THERE)
            self.addCleanup(one.close)
            one.sendall(front)
            self.assertTrue(one.recv(1 << 16))  # the server's part; ours does not come
            slow.append(one)
        began = time.monotonic()
        waits = arrive(server, THERE)
        self.addCleanup(waits.close)
        waits.sendall(front)
        with self.secure(server, HERE) as elsewhere:
            elsewhere.sendall(b"x\n")
            self.assertEqual(elsewhere.recv(100), b"? x\n")
        self.assertTrue(waits.recv(1 << 16))
        self.assertGreater(time.monotonic() - began, 1)
        server.wait_event("closed", why="tls_handshake_deadline")
        with self.secure(server, THERE) as again:
            again.sendall(b"x\n")
            self.assertEqual(again.recv(100), b"? x\n")

    def test_connections_of_an_address(self):
        """With TLS too: those beyond are closed, another address is served."""
        server = self.server(mode="require", limits={"clients_per_address_max": 3})
        inside = [self.secure(server, THERE) for _ in range(3)]
        for one in inside:
            self.addCleanup(one.close)
            one.sendall(b"x\n")
            self.assertEqual(one.recv(100), b"? x\n")
        with self.assertRaises((ssl.SSLError, OSError)):
            self.secure(server, THERE).recv(1)
        server.wait_event("connection_refused", why="clients_per_address_max")
        with self.secure(server, HERE) as elsewhere:
            elsewhere.sendall(b"x\n")
            self.assertEqual(elsewhere.recv(100), b"? x\n")


class Open(OutsideTest):
    def test_figures(self):
        """Where everybody may report and ask, figures are for the machine itself alone."""
        herd = self.herd(["A"])
        port = free_port()
        herd.config["servers"]["A"].update(host=HERE, http_port=port, http_listen=[HERE, "127.0.0.1"])
        herd.config["http"] = {"open": True}
        herd.write()
        server = herd["A"].start()
        for path, status in (("/metrics", 403), ("/v1/node", 403), ("/v1/peers", 403), ("/healthz", 200), ("/v1/clients", 200)):
            said = self.say(arrive(server, THERE, port), f"GET {path} HTTP/1.1\r\nHost: {HERE}\r\nConnection: close\r\n\r\n".encode())
            self.assertEqual(int(said.split()[1]), status, path)
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as made:
                said = self.say(made, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            self.assertEqual(int(said.split()[1]), 200, path)


if __name__ == "__main__":
    skip_without_tls("unshare", "ip")
    if not os.environ.get(INSIDE):
        enter_namespace()
    main()
