# SPDX-License-Identifier: MIT
"""Disks that hang, are read-only or lose a file, under the real program. What hangs is a library loaded before libc."""
import shlex

from herd import *


class DiskTest(HerdTest):
    @classmethod
    def setUpClass(cls):
        """Builds the library where a compiler is, and the loader lets it in."""
        cls.library = None
        if sanitized():
            return
        folder = tempfile.mkdtemp(prefix="herd-test-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        path = os.path.join(folder, "hung_disk.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hung_disk.c")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        with contextlib.suppress(OSError):
            built = subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            cls.library = path if built.returncode == 0 else None

    def disk(self, **limits):
        """A server that is not started, the environment in which its disk hangs, and the file that makes it so."""
        if not self.library:
            self.skipTest("no library can be loaded before libc: no compiler, or a sanitizer comes first")
        herd = self.herd(["A"], [], limits=limits, more={"journal": "{name}.journal"})
        flag = os.path.join(herd.dir, "hangs")
        path = os.path.join(os.path.realpath(herd.dir), "A.journal")
        return herd["A"], {"LD_PRELOAD": self.library, "HUNG_DISK_FILE": path, "HUNG_DISK_WHILE": flag}, flag

    def set(self, flag, text=""):
        with open(flag + "~", "w") as file:
            file.write(text)
        os.rename(flag + "~", flag)

    def records(self, server):
        return server.wait_event("journal_read")["records"]

    def test_hangs_while_serving(self):
        server, env, flag = self.disk(journal_wait_ms=300)
        server.start(env)
        lines = [server.ask(b"IAMAT a +1+1 1\n")]
        self.set(flag)
        before = time.monotonic()
        lines.append(server.ask(b"IAMAT b +1+1 1\n"))
        self.assertGreater(time.monotonic() - before, 0.25)  # the reply waited for its line
        server.wait_event("journal_behind")
        with server.client() as client:  # and nobody waits any more
            client.send(b"".join(b"IAMAT c%d +1+1 1\n" % i for i in range(1000)))
            client.lines(1000)
        self.assertEqual(server.at(b"a"), lines[0])
        os.unlink(flag)
        server.wait_event("journal_caught_up")
        server.ask(b"IAMAT last +1+1 1\n")
        server.kill()
        server.start(env)
        self.assertEqual(self.records(server), "1003")
        self.assertEqual(server.at(b"b"), lines[1])

    def test_stopped_while_it_hangs(self):
        server, env, flag = self.disk(journal_wait_ms=100)
        server.start(env)
        self.set(flag)
        server.ask(b"IAMAT a +1+1 1\n")
        server.wait_event("journal_behind")
        before = time.monotonic()
        self.assertEqual(server.stop(), 1)
        self.assertLess(time.monotonic() - before, 15)
        self.assertEqual(server.wait_event("journal_incomplete")["records"], "1")
        server.exit_code = 0  # looked at

    def test_read_only(self):
        """What a file system becomes that found a fault in itself."""
        server, env, flag = self.disk()
        server.start(env)
        server.ask(b"IAMAT a +1+1 1\n")
        self.set(flag, "read-only")
        server.ask(b"IAMAT b +1+1 1\n")
        self.assertIn("Read-only", server.wait_event("journal_behind")["why"])
        server.ask(b"IAMAT c +1+1 1\n")
        os.unlink(flag)
        server.wait_event("journal_caught_up")
        server.kill()
        server.start(env)
        self.assertEqual(self.records(server), "3")

    def test_hangs_at_the_start(self):
        """A mount that does not answer: a word after a while, and SIGTERM ends it."""
        server, env, flag = self.disk()
        server.start(env)
        server.ask(b"IAMAT a +1+1 1\n")
        server.stop()
        self.set(flag)
        server.may_speak = True
        server.start(env, wait=False)
        wait_for(lambda: "still starting after 5 s" in server.stderr(), "a word about the start")
        self.assertTrue(server.running)
        before = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - before, 5)
        self.assertIn("stopped by a signal before it had started", server.stderr())
        server.start(env, wait=False)
        os.unlink(flag)  # the disk is there again
        wait_for(lambda: server.saw("listening"), "it listens")
        self.assertEqual(server.at(b"a").split()[3], b"a")

    def test_moved(self):
        """mv and SIGHUP: the journal is written anew under its name, and the moved file gets nothing more."""
        server = self.herd(["A"], [], more={"journal": "{name}.journal"})["A"].start()
        path = os.path.join(server.herd.dir, "A.journal")
        server.ask(b"IAMAT a +1+1 1\n")
        os.rename(path, path + ".old")
        server.signal(signal.SIGHUP)
        server.wait_event("journal_missing")
        server.ask(b"IAMAT b +1+1 1\n")
        wait_for(lambda: os.path.exists(path) and server.saw("journal_compacted"), "a new journal")
        size = os.path.getsize(path + ".old")
        line = server.ask(b"IAMAT c +1+1 1\n")
        self.assertEqual(os.path.getsize(path + ".old"), size)
        server.kill()
        server.start()
        self.assertEqual(self.records(server), "3")
        self.assertEqual(server.at(b"c"), line)


if __name__ == "__main__":
    main()
