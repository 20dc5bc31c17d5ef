# SPDX-License-Identifier: MIT
"""Herds whose servers all end at once, and know everything again."""
import threading

from herd import *


class Writer(threading.Thread):
    """Reports, one connection, some in flight, until the server is gone; remembers what was acknowledged."""

    def __init__(self, server, number, window):
        super().__init__(daemon=True)
        self.client, self.prefix, self.window = server.client(), b"w%d-" % number, window
        self.acknowledged = {}
        self.sent = 0

    def run(self):
        try:
            while True:
                burst = []
                for _ in range(self.window):
                    self.sent += 1
                    burst.append(b"IAMAT %s%d +1.%d-2 %d\n" % (self.prefix, self.sent % 100, self.sent, self.sent))
                self.client.send(b"".join(burst))
                for _ in burst:
                    line = self.client.line()
                    self.acknowledged[line.split()[3]] = line
        except (OSError, Closed):
            pass


class JournalTest(HerdTest):
    def journalled(self, names, links, **limits):
        return self.herd(names, links, limits=limits, more={"journal": "{name}.journal"})

    def read_event(self, server):
        return server.wait_event("journal_read")

    def kill_all(self, herd):
        for server in herd:
            server.process.kill()
        for server in herd:
            server.kill()
            os.unlink(server.log_path)  # its last line may be torn

    def test_graceful_restart(self):
        herd = self.journalled(["A", "B", "C"], [("A", "B"), ("B", "C")], journal_sync_ms=100)
        herd.start()
        lines = {}
        for i in range(300):
            server = herd["ABC"[i % 3]]
            lines[b"c%d" % i] = server.ask(b"IAMAT c%d +1+1 %d\n" % (i, i))
        herd.wait_everywhere(b"c299", lines[b"c299"])
        herd.wait_everywhere(b"c298", lines[b"c298"])
        herd.wait_everywhere(b"c297", lines[b"c297"])
        self.assertEqual(set(herd.stop().values()), {0})
        for server in herd:  # each of them alone: learnt records are kept too
            server.start()
            self.assertEqual(self.read_event(server)["records"], "300")
            for key in (b"c0", b"c1", b"c2", b"c299"):
                self.assertEqual(server.at(key), lines[key])
            server.stop()

    def test_kill_under_load(self):
        """kill -9 of the whole herd, again and again: what was acknowledged is never older afterwards."""
        herd = self.journalled(SEED, SEED_LINKS, journal_sync_ms=50)
        herd.start()
        newest = {}
        for round_number in range(3):
            writers = [Writer(server, 10 * round_number + n, window) for n, (server, window) in
                       enumerate(zip(herd, (1, 1, 20, 100, 1000)))]
            for writer in writers:
                writer.start()
            time.sleep(0.5)
            self.kill_all(herd)
            for writer in writers:
                writer.join(DEADLINE)
                self.assertTrue(writer.acknowledged)
                newest.update(writer.acknowledged)
            herd.start()
            for server in herd:
                self.assertEqual(self.read_event(server)["corrupt"], "0")
            for server in herd:
                self.check(herd, server, newest)

    def check(self, herd, server, newest):
        """Everything acknowledged is there, or something newer (sent, not acknowledged)."""
        keys = list(newest)
        deadline = time.monotonic() + DEADLINE
        while keys:
            with server.client() as client:
                client.send(b"".join(b"WHATSAT %s 1 0\n" % key for key in keys))
                client.half_close()
                got = {}
                for line in client.rest().split(b"\n"):
                    if line.startswith(b"AT "):
                        fields = line.split()
                        got[fields[3]] = float(fields[5])
            keys = [key for key in keys if got.get(key, -1) < float(newest[key].split()[5])]
            if keys and time.monotonic() > deadline:
                self.fail(f"{server.name} lost {len(keys)} of {len(newest)}: {newest[keys[0]]} {got.get(keys[0])}")

    def test_damage_is_told(self):
        herd = self.journalled(["A"], [])
        server = herd["A"].start()
        for i in range(10):
            server.ask(b"IAMAT c%d +1+1 1\n" % i)
        server.stop()
        path = os.path.join(herd.dir, "A.journal")
        with open(path, "rb") as file:
            data = file.read()
        lines = data.split(b"\n")
        lines[3] = lines[3].replace(b"+1+1", b"+1+2")
        with open(path, "wb") as file:
            file.write(b"\n".join(lines)[:-20])
        server.start()
        event = self.read_event(server)
        self.assertEqual((event.level, event["records"], event["corrupt"]), ("warn", "8", "1"))
        self.assertNotEqual(event["torn_bytes"], "0")
        self.assertIsNone(server.at(b"c2"))
        self.assertIsNone(server.at(b"c9"))
        server.ask(b"IAMAT c2 +1+1 1\n")
        server.kill()
        server.start()
        self.assertEqual(self.read_event(server)["records"], "9")

    def test_compaction_under_load(self):
        herd = self.journalled(["A", "B"], [("A", "B")], journal_sync_ms=20)
        herd.start()
        journal = os.path.join(herd.dir, "A.journal")
        with herd["A"].client() as client:
            for step in range(30):
                client.send(b"".join(b"IAMAT c%d +1.5+1.5 %d\n" % (i, step) for i in range(10000)))
                client.lines(10000)
                # It is rewritten by a thread, which may have to wait for a disk that others use.
                wait_for(lambda: os.path.getsize(journal) < 150000 * 60, "the journal is small again")
        for server in herd:
            server.wait_event("journal_compacted")
        line = herd["A"].at(b"c77")
        herd.wait_everywhere(b"c77", line)
        self.kill_all(herd)
        for server in herd:
            server.start()
            self.assertEqual(self.read_event(server)["corrupt"], "0")
            self.assertEqual(server.at(b"c77"), line)

    def test_full_disk(self):
        """A file that may not grow: clients are served as ever, and what was missed is written later."""
        herd = self.herd(["A"], [], log={"traffic": False}, more={"journal": "{name}.journal"})
        server = herd["A"]
        server.start()
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (300000, hard))
        with server.client() as client:
            client.send(b"".join(b"IAMAT c%d +1+1 1\n" % i for i in range(20000)))
            client.lines(20000)
        server.wait_event("journal_behind")
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))
        server.wait_event("journal_caught_up")
        server.kill()
        server.start()
        self.assertEqual(self.read_event(server)["records"], "20000")

    def test_stopped_on_a_full_disk(self):
        """What is lost for good is said, and is no success."""
        herd = self.herd(["A"], [], log={"traffic": False}, more={"journal": "{name}.journal"})
        server = herd["A"]
        server.start()
        hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (300000, hard))
        with server.client() as client:
            client.send(b"".join(b"IAMAT c%d +1+1 1\n" % i for i in range(20000)))
            client.lines(20000)
        server.wait_event("journal_behind")
        self.assertEqual(server.stop(), 1)
        self.assertEqual(server.wait_event("journal_incomplete").level, "error")
        server.exit_code = 0  # looked at

    def test_refusals(self):
        herd = self.journalled(["A"], [])
        path = os.path.join(herd.dir, "A.journal")
        with open(path, "w") as file:
            file.write("my dear diary\n")
        result = run("-c", herd.config_path, "A", cwd=herd.dir)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"not a journal", result.stderr)
        with open(path) as file:
            self.assertEqual(file.read(), "my dear diary\n")
        os.unlink(path)
        server = herd["A"].start()
        herd.config["servers"]["A"]["port"] = free_port()
        herd.write()
        result = run("-c", herd.config_path, "-l", "other.log", "A", cwd=herd.dir)
        self.assertIn(b"in use by another process", result.stderr)
        self.assertTrue(server.running)


if __name__ == "__main__":
    unittest.main(verbosity=2)
