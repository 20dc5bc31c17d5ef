# SPDX-License-Identifier: MIT
"""Neighbours with different limits, or one at its limit: what both can hold flows both ways, what one refuses is counted
and told once in a while, and no link goes down for it."""
import time

from herd import HerdTest, main, wait_for

OFTEN = {"digest_ms": 100}  # states are compared many times during a test


def line_of(client, id, number):
    return client.ask(b"IAMAT %s +1-1 %d\n" % (id, number))


class Mixed(HerdTest):
    def pair(self, limits_of_b, limits=OFTEN):
        herd = self.herd(["A", "B"], [("A", "B")], limits=limits)
        herd.limit("B", **limits_of_b)
        return herd.start()

    def undisturbed(self, herd):
        """Every link that came up is up, and nobody had to repair anything."""
        for server in herd:
            self.assertFalse(server.saw("peer_down"), server.log_text())
            self.assertFalse(server.saw("digest_differs"), server.log_text())

    def compared(self, herd, times=4):
        """Until both have had the occasion to compare what they know so often."""
        with herd["A"].client() as client:
            for number in range(times):
                line = line_of(client, b"clock", 10 + number)
                herd.wait_everywhere(b"clock", line)
                time.sleep(0.3)  # some periods of digest_ms in which nothing happens: the observation itself

    def test_one_is_full(self):
        herd = self.pair({"records_max": 50})
        with herd["A"].client() as a, herd["B"].client() as b:
            known = line_of(b, b"own", 5)
            herd.wait_everywhere(b"own", known)
            clock = line_of(a, b"clock", 1)
            herd.wait_everywhere(b"clock", clock)
            for number in range(300):
                line_of(a, b"c%d" % number, 5)
            refused = wait_for(lambda: herd["B"].events("peer_record_refused"), "B tells what it refuses")
            self.assertIn("records_max", str(refused[0]))
            # Clients that both know, told by either.
            herd.wait_everywhere(b"own", line_of(b, b"own", 6))
            herd.wait_everywhere(b"own", line_of(a, b"own", 7))
            # B refuses new clients of its own, and goes on with those it knows.
            self.assertEqual(line_of(b, b"one-more", 5), b"? IAMAT one-more +1-1 5\n")
            self.compared(herd)
            # Damped: at 1, 2, 4, 8, ...
            self.assertLess(len(herd["B"].events("peer_record_refused")), 16)
        self.undisturbed(herd)

    def test_the_full_one_restarts(self):
        """What it can hold it is told again, and that is all."""
        herd = self.pair({"records_max": 50})
        with herd["A"].client() as a:
            for number in range(300):
                line_of(a, b"c%d" % number, 5)
        herd["B"].kill()
        herd["B"].start()
        herd.wait_linked()
        with herd["B"].client() as b:
            known = wait_for(lambda: [n for n in range(300) if herd["B"].at(b"c%d" % n)], "B knows some again")
            line = line_of(b, b"c%d" % known[0], 6)
            wait_for(lambda: herd["A"].at(b"c%d" % known[0]) == line, "A learns what B took")
        self.assertFalse(herd["B"].saw("peer_down"))

    def test_longer_lines(self):
        herd = self.pair({"line_max_bytes": 256})
        long_id = b"x" * 40000
        with herd["A"].client() as a, herd["B"].client() as b:
            line = line_of(a, long_id, 5)
            self.assertTrue(line.startswith(b"AT A "))
            herd.wait_everywhere(b"short", line_of(a, b"short", 5))
            wait_for(lambda: herd["B"].events("peer_record_refused"), "B tells that a line was too long")
            self.assertIn("line_max_bytes", str(herd["B"].events("peer_record_refused")[0]))
            herd.wait_everywhere(b"short", line_of(b, b"short", 6))
            herd.wait_everywhere(b"after", line_of(a, b"after", 6))
            self.compared(herd)
        self.undisturbed(herd)

    def test_less_memory(self):
        herd = self.pair({"records_bytes_max": 500})
        with herd["A"].client() as a, herd["B"].client() as b:
            for number in range(50):
                herd.wait_everywhere(b"c%d" % number, line_of(a, b"c%d" % number, 5))
            self.assertEqual(line_of(b, b"own", 5), b"? IAMAT own +1-1 5\n")
            herd.wait_everywhere(b"c7", line_of(b, b"c7", 6))
            self.compared(herd)
        self.undisturbed(herd)

    def test_other_expiry(self):
        herd = self.pair({"expire_ms": 3600000}, limits={**OFTEN, "expire_ms": 7200000})
        now = int(time.time())
        with herd["A"].client() as a, herd["B"].client() as b:
            herd.wait_everywhere(b"one", line_of(a, b"one", now))
            herd.wait_everywhere(b"two", line_of(b, b"two", now))
            herd.wait_everywhere(b"two", line_of(a, b"two", now + 1))
            wait_for(lambda: herd["A"].saw("peer_expires_sooner") or herd["A"].saw("peer_expires_later"),
                     "A tells that B forgets at another time")
            self.compared(herd, 3)
        self.undisturbed(herd)

    def test_three_in_a_row(self):
        """A full server in the middle: what it holds goes through it, both ways."""
        herd = self.herd(["A", "B", "C"], [("A", "B"), ("B", "C")], limits=OFTEN)
        herd.limit("B", records_max=10)
        herd.start()
        with herd["A"].client() as a, herd["C"].client() as c:
            herd.wait_everywhere(b"shared", line_of(a, b"shared", 5))
            for number in range(60):
                line_of(a, b"a%d" % number, 5)
                line_of(c, b"c%d" % number, 5)
            wait_for(lambda: herd["B"].saw("peer_record_refused"), "B is full")
            herd.wait_everywhere(b"shared", line_of(c, b"shared", 6))
            herd.wait_everywhere(b"shared", line_of(a, b"shared", 7))
        self.undisturbed(herd)


if __name__ == "__main__":
    main()
