#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that a server speaks the herd protocol as far as all of the compared servers do.

    check.py PORT [--far PORT] [--plain-at]

Can be pointed at any server on 127.0.0.1. --far names another server of the same herd, on which what the
first one is told must become visible. --plain-at: bare AT lines are taken from anyone, as the class
protocol has it. Ends with `N passed, N failed`; status 1 if any failed.
"""
import argparse
import os
import re
import socket
import sys
import time

DEADLINE_S = 10
TAG = "%d.%d" % (os.getpid(), time.time_ns() % 1_000_000)  # so that it can be pointed at the same server twice
PLACE = b"+34.068930-118.445127"


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def send(self, *pieces):
        for piece in pieces:
            self.socket.sendall(piece)

    def until(self, end):
        while end not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                raise AssertionError(f"connection closed with {self.buffer!r} where {end!r} was awaited")
            self.buffer += got
        at = self.buffer.index(end) + len(end)
        taken, self.buffer = self.buffer[:at], self.buffer[at:]
        return taken

    def line(self):
        return self.until(b"\n")

    def end(self):
        """Everything up to the end of the connection."""
        while got := self.socket.recv(65536):
            self.buffer += got
        return self.buffer

    def ask(self, *pieces):
        self.send(*pieces)
        return self.line()


def name(what):
    return f"{what}.{TAG}.example".encode()


def is_at(line, client, when, place=PLACE):
    match = re.fullmatch(rb"AT [A-Za-z0-9._-]+ ([+-]\d+\.\d{9}) (\S+) (\S+) (\S+)\n", line)
    assert match, f"not an AT line: {line!r}"
    assert (match[2], match[3], match[4]) == (client, place, when), f"not what was sent: {line!r}"
    return float(match[1])


def whatsat(connection, client, radius=b"10", bound=b"5"):
    connection.send(b"WHATSAT %b %b %b\n" % (client, radius, bound))
    at = connection.line()
    if at.startswith(b"?"):
        return at, None
    return at, connection.until(b"\n\n")


def report_is_echoed(port, _):
    with Client(port) as c:
        client, now = name("echo"), time.time()
        when = b"%.9f" % now
        diff = is_at(c.ask(b"IAMAT %b %b %b\n" % (client, PLACE, when)), client, when)
        assert -1 < diff < 5, f"diff {diff} for a report made now"
        is_at(c.ask(b"IAMAT %b %b 1621464827.95\n" % (name("old"), PLACE)), name("old"), b"1621464827.95")


def white_space_is_free(port, _):
    with Client(port) as c:
        client = name("space")
        line = b" \t IAMAT  %b \t%b\v\f 1621464827.959498503 \r\n" % (client, PLACE)
        is_at(c.ask(line), client, b"1621464827.959498503")


def blank_lines_are_ignored(port, _):
    with Client(port) as c:
        assert c.ask(b"\n \t\r\n\nNONSENSE\n") == b"? NONSENSE\n"


def invalid_lines_are_sent_back(port, _):
    with Client(port) as c:
        c.ask(b"IAMAT %b %b 1621464827.5\n" % (name("invalid"), PLACE))
        known = name("invalid")
        for line in (
            b"HELLO?", b"iamat a +1+1 1", b"IAMAT a +1+1", b"IAMAT a +1+1 1 1", b"IAMAT a 1+1 1",
            b"IAMAT a +1 1", b"IAMAT a +91+1 1", b"IAMAT a +1+181 1", b"IAMAT a +1+1 -1", b"IAMAT a +1+1 1e3",
            b"IAMAT a +1+1 nan", b"WHATSAT nobody.%b 10 5" % TAG.encode(), b"WHATSAT %b 51 5" % known,
            b"WHATSAT %b 10 21" % known, b"WHATSAT %b -1 5" % known, b"WHATSAT %b 10 -5" % known,
            b"WHATSAT %b 10" % known, b"WHATSAT %b 10 5 5" % known, b" two  blanks \t kept ",
        ):
            got = c.ask(line + b"\n")
            assert got == b"? " + line + b"\n", f"{line!r} was answered with {got!r}"


def whatsat_tells_the_report(port, _):
    with Client(port) as c:
        client = name("whatsat")
        at = c.ask(b"IAMAT %b %b 1621464827.959498503\n" % (client, PLACE))
        told, places = whatsat(c, client)
        assert told == at, f"{told!r} is not {at!r}"
        assert places.startswith(b"{") and b'"results"' in places, f"no results in {places!r}"
        told, places = whatsat(c, client, b"0", b"0")
        assert told == at and b'"results"' in places


def the_newest_report_wins(port, _):
    with Client(port) as c:
        client, there = name("newest"), b"+27.5916+086.5640"
        new = c.ask(b"IAMAT %b %b 1621464828.000000001\n" % (client, PLACE))
        is_at(c.ask(b"IAMAT %b %b 1621464828\n" % (client, there)), client, b"1621464828", there)
        assert whatsat(c, client)[0] == new, "an older report replaced a newer one"
        newer = c.ask(b"IAMAT %b %b 1621464828.0000000011\n" % (client, there))
        assert whatsat(c, client)[0] == newer, "a newer report did not replace an older one"


def pipelined_replies_keep_order(port, _):
    with Client(port) as c:
        clients = [name(f"pipe{i}") for i in range(500)]
        c.send(b"".join(b"IAMAT %b %b 1621464827.%09d\n?%b\n" % (id, PLACE, i, id) for i, id in enumerate(clients)))
        for i, client in enumerate(clients):
            is_at(c.line(), client, b"1621464827.%09d" % i)
            assert c.line() == b"? ?%b\n" % client


def lines_may_come_in_pieces(port, _):
    with Client(port) as c:
        client = name("pieces")
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"IAMAT %b %b 1621464827.25" % (client, PLACE):
            c.send(bytes([byte]))
        is_at(c.ask(b"\n"), client, b"1621464827.25")


def the_end_ends_a_line(port, _):
    with Client(port) as c:
        client = name("end")
        c.send(b"IAMAT %b %b 1621464827.125" % (client, PLACE))
        c.socket.shutdown(socket.SHUT_WR)
        is_at(c.end().rstrip(b"\n") + b"\n", client, b"1621464827.125")


def any_byte_may_be_in_a_name(port, _):
    with Client(port) as c:
        client = bytes(range(0x80, 0x85)) + bytes(range(0xA1, 0x100)) + TAG.encode()
        is_at(c.ask(b"IAMAT %b %b 1621464827.5\n" % (client, PLACE)), client, b"1621464827.5")


def updates_reach_the_far_server(port, far):
    with Client(port) as c, Client(far) as d:
        for round in range(2):
            client = name("far")
            at = c.ask(b"IAMAT %b %b 162146482%d.5\n" % (client, PLACE, round))
            give_up = time.monotonic() + DEADLINE_S
            while whatsat(d, client)[0] != at:
                assert time.monotonic() < give_up, "it did not arrive"
                time.sleep(0.01)


def plain_at_lines_are_taken(port, _):
    with Client(port) as c:
        client = name("plain")
        at = b"AT Elsewhere +0.263873386 %b %b 1621464827.5\n" % (client, PLACE)
        c.send(at)
        assert whatsat(c, client)[0] == at


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("port", type=int)
    options.add_argument("--far", type=int)
    options.add_argument("--plain-at", action="store_true")
    options = options.parse_args()
    checks = [
        report_is_echoed, white_space_is_free, blank_lines_are_ignored, invalid_lines_are_sent_back,
        whatsat_tells_the_report, the_newest_report_wins, pipelined_replies_keep_order, lines_may_come_in_pieces,
        the_end_ends_a_line, any_byte_may_be_in_a_name,
    ]
    if options.far:
        checks.append(updates_reach_the_far_server)
    if options.plain_at:
        checks.append(plain_at_lines_are_taken)
    failed = 0
    for check in checks:
        try:
            check(options.port, options.far)
            print("ok  ", check.__name__)
        except (AssertionError, OSError) as problem:
            failed += 1
            print("FAIL", check.__name__, "-", problem)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
