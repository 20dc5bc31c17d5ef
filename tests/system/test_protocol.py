# SPDX-License-Identifier: MIT
"""The client protocol over real sockets: what is answered, in which order, and when a connection ends."""
import re
import time

from herd import AT, Closed, HerdTest, Timeout, main, wait_for

REPORT = b"IAMAT %s +34.068930-118.445127 1614209128.918963997\n"

# Every kind of line that is no command. Each is answered with "? " and itself.
MALFORMED = [
    # words
    b"x", b"iamat a +1-1 5", b"Iamat a +1-1 5", b"IAMATa +1-1 5", b"IAMAT", b"WHATSAT", b"AT", b"HELLO", b"REFUSE",
    b"REFUSE me", b"PING", b"PONG", b"QUIT", b"GET / HTTP/1.1", b"? IAMAT", b"\x00", b"\xff\xfe", b"IAMAT\x00 a +1-1 5",
    b"\xef\xbb\xbfIAMAT a +1-1 5", b"IAMAT\xc2\xa0a\xc2\xa0+1-1\xc2\xa05", b"IAMAT\x1ca\x1c+1-1\x1c5",
    # numbers of fields
    b"IAMAT a +1-1", b"IAMAT a +1-1 5 6", b"IAMAT a +1 -1 5", b"WHATSAT a 1", b"WHATSAT a 1 1 1", b"IAMAT +1-1 5",
    # places
    b"IAMAT a 1-1 5", b"IAMAT a +1 5", b"IAMAT a +1-1/ 5", b"IAMAT a +1-1+1 5", b"IAMAT a +1,-1 5", b"IAMAT a +-1 5",
    b"IAMAT a +1- 5", b"IAMAT a +1.-1 5", b"IAMAT a +1-1. 5", b"IAMAT a +.5-1 5", b"IAMAT a +1-.5 5",
    b"IAMAT a +90.1-1 5", b"IAMAT a -90.1-1 5", b"IAMAT a +1-180.1 5", b"IAMAT a +1+180.1 5", b"IAMAT a +91-1 5",
    b"IAMAT a +90.0000000000000000000000000000001-1 5", b"IAMAT a +1+180.0000000000000000000000000000001 5",
    b"IAMAT a +1e1-1 5", b"IAMAT a +nan-1 5", b"IAMAT a +inf-inf 5", b"IAMAT a +0x1-1 5", b"IAMAT a ++1-1 5",
    b"IAMAT a +1--1 5", b"IAMAT a +18446744073709551617-1 5", b"IAMAT a +1-18446744073709551617 5",
    b"IAMAT a +1\x00-1 5", b"IAMAT a \xd9\xa1-1 5", b"IAMAT a \xe2\x88\x921-1 5",
    # times
    b"IAMAT a +1-1 x", b"IAMAT a +1-1 +5", b"IAMAT a +1-1 -5", b"IAMAT a +1-1 5.", b"IAMAT a +1-1 .5",
    b"IAMAT a +1-1 5e0", b"IAMAT a +1-1 0x5", b"IAMAT a +1-1 nan", b"IAMAT a +1-1 inf", b"IAMAT a +1-1 5.5.5",
    b"IAMAT a +1-1 5,5", b"IAMAT a +1-1 9223372036.854775808", b"IAMAT a +1-1 9223372037",
    b"IAMAT a +1-1 18446744073709551617", b"IAMAT a +1-1 " + b"9" * 400, b"IAMAT a +1-1 5\x00",
    b"IAMAT a +1-1 9223372036.8547758070000000000000000001",
    # look-ups: the client "known" is known
    b"WHATSAT nobody 1 1", b"WHATSAT known 51 1", b"WHATSAT known 50.0000000000000000000001 1",
    b"WHATSAT known -1 1", b"WHATSAT known +1 1", b"WHATSAT known 1. 1", b"WHATSAT known .5 1",
    b"WHATSAT known 1e1 1", b"WHATSAT known nan 1", b"WHATSAT known 1 21", b"WHATSAT known 1 -1",
    b"WHATSAT known 1 +1", b"WHATSAT known 1 1.0", b"WHATSAT known 1 1.", b"WHATSAT known 1 x", b"WHATSAT known x 1",
    b"WHATSAT known 1 4294967297", b"WHATSAT known 1 18446744073709551617", b"WHATSAT known 18446744073709551617 1",
    b"WHATSAT known 1 0x1", b"WHATSAT KNOWN 1 1",
    # what only neighbours may say
    b"AT Riley +0.563873386 a +34.068930-118.445127 1614209128.918963997",
    b"AT Nobody +0.563873386 a +34.068930-118.445127 1614209128.918963997",
    b"HELLO 2", b"HELLO 2 A B", b"HELLO 2 A B xyz", b"HELLO x A B 0", b"HELLO 2 A! B 0",
    # white space that stays as it is
    b" x", b"x ", b"\t x \t\x0b\x0c\r", b"x\r", b"IAMAT a  \t +1-1\x0b\x0c", b"  WHATSAT   nobody \r 1  1 \r",
]

VALID = [  # id, place, time
    (b"a", b"+0-0", b"0"), (b"a", b"-0+0", b"0.0"), (b"a", b"+90-180", b"5"), (b"a", b"-90+180", b"6"),
    (b"a", b"+90.0-180.0", b"7"), (b"a", b"+00034.5-000118.25", b"8"), (b"kiwi.cs.ucla.edu",
    b"+34.068930-118.445127", b"1614209128.918963997"), (b"a", b"+1-1", b"0001.5"), (b"a", b"+1-1",
    b"1614209128." + b"123456789" * 20), (b"a", b"+1." + b"0" * 300 + b"-1." + b"9" * 300, b"10"),
    (b"IAMAT", b"+1-1", b"5"), (b"?", b"+1-1", b"5"), (b"\xff\xfe\x80", b"+1-1", b"5"),
    ("имя".encode(), b"+1-1", b"5"), (b"a\x00b", b"+1-1", b"5"), (b"\x01\x1b[31m\x7f", b"+1-1", b"5"),
    (b"%s%n%d", b"+1-1", b"5"), (b'"quoted\\', b"+1-1", b"5"), (b"\x00", b"+1-1", b"5"), (b"i" * 5000, b"+1-1", b"5"),
    (b"\xc2\x85", b"+1-1", b"5"), (b"\x1c\x1d\x1e\x1f", b"+1-1", b"5"), (b"a", b"+1-1", b"1795000000.000000001"),
]


def expect_at(test, line, server, client_id, place, stamp):
    """The line is the answer to this report."""
    head, tail = b"AT " + server + b" ", b" " + client_id + b" " + place + b" " + stamp + b"\n"
    test.assertTrue(line.startswith(head) and line.endswith(tail), line)
    diff = line[len(head):len(line) - len(tail)]
    test.assertRegex(diff, rb"\A[+-]\d+\.\d{9}\Z")
    return diff


class Lines(HerdTest):
    """What is answered to a line."""

    def setUp(self):
        super().setUp()
        self.server = self.one()
        self.client = self.server.client()

    def test_malformed_lines_come_back_exactly(self):
        self.client.ask(b"IAMAT known +1-1 5\n")
        for line in MALFORMED:
            if line.startswith(b"HELLO") and not line.startswith(b"HELLO "):
                continue
            with self.subTest(line=line[:80]):
                self.assertEqual(self.client.ask(line + b"\n"), b"? " + line + b"\n")
        for line in MALFORMED:
            if line.startswith(b"\xef\xbb\xbf"):
                continue  # as first bytes a byte order mark counts for nothing
            with self.subTest(first=line[:80]), self.server.client() as fresh:
                self.assertEqual(fresh.ask(line + b"\n"), b"? " + line + b"\n")
        self.client.send(b"".join(line + b"\n" for line in MALFORMED))
        self.assertEqual(b"".join(self.client.lines(len(MALFORMED))),
                         b"".join(b"? " + line + b"\n" for line in MALFORMED))
        self.assertRegex(self.client.ask(b"IAMAT known +1-1 6\n"), AT)  # nothing was disturbed
        self.assertIsNone(self.server.at(b"a"))  # nothing of it was stored

    def test_web_pages_report_for_nobody(self):
        """What a browser sends, in one piece or byte by byte: its first line comes back, the rest is not read."""
        for first in (b"POST / HTTP/1.1\r\n", b"\r\n\r\nPOST / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n",
                      b"post http://127.0.0.1:12000/ http/1.0\n", b"OPTIONS *  HTTP/1.1 \r\n"):
            request = first + b"Host: x\r\nContent-Length: 99\r\n\r\nIAMAT evil +1-1 5\nWHATSAT known 1 1\n"
            for piece in (len(request), 1, 7):
                with self.subTest(first=first, piece=piece), self.server.client() as page:
                    try:
                        for at in range(0, len(request), piece):
                            page.send(request[at:at + piece])
                    except ConnectionError:
                        pass  # it is closed by now
                    self.assertEqual(page.line(), b"? " + first.lstrip(b"\r\n"))
                    self.assertEqual(page.closed_by_server(), b"")
        self.assertIsNone(self.server.at(b"evil"))
        self.assertRegex(self.server.wait_event("http_request")["client"], r"\A127\.0\.0\.1:\d+\Z")
        with self.server.client() as client:  # who is called so is a client like any other
            for name in (b"POST", b"HTTP/1.1"):
                self.assertRegex(client.ask(b"IAMAT %s +1-1 5\n" % name), AT)
                self.assertRegex(client.whatsat(name)[0], AT)
            self.assertEqual(client.ask(b"POST / HTTP/1.1\n"), b"? POST / HTTP/1.1\n")
            self.assertRegex(client.ask(b"IAMAT POST +1-1 6\n"), AT)

    def test_tls_hello(self):
        took = []
        for _ in range(5):
            with self.server.client() as client:
                client.send(b"\x16")
                client.send(b"\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
                began = time.monotonic()
                self.assertEqual(client.closed_by_server(), b"")
                took.append(time.monotonic() - began)
        self.assertLess(min(took), 1.5)
        self.server.wait_event("closing", why="tls_not_enabled")
        wait_for(lambda: len(self.server.events("tls_not_enabled")) == 3, "the first, the second, the fourth is told")

    def test_byte_order_mark(self):
        with self.server.client() as client:
            client.send(b"\xef\xbb")
            self.assertRegex(client.ask(b"\xbfIAMAT marked +1-1 5\n"), AT)
            self.assertEqual(client.ask(b"\xef\xbb\xbfx\n"), b"? \xef\xbb\xbfx\n")
        self.assertIsNotNone(self.server.at(b"marked"))

    def test_reports_are_copied(self):
        for client_id, place, stamp in VALID:
            with self.subTest(id=client_id[:20], place=place[:20], stamp=stamp[:20]):
                line = self.client.ask(b"IAMAT %s %s %s\n" % (client_id, place, stamp))
                expect_at(self, line, b"Riley", client_id, place, stamp)

    def test_difference_of_clocks(self):
        for shift in (0, 100, -100, 0.5):
            sent = time.time()
            stamp = b"%.9f" % (sent - shift)
            diff = expect_at(self, self.client.ask(b"IAMAT d%d +1-1 %s\n" % (shift * 10, stamp)), b"Riley",
                             b"d%d" % (shift * 10), b"+1-1", stamp)
            self.assertGreaterEqual(float(diff) + 1e-3, shift)
            self.assertLessEqual(float(diff) - 1e-3, shift + time.time() - sent)
            self.assertEqual(diff[:1], b"-" if shift < 0 else b"+")

    def test_white_space_between_fields(self):
        for space in (b" ", b"\t", b"\r", b"\f", b"\v", b" \t\r\f\v ", b" " * 3000):
            with self.subTest(space=space[:10]):
                line = self.client.ask(space.join([b"", b"IAMAT", b"w", b"+1-1", b"5", b"\n"]))
                expect_at(self, line, b"Riley", b"w", b"+1-1", b"5")
                self.client.send(space.join([b"", b"WHATSAT", b"w", b"1", b"0", b"\n"]))
                self.assertRegex(self.client.answer()[0], AT)

    def test_blank_lines_are_not_answered(self):
        self.client.send(b"\n \n\t\r\n\f\v\n\n\nx\n" + b"\n" * 100000 + b"y\n")
        self.assertEqual(self.client.line(), b"? x\n")
        self.assertEqual(self.client.line(), b"? y\n")

    def test_ids_are_bytes(self):
        """Ids that differ in one byte, case, or Unicode form are different clients."""
        ids = [b"a", b"A", b"a\x00", b"a\x00a", b"\xe9", b"\xc3\xa9", b"e\xcc\x81", b"\x80", b"\xff", b"aa"]
        lines = [self.client.ask(b"IAMAT %s +%d-1 5\n" % (client_id, n)) for n, client_id in enumerate(ids)]
        self.assertEqual([self.client.whatsat(client_id, b"1", b"0")[0] for client_id in ids], lines)
        self.assertEqual(self.client.ask(b"WHATSAT a\x00\x00 1 0\n"), b"? WHATSAT a\x00\x00 1 0\n")

    def test_radius_and_bound_at_their_edges(self):
        self.client.ask(REPORT % b"a")
        for radius, bound in ((b"0", b"0"), (b"50", b"20"), (b"50.000", b"020"), (b"0.001", b"1"), (b"0050", b"00000"),
                              (b"49.99999999999999999999999999", b"20")):
            with self.subTest(radius=radius, bound=bound):
                self.assertRegex(self.client.whatsat(b"a", radius, bound)[0], AT)

    def test_an_answer_is_at_line_json_and_two_lf(self):
        at = self.client.ask(REPORT % b"a")
        self.client.send(b"WHATSAT a 10 5\nend\n")
        whole = self.client.until(b"? end\n")
        self.assertTrue(whole.startswith(at + b"{"), whole[:200])
        self.assertTrue(whole.endswith(b"}\n\n? end\n"), whole[-50:])
        self.assertNotIn(b"\n\n", whole[:-len(b"\n\n? end\n")])

    def test_answer_comes_in_one_write(self):
        """There are clients that read once."""
        self.client.ask(REPORT % b"a")
        self.client.send(b"WHATSAT a 10 5\n")
        first = self.client.socket.recv(1 << 20)
        self.assertTrue(first.startswith(b"AT Riley ") and first.endswith(b"\n\n"), first)

    def test_a_stale_report_is_answered_and_not_stored(self):
        new = self.client.ask(b"IAMAT s +1-1 100.5\n")
        for place, stamp in ((b"+2-2", b"100.4999999999"), (b"+2-2", b"0"), (b"+3-3", b"99")):
            expect_at(self, self.client.ask(b"IAMAT s %s %s\n" % (place, stamp)), b"Riley", b"s", place, stamp)
            self.assertEqual(self.server.at(b"s"), new)

    def test_a_report_newer_by_less_than_a_nanosecond_wins(self):
        self.client.ask(b"IAMAT s +1-1 100.0000000000001\n")
        new = self.client.ask(b"IAMAT s +2-2 100.0000000000002\n")
        self.assertEqual(self.server.at(b"s"), new)
        self.client.ask(b"IAMAT s +3-3 100.00000000000015\n")
        self.assertEqual(self.server.at(b"s"), new)

    def test_the_same_report_twice_is_answered_twice(self):
        first = self.client.ask(REPORT % b"t")
        second = self.client.ask(REPORT % b"t")
        self.assertRegex(second, AT)
        self.assertEqual(self.server.at(b"t"), first)

    def test_a_strangers_at_and_hello_change_nothing(self):
        at = b"AT Riley +0.1 evil +1-1 5\n"
        self.assertEqual(self.client.ask(at), b"? " + at)
        self.assertIsNone(self.server.at(b"evil"))
        hello = b"HELLO 2 Jaquez Riley 0123456789abcdef\n"
        self.assertEqual(self.client.ask(hello), b"? " + hello)  # not the first line
        with self.server.client() as stranger:
            stranger.send(hello + at)
            self.assertTrue(stranger.closed_by_server().startswith(b"REFUSE "))
        self.assertIsNone(self.server.at(b"evil"))

    def test_hostile_bytes_are_escaped_in_the_log(self):
        line = bytes(byte for byte in range(256) if byte != 10)
        self.assertEqual(self.client.ask(line + b"\n"), b"? " + line + b"\n")
        self.server.wait_event("sent")
        for event in self.server.events():  # reading them checks their form
            self.assertTrue(event.text.isascii() and event.text.isprintable())


class Streams(HerdTest):
    """Bytes in any pieces, replies in order."""

    def setUp(self):
        super().setUp()
        self.server = self.one(log={"level": "info", "traffic": False})
        self.client = self.server.client()

    def test_pipelining(self):
        """Thousands of commands in one go: one reply each, in order."""
        count = 20000
        self.client.send(b"".join(b"IAMAT p%d +1-1 5\n" % n if n % 7 else b"bad %d\n" % n for n in range(count)))
        for n, line in enumerate(self.client.lines(count)):
            if n % 7:
                expect_at(self, line, b"Riley", b"p%d" % n, b"+1-1", b"5")
            else:
                self.assertEqual(line, b"? bad %d\n" % n)

    def test_pipelining_with_look_ups_between(self):
        """Replies behind a look-up wait for it and come in the order of the commands."""
        rounds = 400
        self.client.send(b"".join(b"IAMAT q +1-1 %d\nWHATSAT q 10 2\nbad %d\nIAMAT r +2-2 %d\n\nWHATSAT no 1 1\n" %
                                  (n, n, n) for n in range(1, rounds + 1)))
        for n in range(1, rounds + 1):
            at = self.client.line()
            expect_at(self, at, b"Riley", b"q", b"+1-1", b"%d" % n)
            self.assertEqual(self.client.answer()[0], at)
            self.assertEqual(self.client.line(), b"? bad %d\n" % n)
            expect_at(self, self.client.line(), b"Riley", b"r", b"+2-2", b"%d" % n)
            self.assertEqual(self.client.line(), b"? WHATSAT no 1 1\n")

    def test_a_connection_goes_on_after_replies_waited_behind_a_look_up(self):
        self.client.send(b"IAMAT a +1-1 5\nWHATSAT a 10 1\nIAMAT b +1-1 5\n")
        self.client.line(), self.client.answer(), self.client.line()
        for n in range(20):
            self.assertEqual(self.client.ask(b"more %d\n" % n), b"? more %d\n" % n)

    def test_byte_by_byte(self):
        text = b"IAMAT drip +34.0689-118.4451 5\n  \nWHATSAT drip 10 1\nbad\xff\n"
        for at in range(len(text)):
            self.client.send(text[at:at + 1])
        at = self.client.line()
        expect_at(self, at, b"Riley", b"drip", b"+34.0689-118.4451", b"5")
        self.assertEqual(self.client.answer()[0], at)
        self.assertEqual(self.client.line(), b"? bad\xff\n")

    def test_a_long_line_in_pieces_of_every_size(self):
        line = b"x" * 60000
        for size in (1000, 4095, 4096, 4097, 33333):
            with self.subTest(size=size):
                for at in range(0, len(line), size):
                    self.client.send(line[at:at + size])
                self.client.send(b"\nend\n")
                self.assertEqual(self.client.line(), b"? " + line + b"\n")
                self.assertEqual(self.client.line(), b"? end\n")

    def test_half_close_with_and_without_final_lf(self):
        for last in (b"IAMAT h +1-1 5\n", b"IAMAT h +1-1 5"):
            with self.subTest(last=last), self.server.client() as client:
                client.send(b"first\n" + last)
                client.half_close()
                self.assertEqual(client.line(), b"? first\n")
                expect_at(self, client.line(), b"Riley", b"h", b"+1-1", b"5")
                self.assertEqual(client.rest(), b"")
        for last, reply in ((b"bad ", b"? bad \n"), (b"", b""), (b"  ", b""), (b"\n\n", b""), (b"\r", b"")):
            with self.subTest(last=last), self.server.client() as client:
                client.send(last)
                client.half_close()
                self.assertEqual(client.rest(), reply)

    def test_half_close_with_a_look_up_owed(self):
        at = self.client.ask(REPORT % b"a")
        for last in (b"WHATSAT a 10 3\n", b"WHATSAT a 10 3"):
            with self.subTest(last=last), self.server.client() as client:
                client.send(last)
                client.half_close()
                self.assertEqual(client.answer()[0], at)
                self.assertEqual(client.rest(), b"")

    def test_half_close_behind_thousands_of_commands(self):
        """All are answered, look-ups too, however much that is and though all input has long arrived."""
        at = self.client.ask(REPORT % b"a")
        count = 1500
        with self.server.client(receive_buffer=4096) as client:
            client.send(b"WHATSAT a 50 20\nx\n" * count)
            client.half_close()
            for n in range(count):
                self.assertEqual(client.answer()[0], at)
                self.assertEqual(client.line(), b"? x\n")
            self.assertEqual(client.rest(), b"")

    def test_commands_after_a_full_close_are_carried_out(self):
        with self.server.client() as client:
            client.send(b"IAMAT gone +1-1 5\n")
        wait_for(lambda: self.server.at(b"gone"), "the report of a client that left")

    def test_a_reset_disturbs_nobody(self):
        for _ in range(50):
            client = self.server.client()
            client.send(b"IAMAT r +1-1 5\nWHATSAT r 10 5\nbad\n" * 20)
            client.reset()
        self.assertEqual(self.client.ask(b"x\n"), b"? x\n")


class Bounds(HerdTest):
    """Where patience ends, and that others do not notice."""

    def test_lines_up_to_the_limit(self):
        server = self.one(limits={"line_max_bytes": 1000})
        client = server.client()
        self.assertEqual(client.ask(b"y" * 1000 + b"\n"), b"? " + b"y" * 1000 + b"\n")
        for extra in (b"y\n", b"y", b"y" * 100, b"y" * 1000000):
            with self.subTest(extra=len(extra)), server.client() as long:
                with self.subTest("other side may be gone already"):
                    try:
                        long.send(b"before\n" + b"y" * 1000 + extra)
                    except ConnectionError:
                        pass
                self.assertEqual(long.line(), b"? before\n")
                reply = long.line()
                self.assertRegex(reply, rb"\A\? y+\n\Z")
                self.assertLess(len(reply), 1000)
                self.assertEqual(long.closed_by_server(), b"")
        self.assertEqual(client.ask(b"still here\n"), b"? still here\n")

    def test_a_line_without_end_by_default_limit(self):
        server = self.one()
        with server.client() as client:
            client.send(b"z" * 65536)
            client.send(b"\n")
            self.assertEqual(client.line(), b"? " + b"z" * 65536 + b"\n")
            client.send(b"z" * 65537)
            self.assertRegex(client.closed_by_server(), rb"\A\? z{1,1000}\n\Z")

    def test_a_client_that_never_reads(self):
        """It is closed at a limit; others are answered all the while, and memory stays bounded."""
        server = self.one(limits={"write_stall_ms": 1000}, log={"level": "debug", "traffic": False})
        other = server.client()
        deaf = server.client(receive_buffer=4096)
        deaf.socket.setblocking(False)
        end = time.monotonic() + 20
        while not server.saw("closed", why="write_stall") and not server.saw("closed", why="output_max_bytes"):
            self.assertLess(time.monotonic(), end, "the client that never reads is still there")
            try:
                deaf.socket.send(b"IAMAT deaf +1-1 5\nWHATSAT deaf 50 20\n" * 1000)
            except BlockingIOError:
                pass
            except ConnectionError:
                break
            self.assertEqual(other.ask(b"x\n"), b"? x\n")
        self.assertEqual(other.ask(b"x\n"), b"? x\n")
        with open(f"/proc/{server.pid}/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])
        self.assertLess(peak, 400000)

    def test_close_after_reply(self):
        server = self.one(limits={"close_after_reply": 1})
        with server.client() as client:
            client.send(b"\n\nIAMAT a +1-1 5\nIAMAT b +1-1 5\n")
            expect_at(self, client.line(), b"Riley", b"a", b"+1-1", b"5")
            self.assertEqual(client.closed_by_server(), b"")
        self.assertIsNone(self._at(server, b"b"))
        with server.client() as client:
            client.send(b"WHATSAT a 10 2\nx\n")
            self.assertRegex(client.answer()[0], AT)
            self.assertEqual(client.closed_by_server(), b"")

    @staticmethod
    def _at(server, client_id):
        line = server.ask(b"WHATSAT %s 1 0\n" % client_id)
        return line if line.startswith(b"AT") else None

    def test_idle_close(self):
        server = self.one(limits={"client_idle_ms": 400})
        idle, busy = server.client(), server.client()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            self.assertEqual(busy.ask(b"x\n"), b"? x\n")
            time.sleep(0.02)  # a client that is slow, not a way to wait for the server
        self.assertEqual(idle.closed_by_server(), b"")
        server.wait_event("closing", why="idle")
        self.assertEqual(busy.ask(b"x\n"), b"? x\n")

    def test_no_idle_close_by_default(self):
        server = self.one(limits={"client_idle_ms": 0, "line_deadline_ms": 0})
        quiet, half = server.client(), server.client()
        half.send(b"IAMAT a ")
        with server.client() as client:
            end = time.monotonic() + 1
            while time.monotonic() < end:
                client.ask(b"x\n")
        half.send(b"+1-1 5\n")
        expect_at(self, half.line(), b"Riley", b"a", b"+1-1", b"5")
        self.assertEqual(quiet.ask(b"x\n"), b"? x\n")

    def test_line_deadline(self):
        """A line has so long to become whole, however it drips; whole lines may come as late as they like."""
        server = self.one(limits={"line_deadline_ms": 500})
        slow, fast = server.client(), server.client()
        fast.ask(b"x\n")
        began = time.monotonic()
        with self.assertRaises((ConnectionError, Timeout, Closed)):
            while time.monotonic() < began + 20:
                slow.send(b"x")
                slow.socket.settimeout(0.05)
                try:
                    slow._more("the end")
                except Timeout:
                    pass
            self.fail("a dripping client is still there")
        server.wait_event("closing", why="line_deadline")
        self.assertEqual([e.level for e in server.events("line_deadline")], ["warn"])  # closed not without a word
        self.assertEqual(fast.ask(b"y\n"), b"? y\n")

    def test_a_slow_reader_is_not_blamed_for_its_unread_line(self):
        """While the server does not read a client, because that client is slow to take its replies, no
        line deadline runs."""
        server = self.one(limits={"line_deadline_ms": 500, "output_pause_bytes": 4096, "write_stall_ms": 20000},
                          log={"level": "debug", "traffic": False})
        client = server.client(receive_buffer=4096)
        count = 30000
        line = b"bad %06d " + b"x" * 200 + b"\n"
        data = b"".join(line % n for n in range(count))
        sent = 0
        client.socket.setblocking(False)
        got, begun = b"", time.monotonic()
        pause_until = None
        while got.count(b"\n") < count:
            self.assertLess(time.monotonic(), begun + 60)
            progress = False
            try:
                if sent < len(data):
                    sent += client.socket.send(data[sent:sent + 65536])
                    progress = True
            except BlockingIOError:
                pass
            if not progress and pause_until is None:
                pause_until = time.monotonic() + 1.5  # longer than the line deadline
            if pause_until and time.monotonic() > pause_until or sent == len(data):
                try:
                    more = client.socket.recv(1 << 16)
                    if not more:
                        self.fail(f"closed after {got.count(10)} replies: {server.events('closing')}")
                    got += more
                except BlockingIOError:
                    pass
        self.assertIsNotNone(pause_until, "the server took everything at once")
        self.assertEqual(got, b"".join(b"? " + line % n for n in range(count)))

    def test_reports_from_the_future(self):
        for refuse in (0, 1):
            with self.subTest(refuse=refuse):
                server = self.one(limits={"future_ms": 10000, "future_refuse": refuse})
                line = b"IAMAT f +1-1 %d\n" % (time.time() + 3600)
                reply = server.ask(line)
                if refuse:
                    self.assertEqual(reply, b"? " + line)
                    server.wait_event("report_from_future_refused", detail="f")
                    self.assertIsNone(server.at(b"f"))
                else:
                    self.assertRegex(reply, AT)
                    server.wait_event("report_from_future", detail="f")
                self.assertRegex(server.ask(b"IAMAT f2 +1-1 %d\n" % (time.time() + 5)), AT)

    def test_new_clients_are_refused_at_the_record_limit(self):
        server = self.one(limits={"records_max": 3})
        client = server.client()
        for n in range(3):
            self.assertRegex(client.ask(b"IAMAT n%d +1-1 5\n" % n), AT)
        self.assertEqual(client.ask(b"IAMAT n3 +1-1 5\n"), b"? IAMAT n3 +1-1 5\n")
        self.assertRegex(client.ask(b"IAMAT n0 +2-2 6\n"), AT)  # known ones go on
        self.assertIsNone(server.at(b"n3"))
        server.wait_event("records_max")


if __name__ == "__main__":
    main()
