# SPDX-License-Identifier: MIT
"""Names and addresses: servers find each other by name, with name servers of our own.

The whole file runs in a network and a mount namespace of its own, where /etc is a directory of ours and 127.0.0.53 a
name server. Where namespaces cannot be had, it is skipped with the reason.
"""
import contextlib
import datetime
import itertools
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from herd import AT, PROGRAM, HerdTest, environment, free_port, main, wait_for

INSIDE = "HERD_TEST_NAMESPACE"
SKIPPED = 77
GOOD, SILENT = "127.0.0.53", "127.0.0.54"


def enter_namespace():
    """Runs this file again inside; does not return."""
    unshare = ["unshare", "--mount", "--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    try:
        probe = subprocess.run([*unshare, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               timeout=30)
        why = probe.stdout.strip() if probe.returncode else None
    except OSError as error:
        why = str(error)
    if why:
        print("skipped: no namespaces here:", why)
        sys.exit(SKIPPED)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", [*unshare, sys.executable, *sys.argv])


def lo_up():
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", request)[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


class Etc:
    """/etc in this namespace: what resolving a name looks at, and nothing else."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="herd-test-etc-")
        for name in ("passwd", "localtime", "ld.so.cache", "ssl", "alternatives"):
            if os.path.exists("/etc/" + name):
                (shutil.copytree if os.path.isdir("/etc/" + name) else shutil.copy)("/etc/" + name,
                                                                                   os.path.join(self.dir, name))
        self.put("nsswitch.conf", "hosts: files dns\n")
        self.put("hosts", "127.0.0.1 localhost\n")
        self.put("resolv.conf", "")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "--bind", self.dir, "/etc"], check=True)

    def put(self, name, text):
        """Replaces a file as programs do: a new one, renamed."""
        path = os.path.join(self.dir, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.dir, name))

    def close(self):
        subprocess.run(["umount", "--lazy", "/etc"], check=True)
        shutil.rmtree(self.dir, ignore_errors=True)


class NameServer:
    """Answers for the names in `names`: a list of addresses; all others do not exist. Silent: answers nothing."""

    def __init__(self, address, silent=False):
        self.names, self.silent, self.asked, self.delay = {}, silent, 0, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            packet, sender = self.sock.recvfrom(600)
            self.asked += 1
            time.sleep(self.delay)
            if not self.silent:
                self.sock.sendto(self._answer(packet), sender)

    def _answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
            at += packet[at] + 1
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        addresses = self.names.get(".".join(labels))
        records = []
        for address in addresses or ():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kind == (28 if family == socket.AF_INET6 else 1):
                data = socket.inet_pton(family, address)
                records.append(struct.pack(">HHHIH", 0xc00c, kind, 1, 60, len(data)) + data)
        flags = 0x8180 if addresses is not None else 0x8183
        return packet[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + packet[12:at + 5] + b"".join(records)


class NetTest(HerdTest):
    def setUp(self):
        super().setUp()
        good.names.clear()
        good.delay = 0
        etc.put("hosts", "127.0.0.1 localhost\n")
        etc.put("resolv.conf", f"nameserver {GOOD}\n")

    def two(self, a="127.0.0.1", b="127.0.0.1", limits=None, **more):
        """Neighbours A and B at these hosts; `more`: members of both."""
        herd = self.herd(["A", "B"], [("A", "B")], limits={"redial_max_ms": 100, **(limits or {})})
        herd.config["servers"]["A"].update(host=a, **more)
        herd.config["servers"]["B"].update(host=b, **more)
        herd.write()
        return herd

    def ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")


class Names(NetTest):
    def test_a_dead_first_name_server_costs_seconds(self):
        good.names.update({"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]})
        etc.put("resolv.conf", f"nameserver {SILENT}\nnameserver {GOOD}\noptions timeout:2\n")
        herd = self.two("a.test", "b.test", listen="127.0.0.1")
        begin = time.monotonic()
        herd.start()
        self.assertLess(time.monotonic() - begin, 15)
        self.assertGreater(silent.asked, 0)

    def test_a_name_nobody_knows_and_then_somebody_does(self):
        herd = self.two(b="b.test", listen="127.0.0.1")
        a = herd["A"].start()
        wait_for(lambda: len(a.events("peer_unreachable")) >= 9, "nine attempts")
        events = a.events("peer_unreachable")
        warned = [e for e in events if e.level == "warn"]
        self.assertEqual([e["count"] for e in warned][:4], ["1", "2", "4", "8"])
        self.assertTrue(all(e.level == "debug" for e in events if e["count"] not in ("1", "2", "4", "8", "16", "32")))
        self.assertEqual({(e["peer"], e["host"], e["port"], e["why"]) for e in events},
                         {("B", "b.test", str(herd["B"].port), "the name is not known")})
        good.names["b.test"] = ["127.0.0.1"]
        wait_for(lambda: [e for e in a.events("peer_unreachable") if e["why"] == "Connection refused"], "it resolves")
        refused = [e for e in a.events("peer_unreachable") if e["why"] == "Connection refused"][0]
        self.assertEqual(refused["address"], f"127.0.0.1:{herd['B'].port}")
        # A name found through hosts is taken at once too, and B comes up.
        herd["B"].start()
        up = a.wait_event("peer_up", peer="B")
        self.assertGreaterEqual(int(up["failures"]), 9)
        self.assertRegex(up["address"], r"\A127\.0\.0\.1:\d+\Z")

    def test_resolv_conf_that_comes_after_the_start(self):
        for boot in ("", None):
            with self.subTest(boot=boot):
                good.names.update({"b.test": ["127.0.0.1"]})
                etc.put("resolv.conf", "") if boot == "" else etc.remove("resolv.conf")
                herd = self.herd(["A", "B"], [("A", "B")], limits={"redial_max_ms": 100})
                herd.config["servers"]["B"].update(host="b.test", listen="127.0.0.1")
                herd.config["servers"]["A"]["host"] = "nowhere.test"  # B cannot dial A
                herd.config["servers"]["A"]["listen"] = "127.0.0.1"
                herd.write()
                a, b = herd["A"].start(), herd["B"].start()
                a.wait_event("peer_unreachable", peer="B")
                etc.put("resolv.conf", f"nameserver {GOOD}\n")
                a.wait_event("peer_up", peer="B")
                b.wait_event("peer_up", peer="A")

    def test_a_name_moves_in_hosts(self):
        etc.put("hosts", "127.0.0.9 b.test\n")
        herd = self.two(a="nowhere.test", b="b.test", listen="127.0.0.7")
        a = herd["A"].start()
        self.assertEqual(a.wait_event("peer_unreachable", peer="B")["address"], f"127.0.0.9:{herd['B'].port}")
        herd["B"].start()
        etc.put("hosts", "127.0.0.7 b.test\n")
        self.assertEqual(a.wait_event("peer_up", peer="B")["address"], f"127.0.0.7:{herd['B'].port}")

    def test_a_plain_neighbour_is_known_before_it_connects(self):
        """Nobody is accepted until the first look-up has ended: its first line would be refused as a stranger's."""
        for reload in (False, True):
            with self.subTest(reload=reload):
                good.names["b.test"] = ["127.0.0.1"]
                good.delay = 0 if reload else 0.4
                herd = self.two(b="b.test", listen="127.0.0.1", plain=True)
                if reload:
                    links, herd.config["links"] = herd.config["links"], []
                    herd.write()
                a = herd["A"].start()
                if reload:
                    good.delay, herd.config["links"] = 0.4, links
                    herd.write()
                    a.signal(signal.SIGHUP)
                    a.wait_event("neighbour_added", peer="B")
                with socket.create_connection(("127.0.0.1", a.port), 30) as b:
                    b.sendall(b"AT B +0.100000000 kiwi +1-1 5\n")
                wait_for(lambda: a.at(b"kiwi"), "the first line is taken")

    def test_a_silent_name_server_does_not_keep_clients_waiting(self):
        etc.put("resolv.conf", f"nameserver {SILENT}\n")
        herd = self.two(b="b.test", listen="127.0.0.1", plain=True)
        a = herd["A"].start()
        begin = time.monotonic()
        self.assertRegex(a.ask(b"IAMAT x +1-1 5\n"), AT)
        self.assertLess(time.monotonic() - begin, 6)

    def test_stopping_does_not_wait_for_name_servers(self):
        etc.put("resolv.conf", f"nameserver {SILENT}\n")
        herd = self.two(b="b.test", listen="127.0.0.1")
        a, before = herd["A"].start(), silent.asked
        wait_for(lambda: silent.asked > before, "a question")
        begin = time.monotonic()
        self.assertEqual(a.stop(), 0)
        self.assertLess(time.monotonic() - begin, 4.5)  # its patience is 5 s


class Addresses(NetTest):
    def test_both_families_are_listened_on_and_tried(self):
        self.ipv6()
        good.names.update({"both.test": ["127.0.0.1", "::1"], "half.test": ["127.0.0.1", "::1"]})
        herd = self.two(a="both.test", b="half.test")
        herd.config["servers"]["B"]["listen"] = "127.0.0.1"  # of its name one family is dead
        herd.write()
        herd.start()
        a, b = herd["A"], herd["B"]
        self.assertEqual({e["address"] for e in a.events("listening")}, {f"127.0.0.1:{a.port}", f"[::1]:{a.port}"})
        self.assertEqual({e["address"] for e in b.events("listening")}, {f"127.0.0.1:{b.port}"})
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, a.port), 30) as connection:
                connection.sendall(b"IAMAT x +1-1 5\n")
                self.assertRegex(connection.makefile("rb").readline(), AT)

    def test_plain_neighbours_are_reached_by_any_address_too(self):
        self.ipv6()
        good.names.update({"a.test": ["127.0.0.1", "::1"], "b.test": ["127.0.0.1", "::1"]})
        herd = self.two(a="a.test", b="b.test", listen="127.0.0.1", plain=True)
        for server in herd:
            server.start()
        # Each learns where the other comes from though it has nothing to send itself.
        times = itertools.count(5)  # what comes before B knows A's addresses is refused: each report is a new one
        wait_for(lambda: herd["A"].ask(b"IAMAT x +1-1 %d\n" % next(times)) and herd["B"].at(b"x"), "B takes it")

    def test_an_address_of_another_machine_is_left_out(self):
        good.names["a.test"] = ["192.0.2.9", "127.0.0.1"]
        a = self.two(a="a.test")["A"].start()
        self.assertEqual([e["address"] for e in a.events("listening")], [f"127.0.0.1:{a.port}"])
        self.assertEqual(a.events("listen_address_skipped")[0]["address"], f"192.0.2.9:{a.port}")

    def test_listen(self):
        # The host is an address that this machine does not have, as behind NAT.
        herd = self.two(a="192.0.2.1", b="192.0.2.2", listen=["127.0.0.2", "127.0.0.3"])
        a = herd["A"].start()
        self.assertEqual([e["address"] for e in a.events("listening")], [f"127.0.0.{n}:{a.port}" for n in (2, 3)])
        for host in ("127.0.0.2", "127.0.0.3"):
            socket.create_connection((host, a.port), 30).close()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", a.port), 30)

    def test_listen_on_all(self):
        a = self.two(a="192.0.2.1", listen="*")["A"].start()
        hosts = ["127.0.0.1", "127.0.0.8"]
        with contextlib.suppress(OSError):
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
            hosts.append("::1")
        for host in hosts:
            socket.create_connection((host, a.port), 30).close()
        self.assertIn(f"0.0.0.0:{a.port}", [e["address"] for e in a.events("listening")])
        self.assertEqual(len(a.events("listening")), 2 if "::1" in hosts else 1)

    def test_a_name_that_means_loopback_is_warned_of(self):
        good.names["b.test"] = ["192.0.2.2"]
        etc.put("hosts", "127.0.0.1 localhost\n127.0.1.1 a.test\n")
        a = self.two(a="a.test", b="b.test")["A"].start()
        self.assertEqual(a.events("listening")[0]["address"], f"127.0.1.1:{a.port}")
        warning = a.wait_event("listening_on_loopback_only")
        self.assertEqual((warning.level, warning["host"]), ("warn", "a.test"))
        other = self.two()["A"].start()  # all on one machine: nothing to warn of
        self.assertEqual(other.events("listening_on_loopback_only"), [])

    def test_a_long_name_does_not_cut_off_the_reason(self):
        herd = self.two(a=".".join(["a" * 60] * 4) + ".test")
        result = subprocess.run([PROGRAM, "-c", herd.config_path, "-l", "/dev/null", "A"], cwd=herd.dir,
                                env=environment(), stderr=subprocess.PIPE, timeout=60, text=True)
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"cannot listen on aaaa.*\.\.\. port \d+: Name or service not known\n\Z")

    def test_a_unix_socket_is_logged_as_one(self):
        herd = self.herd(["A"])
        path = os.path.join(herd.dir, "herd.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(5)
            log = os.path.join(herd.dir, "A.log")
            process = subprocess.Popen(
                ["sh", "-c", f'exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', "sh",
                 PROGRAM, "-c", herd.config_path, "-l", log, "A"], cwd=herd.dir, env=environment(),
                pass_fds=[listener.fileno()])
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(30)
                    client.connect(path)
                    client.sendall(b"IAMAT x +1-1 5\n")
                    self.assertRegex(client.makefile("rb").readline(), AT)
            finally:
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(30), 0)
        with open(log) as file:
            self.assertRegex(file.read(), rf"info listening name=A address=unix:{path}\n")


class Words(NetTest):
    """What the log says of neighbours."""

    def test_refusals_name_the_peer_and_are_damped(self):
        herd = self.two()
        alone = self.herd(["B"])
        alone.config["servers"]["B"]["port"] = herd["B"].port
        alone.write()
        b, a = alone["B"], herd["A"]
        b.port = herd["B"].port
        b.start()
        a.start()
        wait_for(lambda: len(a.events("peer_refuses_us")) >= 6, "six refusals")
        events = a.events("peer_refuses_us")
        self.assertEqual({(e["peer"], e["address"], e["detail"]) for e in events},
                         {("B", f"127.0.0.1:{b.port}", "peer_name_unknown")})
        self.assertLessEqual(len([e for e in events if e.level == "warn"]), 4)
        self.assertEqual([e["count"] for e in events if e.level == "warn"][:3], ["1", "2", "4"])
        theirs = b.events("peer_name_unknown")
        self.assertEqual(theirs[0]["detail"], "A")
        self.assertRegex(theirs[0]["address"], r"\A127\.0\.0\.1:\d+\Z")
        self.assertEqual([e["count"] for e in theirs if e.level == "warn"][:3], ["1", "2", "4"])
        self.assertEqual(a.events("peer_unreachable"), [])

    def test_a_port_that_hangs_up_counts_as_not_reached(self):
        herd = self.two()
        with socket.create_server(("127.0.0.1", herd["B"].port)) as listener:
            def hang_up():
                with contextlib.suppress(OSError):
                    while True:
                        listener.accept()[0].close()
            threading.Thread(target=hang_up, daemon=True).start()
            a = herd["A"].start()
            wait_for(lambda: len(a.events("peer_unreachable")) >= 4, "four attempts")
            self.assertEqual([e["count"] for e in a.events("peer_unreachable") if e.level == "warn"][:3],
                             ["1", "2", "4"])
            listener.shutdown(socket.SHUT_RDWR)

    def test_a_neighbour_that_stops(self):
        herd = self.two().start()
        self.assertEqual(herd["B"].stop(), 0)
        self.assertEqual(herd["A"].wait_event("peer_down", peer="B")["why"], "peer_closed")

    def test_libevent_speaks_through_the_log(self):
        a = self.two()["A"].start(env={"EVENT_SHOW_METHOD": "1"})
        self.assertIn("libevent using", a.events("libevent")[0]["message"])
        self.assertEqual(a.stderr(), "")

    def test_a_signal_has_its_own_time(self):
        herd = self.herd(["A"])
        a = herd["A"].start()
        a.ask(b"IAMAT x +1-1 5\n")
        time.sleep(0.3)  # the loop's last turn is some time ago
        before = time.time()
        a.stop()
        stamp = a.events("signal")[0].text.split()[0]
        at = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
        self.assertGreaterEqual(at.timestamp(), before - 0.001)


if __name__ == "__main__":
    if os.environ.get(INSIDE) != "1":
        enter_namespace()
    lo_up()
    etc = Etc()
    good, silent = NameServer(GOOD), NameServer(SILENT, silent=True)
    try:
        main()
    finally:
        etc.close()
