# SPDX-License-Identifier: MIT
"""Fences of a server: from a file, by HTTP, told by streams of events and by a webhook."""
import json
import math
import os
import pathlib
import random
import signal
import time

import test_clients
from herd import Client, free_port, main, run, wait_for
from hook_receiver import HookReceiver
from test_events import Stream
from test_http import HOST, Answer, HttpTest

METRE = 1 / 111195.08


def circle(lat, lon, radius, **properties):
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"radius": radius, **properties}}


def polygon(*rings, **properties):
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": list(rings)}, "properties": properties}


def box(west, south, east, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


class FenceStream(Stream):
    """A viewer of fences: what it was told."""

    def __init__(self, *words, **options):
        self.told, self.lost = [], 0
        super().__init__(*words, **options)

    def take(self, kind, data):
        if kind == "fence":
            self.told.append(data)
        elif kind == "lost":
            self.lost += data["fences"]
        else:
            super().take(kind, data)

    def events(self):
        return [(event["fence"], event["kind"], event["id"]) for event in self.told]


class FenceTest(HttpTest):
    call = test_clients.Api.call

    def fenced(self, fences=None, more=None, **options):
        self.file = pathlib.Path(self.directory()) / "fences.geojson"
        settings = {"area": True, **(more or {})}
        if fences is not None:
            self.write(*fences)
            settings["fences"] = str(self.file)
        return self.server(more=settings, **options)

    def write(self, *features):
        self.file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        os.chmod(self.file, 0o644)

    def stream(self, server, *words, **options):
        stream = FenceStream(server, *words, **options)
        self.addCleanup(stream.close)
        stream.until(lambda: "hello" in stream.seen)
        return stream

    def report(self, client, name, lat, lon, at):
        client.ask(b"IAMAT %s %+.7f%+.7f %d\n" % (name.encode(), lat, lon, at))

    def put(self, server, name, feature, status=201):
        answer = self.call(server, "PUT", f"/v1/fences/{name}", json.dumps(feature).encode())
        self.assertEqual(answer.status, status, answer.body)
        return answer


class Routes(FenceTest):
    def test_without_an_area(self):
        server = self.server()
        for method, path in (("GET", "/v1/fences"), ("GET", "/v1/fences/a"), ("DELETE", "/v1/fences/a")):
            self.assertEqual(self.call(server, method, path).status, 404)
        self.assertEqual(self.call(server, "PUT", "/v1/fences/a", json.dumps(circle(0, 0, 1)).encode()).status, 404)

    def test_set_change_list_remove(self):
        server = self.fenced()
        self.assertEqual(self.call(server, "GET", "/v1/fences").json(),
                         {"type": "FeatureCollection", "features": [], "truncated": False})
        feature = circle(48.8566, 2.3522, 150.5, kinds=["enter", "cross"], margin=12.5, dwell=3000)
        made = self.put(server, "door", feature).json()
        self.assertEqual(made["geometry"], feature["geometry"])
        self.assertEqual(made["properties"], {"name": "door", "kinds": ["enter", "cross"], "radius": 150.5,
                                              "margin": 12.5, "dwell": 3000})
        self.assertEqual(self.call(server, "GET", "/v1/fences/door").json(), made)
        self.assertEqual(self.put(server, "door", made, 200).json(), made)
        hall = polygon(box(0, 0, 10, 10), box(4, 4, 6, 6)[::-1])
        self.put(server, "hall", hall)
        features = self.call(server, "GET", "/v1/fences").json()["features"]
        self.assertEqual({one["properties"]["name"] for one in features}, {"door", "hall"})
        server.wait_event("fence_set")
        self.assertEqual(self.call(server, "DELETE", "/v1/fences/door").status, 204)
        self.assertEqual(self.call(server, "DELETE", "/v1/fences/door").status, 404)
        self.assertEqual(self.call(server, "GET", "/v1/fences/door").status, 404)
        self.assertIn("herd_fences 1\n", self.get(server, b"/metrics").body.decode())

    def test_refused(self):
        server = self.fenced(limits={"fences_max": 2})
        many = [[math.cos(n), math.sin(n)] for n in range(5000)]
        rows = [
            (b"{", 400, "expected a string"), (b"[]", 400, "expected a Polygon"), (b'{"type":"Polygon"}', 400, "rings"),
            (json.dumps(polygon([[0, 0], [1, 0], [1, 1], [0, 1]])).encode(), 400, "ends where it begins"),
            (json.dumps(polygon([[0, 0], [1, 91], [1, 1], [0, 0]])).encode(), 422, "beyond 90"),
            (json.dumps(circle(0, 0, 1)).replace("0, 0]", "NaN, 0]").encode(), 400, "value"),
            (json.dumps(circle(0, 0, 1, name="other")).encode(), 400, "its name is another"),
            (json.dumps(circle(0, 0, 1, margin=1e9)).encode(), 422, "margin"),
            (json.dumps(circle(0, 0, 1, kinds=["exit"])).encode(), 400, "kinds are"),
            (json.dumps(circle(0, 0, -1)).encode(), 400, "radius"),
            (json.dumps(circle(0, 0, 20015116)).encode(), 422, "radius is at most"),
            (json.dumps(circle(0, 0, 1)).replace('"radius": 1', '"radius": 1' + "0" * 400).encode(), 422, "radius is at most"),
            (b'{"type":"Feature","geometry":null,"properties":{"margin":5}}', 400, "null only of a fence that has a proximity"),
        ]
        for body, status, detail in rows:
            answer = self.call(server, "PUT", "/v1/fences/a", body)
            self.assertEqual(answer.status, status, (body, answer.body))
            self.assertIn(detail, answer.json()["detail"])
        self.assertEqual(self.call(server, "PUT", "/v1/fences/a%20b", json.dumps(circle(0, 0, 1)).encode()).status, 400)
        self.assertEqual(self.call(server, "PUT", "/v1/fences/a", b"[" * 200000).status, 400)
        self.assertEqual(self.call(server, "PUT", "/v1/fences/a", b" " * 262145).status, 413)
        self.put(server, "earth", circle(0, 0, 20015115))  # the whole earth
        self.put(server, "star", polygon(many + many[:1]))  # crosses itself thousands of times
        self.assertEqual(self.call(server, "PUT", "/v1/fences/c", json.dumps(circle(0, 0, 1)).encode()).status, 507)
        self.put(server, "star", circle(0, 0, 1), 200)

    def test_as_many_as_a_limit_says(self):
        server = self.fenced(limits={"fences_max": 10})
        client = self.http(server)
        for n in range(12):
            body = json.dumps(circle(n, n, 100)).encode()
            client.send(b"PUT /v1/fences/f%d HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                        % (n, HOST, len(body), body))
        self.assertEqual([Answer(client).status for _ in range(12)], [201] * 10 + [507] * 2)


class Files(FenceTest):
    def names(self, server):
        return {one["properties"]["name"] for one in self.call(server, "GET", "/v1/fences").json()["features"]}

    def test_read_anew(self):
        server = self.fenced([circle(1, 1, 100, name="a"), circle(2, 2, 100, name="b", margin=20)])
        self.assertEqual(self.names(server), {"a", "b"})
        self.assertEqual(server.wait_event("fences_set")["fences"], "2")
        self.put(server, "own", circle(3, 3, 100))
        viewer = self.stream(server, "?fence=*")
        with Client(server.port) as client:
            self.report(client, "x", 2, 2, 1)
            viewer.until(lambda: viewer.events() == [("b", "enter", "x")])
            self.write(circle(2, 2, 100, name="b", margin=20), circle(4, 4, 100, name="c"))
            self.hup(server)
            self.assertEqual(self.names(server), {"b", "c", "own"})
            # What did not change goes on: within the margin the client is still in it.
            self.report(client, "x", 2 + 110 * METRE, 2, 2)
            self.report(client, "x", 2 + 130 * METRE, 2, 3)
            viewer.until(lambda: viewer.events()[1:] == [("b", "leave", "x")])
            self.file.write_text('{"type":"FeatureCollection","features":[{"type":"Feature"}]}')
            self.assertIn("fences.geojson:1:", self.hup(server, "configuration_kept").text)
            self.assertEqual(self.names(server), {"b", "c", "own"})
            self.write(circle(2, 2, 100, name="b"), circle(2, 2, 100, name="b"))
            self.assertIn("two fences named b", self.hup(server, "configuration_kept").text)

    def test_more_than_may_be(self):
        self.fenced([circle(n, n, 100, name=f"f{n}") for n in range(3)], start=False)
        herd = self.herd(["A"], [], more={"area": True, "fences": str(self.file)}, limits={"fences_max": 2})
        herd.write()
        self.assertIn(b"more fences than limits.fences_max", run("--config", herd.config_path, "--check", "A").stderr)
        self.assertNotEqual(run("--config", herd.config_path, "A").returncode, 0)
        with open(self.file, "ab") as file:
            file.truncate((16 << 20) + 1)
        self.assertIn(b"at most 16 MiB", run("--config", herd.config_path, "--check", "A").stderr)
        os.chmod(self.file, 0o666)
        self.file.write_text("{}")
        self.assertIn(b"lets others write it", run("--config", herd.config_path, "--check", "A").stderr)

    def test_a_start_with_a_bad_one(self):
        for text, why in (("[]", "expected a Polygon"), ('{"type":"FeatureCollection","features":[1]}', "expected"), ("", "empty")):
            self.fenced([], start=False)
            self.file.write_text(text)
            herd = self.herd(["A"], [], more={"area": True, "fences": str(self.file)})
            herd.write()
            checked = run("--config", herd.config_path, "--check", "A")
            self.assertNotEqual(checked.returncode, 0)
            self.assertIn(why, (checked.stdout + checked.stderr).decode())


class Told(FenceTest):
    def test_documented_behaviour(self):
        """What Tile38's documentation says of enter, exit (here: leave), inside, outside (here: nothing) and cross."""
        kinds = ["enter", "leave", "inside", "cross"]
        server = self.fenced([polygon(box(-1e-3, -1e-3, 1e-3, 1e-3), name="square", kinds=kinds)])
        viewer = self.stream(server, "?fence=square")
        way = [(0, -0.01, None), (0, 0, "enter"), (0.0005, 0, "inside"), (0, 0.01, "leave"), (0, 0.02, None),
               (0.01, 0.02, None), (0, 0.02, None), (0, -0.02, "cross"), (0, 0, "enter")]
        with Client(server.port) as client:
            wanted = []
            for at, (lat, lon, kind) in enumerate(way):
                self.report(client, "truck", lat, lon, at + 1)
                if kind:
                    wanted.append(("square", kind, "truck"))
                    viewer.until(lambda: viewer.events() == wanted)
        self.assertEqual(viewer.told[0]["position"], [0, 0])
        self.assertEqual(viewer.told[0]["time"], "2")
        self.assertFalse(viewer.told[0]["gone"])
        self.assertEqual(len({event["event"] for event in viewer.told}), len(wanted))

    def test_equal_to_a_replay(self):
        """Random walks, deletions, rings with holes: what is told is what a look at every position finds."""
        rng = random.Random(7)
        circles = {f"c{n}": (rng.uniform(-.02, .02), rng.uniform(-.02, .02), rng.uniform(100, 900)) for n in range(20)}
        boxes = {}
        for n in range(20):
            west, south = rng.uniform(-.02, .01), rng.uniform(-.02, .01)
            boxes[f"b{n}"] = (west, south, west + rng.uniform(.002, .01), south + rng.uniform(.002, .01))
        server = self.fenced([circle(lat, lon, radius, name=name) for name, (lat, lon, radius) in circles.items()] +
                             [polygon(box(*sides), name=name) for name, sides in boxes.items()],
                             limits={"tombstones_max": 100})

        def inside(lat, lon):
            names = set()
            for name, (clat, clon, radius) in circles.items():
                a = (math.sin(math.radians(lat - clat) / 2) ** 2 + math.cos(math.radians(lat)) *
                     math.cos(math.radians(clat)) * math.sin(math.radians(lon - clon) / 2) ** 2)
                if 2 * 6371008.8 * math.asin(math.sqrt(a)) <= radius:
                    names.add(name)
            return names | {name for name, (w, s, e, n) in boxes.items() if w <= lon <= e and s <= lat <= n}

        viewer = self.stream(server, "?fence=*")
        wanted, at = [], {}
        with Client(server.port) as client:
            for step in range(1, 1200):
                name = f"k{rng.randrange(15)}"
                was = inside(*at[name]) if name in at else set()
                if name in at and rng.random() < .05:
                    self.call(server, "DELETE", f"/v1/clients/{name}")
                    del at[name]
                    now = set()
                else:
                    lat, lon = at.get(name, (rng.uniform(-.02, .02), rng.uniform(-.02, .02)))
                    at[name] = (round(lat + rng.uniform(-.003, .003), 6), round(lon + rng.uniform(-.003, .003), 6))
                    client.ask(b"IAMAT %s %+.6f%+.6f %d\n" % (name.encode(), *at[name], 2000000000 + step))
                    now = inside(*at[name])
                wanted += [(fence, "leave", name) for fence in was - now] + [(fence, "enter", name) for fence in now - was]
                # A position that is replaced before the loop turns is seen as the newer one alone.
                if was != now:
                    viewer.until(lambda: len(viewer.told) >= len(wanted))
        self.assertEqual(sorted(viewer.events()), sorted(wanted))
        self.assertGreater(len(wanted), 300)

    def test_who_expires_or_is_deleted_leaves(self):
        server = self.fenced([circle(0, 0, 100, name="a")], limits={"expire_ms": 1500, "tombstones_max": 5})
        viewer = self.stream(server, "?fence=a")
        with Client(server.port) as client:
            self.report(client, "x", 0, 0, time.time())
            self.report(client, "y", 0, 0, time.time())
            viewer.until(lambda: len(viewer.told) == 2)
            self.call(server, "DELETE", "/v1/clients/y")
            viewer.until(lambda: ("a", "leave", "y") in viewer.events())
            viewer.until(lambda: ("a", "leave", "x") in viewer.events())
        self.assertTrue(viewer.told[2]["gone"] and viewer.told[3]["gone"])
        self.assertNotIn("position", viewer.told[3])

    def test_dwell(self):
        server = self.fenced([circle(0, 0, 100, name="stop", dwell=700), circle(0, 0, 100, name="pass")])
        viewer = self.stream(server, "?fence=stop&fence=pass")
        with Client(server.port) as client:
            self.report(client, "bus", 0, 0, 1)
            viewer.until(lambda: viewer.events() == [("pass", "enter", "bus")])
            self.report(client, "bus", 1, 0, 2)
            viewer.until(lambda: viewer.events()[1:] == [("pass", "leave", "bus")])
            self.report(client, "bus", 0, 0, 3)
            viewer.until(lambda: ("stop", "enter", "bus") in viewer.events())
            self.assertEqual(viewer.events().count(("stop", "enter", "bus")), 1)
            self.report(client, "bus", 1, 0, 4)
            viewer.until(lambda: ("stop", "leave", "bus") in viewer.events())

    def test_which_fences_and_whose(self):
        server = self.fenced([circle(0, 0, 100, name="a"), circle(0, 0, 200, name="b")])
        only, of_one, both = (self.stream(server, query) for query in ("?fence=a", "?fence=*&id=x", "?id=y&fence=b"))
        with Client(server.port) as client:
            self.report(client, "x", 0, 0, 1)
            self.report(client, "y", 0, 0, 1)
        only.until(lambda: len(only.told) == 2)
        of_one.until(lambda: len(of_one.told) == 2 and of_one.ids() == {"x"})
        both.until(lambda: both.told and both.ids() == {"y"})
        self.assertEqual(sorted(only.events()), [("a", "enter", "x"), ("a", "enter", "y")])
        self.assertEqual(sorted(of_one.events()), [("a", "enter", "x"), ("b", "enter", "x")])
        self.assertEqual(both.events(), [("b", "enter", "y")])
        self.assertEqual(set(only.seen), {"hello", "message"})  # and fences
        for query in (b"fence=", b"fence=a%20b", b"fence=" + b"x" * 65):
            self.assertEqual(self.get(server, b"/v1/events?" + query).status, 400)

    def test_a_viewer_that_takes_nothing(self):
        """Memory is bounded: it loses events, and is told how many."""
        server = self.fenced([circle(0, 0, 100, name="a" * 60, kinds=["inside"])],
                             limits={"write_stall_ms": 60000, "output_pause_bytes": 4096})
        slow, quick = self.stream(server, "?fence=*"), self.stream(server, "?fence=*")
        rounds, clients = 60, 1000
        with Client(server.port) as client:
            for at in range(rounds + 1):
                client.send(b"".join(b"IAMAT %d-%s +0+0 %d\n" % (n, b"i" * 200, at) for n in range(clients)))
                for _ in range(clients):
                    client.line()
                quick.until(lambda: len(quick.told) + quick.lost >= at * clients)
        slow.until(lambda: len(slow.told) + slow.lost >= rounds * clients)
        self.assertGreater(slow.lost, 0)


class Lines(FenceTest):
    def watching(self, *lines, **limits):
        server = self.fenced([circle(0, 0, 100, name="a"), circle(0, 0, 200, name="b")],
                             limits={"watch_line": 1, "tombstones_max": 5, **limits})
        return server, [self.watcher(server, line) for line in lines]

    def watcher(self, server, line):
        client = Client(server.port)
        self.addCleanup(client.close)
        client.send(line + b"\n")
        self.assertEqual(client.line(), line + b"\n")
        return client

    def test_off(self):
        server = self.fenced([], limits={})
        self.assertEqual(server.ask(b"WATCH a\n"), b"? WATCH a\n")
        without = self.server("B", limits={"watch_line": 1})
        self.assertEqual(without.ask(b"WATCH a\n"), b"? WATCH a\n")

    def test_told_by_lines(self):
        server, (one, every) = self.watching(b"WATCH a", b"WATCH *")
        with Client(server.port) as client:
            at = client.ask(b"IAMAT x +0+0 1\n")
            self.assertEqual(one.line(), b"FENCE enter a " + at)
            self.assertEqual({every.line(), every.line()}, {b"FENCE enter a " + at, b"FENCE enter b " + at})
            one.send(b"WHATSAT x 1 0\n")  # replies go on as ever
            self.assertEqual(one.line(), at)
            one.until(b"\n\n")
            self.call(server, "DELETE", "/v1/clients/x")
            self.assertEqual(one.line(), b"FENCE leave a GONE x\n")
            one.send(b"WATCH\n")
            self.assertEqual(one.line(), b"WATCH\n")
            client.ask(b"IAMAT y +0+0 2\n")
            self.assertEqual({every.line()[:13] for _ in range(4)}, {b"FENCE leave a", b"FENCE leave b", b"FENCE enter a", b"FENCE enter b"})
            self.assertEqual(one.ask(b"IAMAT z +5+5 2\n")[:3], b"AT ")
        for line in (b"WATCH a b\n", b"WATCH a/b\n", b"WATCH " + b"x" * 65 + b"\n"):
            self.assertEqual(server.ask(line), b"? " + line)

    def test_bounds(self):
        server, watchers = self.watching(*[b"WATCH *"] * 100)
        self.assertEqual(server.ask(b"WATCH a\n"), b"WATCH BUSY\n")
        watchers[0].close()
        wait_for(lambda: server.ask(b"WATCH a\n") == b"WATCH a\n", "room for one more")
        for n in range(64):
            self.assertEqual(watchers[1].ask(b"WATCH f%d\n" % n), b"WATCH f%d\n" % n)
        self.assertEqual(watchers[1].ask(b"WATCH one_more\n"), b"WATCH BUSY\n")

    def test_one_that_reads_nothing(self):
        """It loses events and is told how many: none is unaccounted for."""
        server, (slow,) = self.watching(b"WATCH *", output_pause_bytes=4096, write_stall_ms=60000)
        with Client(server.port) as client:
            for n in range(60):
                client.send(b"".join(b"IAMAT %d-%s +%d+0 %d\n" % (k, b"i" * 1000, n % 2, n + 1) for k in range(200)))
                for _ in range(200):
                    client.line()
            told = lost = turn = seen = 0
            while seen < 2:  # the events of this client's last move come behind all others, or are lost
                if slow.silent():
                    client.ask(b"IAMAT last +%d+0 %d\n" % (turn % 2, turn + 1))
                    turn, seen = turn + 1, 0
                line = slow.line()
                if line.startswith(b"FENCE LOST"):
                    lost += int(line.split()[2])
                else:
                    told += 1
                    seen += line.split()[6] == b"last" and line.split()[8] == b"%d" % turn
        self.assertGreater(lost, 0)
        events = [line for line in self.get(server, b"/metrics").body.decode().splitlines()
                  if line.startswith("herd_fence_events_total ")]
        self.assertEqual(events, ["herd_fence_events_total %d" % (told + lost)])

    def test_one_that_reads_again(self):
        """It is told what it lost though nothing more happens."""
        server, (slow,) = self.watching(b"WATCH *", output_pause_bytes=4096, write_stall_ms=60000)
        with Client(server.port) as client:
            for n in range(60):
                client.send(b"".join(b"IAMAT %d-%s +%d+0 %d\n" % (k, b"i" * 1000, n % 2, n + 1) for k in range(200)))
                for _ in range(200):
                    client.line()
        told = lost = 0
        while told + lost < self.events(server):
            line = slow.line()
            if line.startswith(b"FENCE LOST"):
                lost += int(line.split()[2])
            else:
                told += 1
        self.assertGreater(lost, 0)

    def events(self, server):
        return next(int(line.split()[1]) for line in self.get(server, b"/metrics").body.decode().splitlines()
                    if line.startswith("herd_fence_events_total "))


class Hooks(FenceTest):
    def hooked(self, secret=None, fences=None, limits=None, **settings):
        hook = HookReceiver(self, secret)
        if secret:
            path = pathlib.Path(self.directory()) / "secret"
            path.write_bytes(secret + b"\n")
            os.chmod(path, 0o600)
            settings["secret_file"] = str(path)
        server = self.fenced(fences or [circle(0, 0, 100, name="a")], limits=limits,
                             more={"webhook": {"server": "A", **hook.config(**settings)}})
        return hook, server

    def walk(self, server, count, first=0):
        """Goes in and out: an event each time."""
        with Client(server.port) as client:
            for n in range(first, first + count):
                self.report(client, "x", n % 2, 0, n + 1)

    def metric(self, server, name):
        for line in self.get(server, b"/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
        raise AssertionError(name)

    def test_posted_and_signed(self):
        hook, server = self.hooked(secret=b"not a secret any more")
        self.walk(server, 1)
        wait_for(lambda: len(hook.taken) == 1, "an event")
        event = hook.taken[0]
        self.assertEqual((event["fence"], event["kind"], event["id"], event["position"], event["time"]),
                         ("a", "enter", "x", [0, 0], "1"))
        self.assertEqual(hook.batches[0]["server"], "A")
        self.assertEqual(hook.faults, [])
        wait_for(lambda: self.metric(server, "herd_webhook_posted_total") == 1, "the answer")

    def test_others_do_not_post(self):
        hook = HookReceiver(self)
        herd = self.herd(["A", "B"], [["A", "B"]], more={"area": True, "webhook": {"server": "B", **hook.config()}})
        for name in "AB":
            herd.config["servers"][name]["http_port"] = herd[name].http_port = free_port()
        herd.write()
        herd["A"].start()
        herd["B"].start()
        herd.wait_linked()
        for server in herd:
            self.put(server, "a", circle(0, 0, 100))
        self.walk(herd["A"], 1)
        wait_for(lambda: hook.taken, "an event")
        self.assertEqual([batch["server"] for batch in hook.batches], ["B"])
        self.assertNotIn("webhook", self.get(herd["A"], b"/metrics").body.decode())

    def test_what_fails_is_posted_again(self):
        hook, server = self.hooked()
        hook.mode = 500
        self.walk(server, 1)
        wait_for(lambda: len(hook.batches) >= 2, "two tries")
        hook.mode = "close"
        wait_for(lambda: len(hook.batches) >= 3, "another")
        hook.mode = 204
        wait_for(lambda: hook.taken, "it is taken")
        ids = {event["event"] for batch in hook.batches for event in batch["events"]}
        self.assertEqual(len(ids), 1)
        self.assertTrue(server.events("webhook_failed"))
        server.wait_event("webhook_recovered")

    def test_one_that_hangs(self):
        """Others go on; what waits is bounded, and what is beyond is counted."""
        hook, server = self.hooked(timeout_ms=300, queue_max=10)
        hook.mode = "hang"
        viewer = self.stream(server, "?fence=a")
        with Client(server.port) as client:
            for n in range(40):
                self.report(client, "x", n % 2, 0, n + 1)
                viewer.until(lambda: len(viewer.told) == n + 1)
        wait_for(lambda: len(hook.batches) >= 2, "it is tried again")
        self.assertEqual(self.metric(server, "herd_webhook_queue"), 10)
        self.assertEqual(self.metric(server, "herd_webhook_dropped_total"), 30)
        self.assertTrue(server.events("webhook_dropped"))
        hook.mode = 200
        wait_for(lambda: len(hook.taken) >= 10, "all that waited")
        self.assertEqual([event["kind"] for event in hook.taken], ["enter", "leave"] * 5)
        wait_for(lambda: self.metric(server, "herd_webhook_queue") == 0, "nothing waits")

    def test_one_that_is_not_there(self):
        hook, server = self.hooked()
        hook.close()
        self.walk(server, 1)
        server.wait_event("webhook_failed")
        self.assertEqual(self.metric(server, "herd_webhook_queue"), 1)
        server.signal(signal.SIGTERM)
        server.wait()
        self.assertEqual(server.events("webhook_unsent")[-1]["events"], "1")

    def test_many_at_once(self):
        """Batches, in order, nothing twice where nothing failed."""
        hook, server = self.hooked()
        with Client(server.port) as client:
            client.send(b"".join(b"IAMAT k%d +0+0 1\n" % n for n in range(1000)))
            for _ in range(1000):
                client.line()
        wait_for(lambda: len(hook.taken) >= 1000, "all")
        self.assertEqual({event["id"] for event in hook.taken}, {f"k{n}" for n in range(1000)})
        self.assertEqual(len(hook.taken), 1000)
        self.assertLessEqual(max(len(batch["events"]) for batch in hook.batches), 100)

    def test_another_url(self):
        """After SIGHUP what waits, and what hangs, goes to the new URL at once; nothing is lost."""
        hook, server = self.hooked(timeout_ms=60000)
        hook.mode = "hang"
        self.walk(server, 5)
        wait_for(lambda: hook.batches, "a request that hangs")
        for _ in range(3):
            other = HookReceiver(self)
            server.herd.config["webhook"] = {"server": "A", **other.config(timeout_ms=60000)}
            server.herd.write()
            self.hup(server)
            wait_for(lambda: self.metric(server, "herd_webhook_queue") == 0, "all is posted")
        first = len(hook.batches)
        self.walk(server, 1, 5)
        wait_for(lambda: len(other.taken) == 1, "an event for the last")
        self.assertEqual(len(hook.batches), first)
        self.assertEqual(self.metric(server, "herd_webhook_posted_total"), 6)
        self.assertEqual(self.metric(server, "herd_webhook_dropped_total"), 0)

    def test_an_event_that_is_refused_for_what_it_is(self):
        """The others are posted one by one, so that it holds nobody up for ever."""
        hook, server = self.hooked()
        hook.mode = lambda batch: 422 if any(event["id"] == "bad" for event in batch["events"]) else 200
        with Client(server.port) as client:
            client.send(b"IAMAT a +0+0 1\nIAMAT bad +0+0 1\nIAMAT b +0+0 1\n")
            for _ in range(3):
                client.line()
        wait_for(lambda: any(len(batch["events"]) == 1 and batch["events"][0]["id"] == "bad" for batch in hook.batches),
                 "it is posted alone")
        self.assertTrue({event["id"] for event in hook.taken} <= {"a", "b"})

    def test_configuration(self):
        for webhook, why in (({"server": "A"}, "expected a server and a url"), ({"server": "B", "url": "https://x/"}, "name of a server"),
                             ({"server": "A", "url": "http://example.com/"}, "https"),
                             ({"server": "A", "url": "https://u:p@example.com/"}, "password"),
                             ({"server": "A", "url": "https://example.com/", "timeout_ms": 1}, "100"),
                             ({"server": "A", "url": "https://example.com/", "x": 1}, "unknown member")):
            herd = self.herd(["A"], [], more={"area": True, "webhook": webhook})
            herd.write()
            checked = run("--config", herd.config_path, "--check")
            self.assertNotEqual(checked.returncode, 0)
            self.assertIn(why, (checked.stdout + checked.stderr).decode())


if __name__ == "__main__":
    main()
