# SPDX-License-Identifier: MIT
"""Server-sent events: what viewers of one server see of a whole herd, and what those do not that stall or were away."""
import json
import os
import signal
import time

from herd import Client, Closed, free_port, main, wait_for
from test_http import HOST, Answer, HttpTest

DEADLINE = 20


class Stream:
    """A viewer: what it knows by its events."""

    def __init__(self, server, query="", last_id=None, head=b""):
        self.client = Client(server.http_port)
        self.client.send(b"GET /v1/events" + query.encode() + b" HTTP/1.1\r\n" + HOST + head +
                         (b"Last-Event-ID: %s\r\n" % last_id.encode() if last_id else b"") + b"\r\n")
        head = self.client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head  # no event is in front of it
        self.clients, self.last_id, self.whole, self.seen, self.snapshots = {}, None, False, [], 0
        self.times = {}  # of each id, the last that was told

    def close(self):
        self.client.close()

    def event(self):
        kind, data = "message", ""
        while (line := self.client.line().decode().rstrip("\n")) != "":
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                kind = value
            elif name == "data":
                data += value
            elif name == "id":
                self.last_id = value
        self.take(kind, json.loads(data) if data else {})
        return kind

    def take(self, kind, data):
        self.seen.append(kind)
        if kind == "snapshot":
            if data["first"]:
                self.clients = {}
                self.whole = False
                self.snapshots += 1
            self.whole = self.whole or data["last"]
        for feature in data.get("features", ()):
            self.clients[feature["properties"]["href"]] = feature["geometry"]["coordinates"]
            self.times[feature["id"]] = feature["properties"]["time"]
        for href in data.get("hrefs", ()):
            self.clients.pop(href, None)

    def until(self, condition):
        until = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < until, (self.seen[-10:], list(self.clients.items())[:10])
            self.event()

    def until_end(self):
        """Until the server closes it."""
        try:
            self.until(lambda: False)
        except Closed:
            pass

    def ids(self):
        return {href.removeprefix("/v1/clients/") for href in self.clients}


class Events(HttpTest):
    def stream(self, server, *words, **options):
        stream = Stream(server, *words, **options)
        self.addCleanup(stream.close)
        return stream

    def three(self, **limits):
        herd = self.herd(["A", "B", "C"], [["A", "B"], ["B", "C"]], limits={"tombstones_max": 100, **limits})
        for name in ("A", "B", "C"):
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        for server in herd:
            server.start()
        return herd

    def test_a_report_anywhere_reaches_every_viewer(self):
        herd = self.three()
        viewers = [self.stream(server) for server in herd]
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: viewer.whole)
        with Client(herd["A"].port) as client:
            client.ask(b"IAMAT kiwi +34.068930-118.445127 1621464827.959498503\n")
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: "kiwi" in viewer.ids())
            self.assertEqual(viewer.clients["/v1/clients/kiwi"], [-118.445127, 34.06893])
        self.ask(herd["C"], b"POST /?id=pear&lat=1&lon=2&timestamp=1700000000 HTTP/1.1\r\n" + HOST +
                 b"Content-Length: 0\r\n\r\n")
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: "pear" in viewer.ids())
        self.ask(herd["B"], b"DELETE /v1/clients/pear HTTP/1.1\r\n" + HOST + b"\r\n")
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: "pear" not in viewer.ids())
            self.assertIn("kiwi", viewer.ids())

    def test_a_snapshot_of_many(self):
        server = self.server()
        with Client(server.port) as client:
            client.send(b"".join(b"IAMAT c%d +1+1 5\n" % n for n in range(3000)))
            for _ in range(3000):
                client.line()
        viewer = self.stream(server)
        viewer.until(lambda: viewer.whole)
        self.assertEqual(len(viewer.ids()), 3000)
        self.assertGreater(viewer.seen.count("snapshot"), 5)

    def test_boxes_and_ids(self):
        server = self.server(limits={"tombstones_max": 10})
        box, line, one = (self.stream(server, query) for query in
                          ("?bbox=0,0,10,10", "?bbox=170,-10,-170,10", "?id=b&id=c"))
        with Client(server.port) as client:
            client.ask(b"IAMAT a +5+5 1\n")
            client.ask(b"IAMAT b +5+175 1\n")
            client.ask(b"IAMAT c +50+50 1\n")
            box.until(lambda: box.ids() == {"a"})
            line.until(lambda: line.ids() == {"b"})
            one.until(lambda: one.ids() == {"b", "c"})
            client.ask(b"IAMAT a +5+11 2\n")
            client.ask(b"IAMAT b +5-175 2\n")
            client.ask(b"IAMAT c +10+10 2\n")
            box.until(lambda: box.ids() == {"c"})
            line.until(lambda: line.clients == {"/v1/clients/b": [-175, 5]})
            self.ask(server, b"DELETE /v1/clients/c HTTP/1.1\r\n" + HOST + b"\r\n")
            box.until(lambda: box.ids() == set())
            one.until(lambda: one.ids() == {"b"})
        for query in (b"bbox=1,2", b"id=", b"what=1", b"bbox=%zz", b"id=a%0Ab", b"bbox=0,0,1,1&bbox=0,0,1,1"):
            self.assertEqual(self.ask(server, b"GET /v1/events?" + query + b" HTTP/1.1\r\n" + HOST + b"\r\n").status, 400)

    def test_going_on_where_it_was_cut(self):
        server = self.server()
        stays = self.stream(server)  # the ring goes on as long as somebody looks
        with Client(server.port) as client:
            client.ask(b"IAMAT a +1+1 1\n")
            viewer = self.stream(server)
            viewer.until(lambda: viewer.whole and viewer.last_id and "a" in viewer.ids())
            viewer.close()
            client.ask(b"IAMAT b +1+1 1\n")
            stays.until(lambda: "b" in stays.ids())
            again = self.stream(server, last_id=viewer.last_id)
            again.until(lambda: "b" in again.ids())
            self.assertNotIn("snapshot", again.seen)
            self.assertRegex(viewer.last_id, r"\A[0-9a-f]{32}\Z")  # enciphered: no number of changes
            self.assertFalse(set(viewer.last_id[:16]) == {"0"} or set(viewer.last_id[16:]) == {"0"})
            for wrong in ("x", "1-1", "-", "9" * 40, viewer.last_id + "x" * 100, viewer.last_id[::-1]):
                other = self.stream(server, last_id=wrong)
                other.until(lambda other=other: other.whole)
            for n in range(5000):
                client.send(b"IAMAT c%d +1+1 1\n" % n)
            for _ in range(5000):
                client.line()
            stays.until(lambda: len(stays.ids()) == 5002)
            late = self.stream(server, last_id=viewer.last_id)
            late.until(lambda: late.whole)
            self.assertEqual(len(late.ids()), 5002)
        server.stop()
        server.start()
        other = self.stream(server, last_id=viewer.last_id)
        other.until(lambda: other.whole)
        self.assertEqual(other.ids(), set())

    def test_who_left_a_box_while_its_viewer_was_away(self):
        server = self.server()
        stays = self.stream(server, "?bbox=0,0,10,10")
        with Client(server.port) as client:
            client.ask(b"IAMAT a +1+1 1\n")
            viewer = self.stream(server, "?bbox=0,0,10,10")
            viewer.until(lambda: viewer.whole and viewer.last_id and "a" in viewer.ids())
            viewer.close()
            client.ask(b"IAMAT a +50+50 2\n")
            stays.until(lambda: "a" not in stays.ids())
        again = self.stream(server, "?bbox=0,0,10,10", last_id=viewer.last_id)
        again.until(lambda: again.whole)
        self.assertEqual((again.snapshots, again.ids()), (1, set()))

    def test_an_id_only_where_a_viewer_is_whole(self):
        server = self.server(limits={"write_stall_ms": 60000})
        with Client(server.port) as client:
            for _ in range(6):
                client.send(b"".join(b"IAMAT %d-%s +1+1 5\n" % (n, b"x" * 5000) for n in range(_ * 1000, _ * 1000 + 1000)))
                for _ in range(1000):
                    client.line()
            quick = self.stream(server, "?id=c")
            viewer = self.stream(server)
            for n in range(3):  # the viewer's snapshot does not fit into the buffers of sockets
                client.ask(b"IAMAT c +2+%d %d\n" % (n, n))
                quick.until(lambda n=n: quick.clients.get("/v1/clients/c") == [n, 2])
            while not viewer.whole:
                viewer.event()
                self.assertEqual(bool(viewer.last_id), viewer.whole, viewer.seen)
        self.assertIn("at", viewer.seen)
        self.assertEqual(viewer.snapshots, 1)

    def test_many_long_ids_at_once(self):
        server = self.server()
        viewer = self.stream(server)
        viewer.until(lambda: viewer.whole)
        ids = {"%d-%s" % (n, "x" * 20000) for n in range(150)}
        with Client(server.port) as client:
            client.send(b"".join(b"IAMAT %s +1+1 1\n" % text.encode() for text in ids))
            viewer.until(lambda: viewer.ids() == ids)
        self.assertNotIn("", viewer.ids())

    def test_a_viewer_that_stalls(self):
        server = self.server(limits={"output_pause_bytes": 65536, "write_stall_ms": 60000})
        stalled, quick = self.stream(server), self.stream(server)
        stalled.until(lambda: stalled.whole)
        with Client(server.port) as client:
            for round_number in range(1, 31):
                client.send(b"".join(b"IAMAT c%d +1+%d %d\n" % (n, round_number, round_number) for n in range(1000)))
                for _ in range(1000):
                    client.line()
                quick.until(lambda: [place[0] for place in quick.clients.values()] == [round_number] * 1000)
            client.ask(b"IAMAT last +1+1 1\n")
        quick.until(lambda: "last" in quick.ids())
        stalled.until(lambda: stalled.whole and "last" in stalled.ids())
        self.assertEqual(len(stalled.ids()), 1001)
        self.assertEqual((quick.snapshots, stalled.snapshots), (1, 2))
        skipped = [line for line in self.get(server, b"/metrics").body.split(b"\n") if line.startswith(b"herd_events_skipped_total ")]
        self.assertGreaterEqual(int(skipped[0].split()[1]), 1)

    def test_a_large_snapshot_for_a_slow_viewer(self):
        """It is sent as fast as it is taken, and what changes meanwhile does not begin it anew."""
        server = self.server(limits={"write_stall_ms": 60000, "clients_max": 100})
        with Client(server.port) as client:
            for first in range(0, 60000, 10000):
                client.send(b"".join(b"IAMAT c%d +1+1 1\n" % n for n in range(first, first + 10000)))
                for _ in range(10000):
                    client.line()
            viewers = [self.stream(server), self.stream(server, "?bbox=0,0,10,10")]
            quick = self.stream(server)
            quick.until(lambda: quick.whole)
            self.assertEqual(len(quick.ids()), 60000)
            for n in range(1, 2000):
                client.ask(b"IAMAT c%d +%d+2 2\n" % (n, 50 if n % 2 else 2))
            client.ask(b"IAMAT last +1+1 1\n")
        quick.until(lambda: "last" in quick.ids())
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: viewer.whole and "last" in viewer.ids())
            self.assertEqual(viewer.snapshots, 1)
        self.assertEqual(viewers[0].clients, quick.clients)
        self.assertEqual(viewers[1].clients,
                         {href: place for href, place in quick.clients.items() if place[1] <= 10})

    def test_who_is_silent_for_too_long_leaves(self):
        server = self.server(limits={"expire_ms": 1500})
        everyone, box, one = (self.stream(server, query) for query in ("", "?bbox=0,0,10,10", "?id=b"))
        with Client(server.port) as client:
            client.ask(b"IAMAT a +1+1 %d\n" % time.time())
            client.ask(b"IAMAT b +50+1 %d\n" % time.time())
            everyone.until(lambda: everyone.ids() == {"a", "b"})
            box.until(lambda: box.ids() == {"a"})
            for viewer in (everyone, box, one):
                viewer.until(lambda viewer=viewer: "leave" in viewer.seen and not viewer.ids())
            client.ask(b"IAMAT a +1+1 %d\n" % time.time())
            everyone.until(lambda: everyone.ids() == {"a"})
            everyone.until(lambda: not everyone.ids())

    def test_another_expire_ms(self):
        """Whoever it is that expires by it, or does not any more: viewers come again, and see what there is."""
        server = self.server()
        with Client(server.port) as client:
            client.ask(b"IAMAT a +1+1 1\n")
            for expire_ms, ids in ((1000, set()), (0, {"a"})):
                viewer = self.stream(server)
                viewer.until(lambda viewer=viewer: viewer.whole)
                time.sleep(max(0, expire_ms / 1000))
                server.herd.config["limits"]["expire_ms"] = expire_ms
                server.herd.write()
                self.hup(server)
                viewer.until_end()
                again = self.stream(server, last_id=viewer.last_id)
                again.until(lambda again=again: again.whole)
                self.assertEqual(again.ids(), ids)
            self.hup(server)  # all is as it was
            client.ask(b"IAMAT b +1+1 1\n")
            again.until(lambda: "b" in again.ids())

    def test_removed_before_it_is_told_of(self):
        """A machine that slept for an hour: who expired meanwhile is gone at once."""
        if not os.path.exists(os.environ.get("HERD_WALL_CLOCK", "")):
            self.skipTest("HERD_WALL_CLOCK is not the library that moves the clock")
        server = self.server(limits={"expire_ms": 60000}, start=False)
        clock = os.path.join(self.directory(), "clock")
        server.start({"LD_PRELOAD": os.environ["HERD_WALL_CLOCK"], "WALL_CLOCK_FILE": clock,
                      "ASAN_OPTIONS": "verify_asan_link_order=0"})
        with Client(server.port) as client:
            client.ask(b"IAMAT a +1+1 %d\n" % time.time())
            viewers = [self.stream(server, query) for query in ("", "?bbox=0,0,10,10", "?id=a")]
            for viewer in viewers:
                viewer.until(lambda viewer=viewer: viewer.whole and viewer.ids() == {"a"})
            with open(clock + ".new", "w") as file:
                file.write("3600")
            os.rename(clock + ".new", clock)
            client.ask(b"IAMAT b +1+1 %d\n" % (time.time() + 3600))
            for viewer in viewers:
                viewer.until(lambda viewer=viewer: "a" not in viewer.ids())
            viewers[0].until(lambda: viewers[0].ids() == {"b"})

    def test_many_viewers_and_a_stop(self):
        server = self.server(limits={"viewers_max": 50})
        viewers = [self.stream(server) for _ in range(50)]
        with Client(server.port) as client:
            client.ask(b"IAMAT a +1+1 1\n")
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: "a" in viewer.ids())
        refused = self.ask(server, b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual((refused.status, refused["retry-after"]), (503, "30"))
        viewers[0].close()
        wait_for(lambda: self.ask(server, b"HEAD /v1/events HTTP/1.1\r\n" + HOST + b"\r\n", head_only=True).status == 200,
                 "room for one more")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    main()
