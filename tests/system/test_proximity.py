# SPDX-License-Identifier: MIT
"""Fences about two clients that are near each other: told by streams, lines and a webhook, equal to a replay."""
import json
import math
import random
import time

from herd import Client, free_port, main, wait_for
from hook_receiver import HookReceiver
from test_fences import METRE, FenceTest, circle


def proximity(metres, **properties):
    return {"type": "Feature", "geometry": None, "properties": {"proximity": metres, **properties}}


def metres_between(one, other):
    (lat1, lon1), (lat2, lon2) = one, other
    a = (math.sin(math.radians(lat2 - lat1) / 2) ** 2 + math.cos(math.radians(lat1)) * math.cos(math.radians(lat2)) *
         math.sin(math.radians(lon2 - lon1) / 2) ** 2)
    return 2 * 6371008.8 * math.asin(math.sqrt(a))


class Proximity(FenceTest):
    def pairs(self, viewer):
        return [(event["fence"], event["kind"], event["id"], event["other"]) for event in viewer.told]

    def test_set_and_read(self):
        server = self.fenced()
        made = self.put(server, "close", proximity(200.5, who="taxi-*", near="rider-*", margin=20)).json()
        self.assertEqual(made, {"type": "Feature", "geometry": None, "properties": {
            "name": "close", "kinds": ["enter", "leave"], "proximity": 200.5, "who": "taxi-*", "near": "rider-*", "margin": 20}})
        self.assertEqual(self.put(server, "close", made, 200).json(), made)
        self.assertEqual(self.call(server, "GET", "/v1/fences").json()["features"], [made])
        self.assertEqual(self.put(server, "all", proximity(5)).json()["properties"]["near"], "*")
        for feature, status, why in (
                (proximity(5, kinds=["cross"]), 400, "enter, leave and inside"), (proximity(5, dwell=1), 400, "no dwell"),
                (proximity(100001), 422, "at most"), (proximity("5"), 400, "metres"), (proximity(5, who="a*b"), 400, "who and near"),
                ({**circle(0, 0, 5), "properties": {"proximity": 5}}, 400, "geometry: null")):
            answer = self.call(server, "PUT", "/v1/fences/x", json.dumps(feature).encode())
            self.assertEqual(answer.status, status, answer.body)
            self.assertIn(why, answer.json()["detail"])
        for n in range(14):
            self.put(server, f"p{n}", proximity(5))
        answer = self.call(server, "PUT", "/v1/fences/x", json.dumps(proximity(5)).encode())
        self.assertEqual(answer.status, 507)
        search = self.call(server, "POST", "/v1/search", json.dumps(proximity(5)).encode())
        self.assertEqual(search.status, 400)

    def test_told(self):
        """From a file; with a margin against jitter; to those who ask for one of both; a client that is deleted parts."""
        server = self.fenced([proximity(100, name="close", margin=50, who="taxi-*", near="rider-*",
                                        kinds=["enter", "leave", "inside"])], limits={"tombstones_max": 5})
        viewer, of_rider, of_other = (self.stream(server, query) for query in
                                      ("?fence=*", "?fence=close&id=rider-1", "?fence=close&id=rider-2"))
        with Client(server.port) as client:
            self.report(client, "taxi-1", 0, 0, 1)
            self.report(client, "taxi-2", 0, 0, 1)  # no pair: of one group
            self.report(client, "rider-1", 0, 90 * METRE, 1)
            viewer.until(lambda: len(viewer.told) == 2)
            self.assertEqual({(event["id"], event["other"], event["kind"], event["distance"]) for event in viewer.told},
                             {("rider-1", "taxi-1", "enter", 90), ("rider-1", "taxi-2", "enter", 90)})
            self.report(client, "taxi-1", 0, -50 * METRE, 2)  # 140 m: within the margin
            viewer.until(lambda: self.pairs(viewer)[2:] == [("close", "inside", "taxi-1", "rider-1")])
            self.report(client, "taxi-1", 0, -70 * METRE, 3)
            viewer.until(lambda: self.pairs(viewer)[3:] == [("close", "leave", "taxi-1", "rider-1")])
            self.report(client, "taxi-1", 0, -50 * METRE, 4)  # not near again
            self.call(server, "DELETE", "/v1/clients/taxi-2")
            viewer.until(lambda: self.pairs(viewer)[4:] == [("close", "leave", "taxi-2", "rider-1")])
            self.assertTrue(viewer.told[4]["gone"])
            self.report(client, "rider-1", 89.9999, 180, 5)
            self.report(client, "taxi-1", 89.9999, 0, 5)  # over the pole
            viewer.until(lambda: self.pairs(viewer)[5:] == [("close", "enter", "taxi-1", "rider-1")])
            self.report(client, "rider-2", 89.9999, 90, 6)
            of_other.until(lambda: self.pairs(of_other) == [("close", "enter", "rider-2", "taxi-1")])
        of_rider.until(lambda: len(of_rider.told) == 6)
        self.assertEqual(len({event["event"] for event in viewer.told}), len(viewer.told))
        self.assertIn("herd_fence_pairs 2\n", self.get(server, b"/metrics").body.decode())
        self.assertEqual(self.call(server, "DELETE", "/v1/fences/close").status, 204)
        self.assertIn("herd_fence_pairs 0\n", self.get(server, b"/metrics").body.decode())

    def test_one_that_expires(self):
        server = self.fenced([proximity(100, name="close")], limits={"expire_ms": 1500})
        viewer = self.stream(server, "?fence=*")
        with Client(server.port) as client:
            self.report(client, "a", 0, 0, time.time())
            self.report(client, "b", 0, 0, time.time() + 0.5)
            viewer.until(lambda: len(viewer.told) == 2)
        # Within ten seconds whoever expired is seen to be gone, in the order of slots: that of the other one comes too late.
        self.assertEqual(self.pairs(viewer)[0], ("close", "enter", "b", "a"))
        self.assertIn(self.pairs(viewer)[1], [("close", "leave", "a", "b"), ("close", "leave", "b", "a")])
        self.assertTrue(viewer.told[1]["gone"])

    def test_equal_to_a_replay(self):
        """Random walks about the date line: what is told is what a look at all pairs finds."""
        rng = random.Random(5)
        server = self.fenced([proximity(3000, name="p")], limits={"tombstones_max": 100})
        viewer = self.stream(server, "?fence=*")
        at, near, wanted = {}, set(), []
        with Client(server.port) as client:
            for step in range(1, 800):
                name = f"k{rng.randrange(12)}"
                if name in at and rng.random() < .05:
                    self.call(server, "DELETE", f"/v1/clients/{name}")
                    del at[name]
                else:
                    lat, lon = at.get(name, (rng.uniform(-.05, .05), 180 + rng.uniform(-.05, .05)))
                    lat, lon = round(lat + rng.uniform(-.01, .01), 6), round(lon + rng.uniform(-.01, .01), 6)
                    lon = lon - 360 if lon > 180 else lon + 360 if lon < -180 else lon
                    at[name] = (lat, lon)
                    client.ask(b"IAMAT %s %+.6f%+.6f %d\n" % (name.encode(), lat, lon, 2000000000 + step))
                now = {frozenset((name, other)) for other in at if other != name and name in at and
                       metres_between(at[name], at[other]) <= 3000}
                was = {pair for pair in near if name in pair}
                wanted += [("leave", pair) for pair in was - now] + [("enter", pair) for pair in now - was]
                near = near - was | now
                if was != now:
                    viewer.until(lambda: len(viewer.told) >= len(wanted))
        told = [(event["kind"], frozenset((event["id"], event["other"]))) for event in viewer.told]
        self.assertEqual(sorted(map(str, map(lambda one: (one[0], sorted(one[1])), told))),
                         sorted(map(str, map(lambda one: (one[0], sorted(one[1])), wanted))))
        self.assertGreater(len(wanted), 300)

    def test_lines_and_a_webhook(self):
        hook = HookReceiver(self)
        server = self.fenced([proximity(100, name="close")], limits={"watch_line": 1, "tombstones_max": 5},
                             more={"webhook": {"server": "A", **hook.config()}})
        with Client(server.port) as watcher, Client(server.port) as client:
            self.assertEqual(watcher.ask(b"WATCH close\n"), b"WATCH close\n")
            client.ask(b"IAMAT emu +0+0 1\n")
            at = client.ask(b"IAMAT kiwi +0.0001+0 2\n")
            self.assertEqual(watcher.line(), b"FENCE enter close NEAR 11.12 emu " + at)
            self.call(server, "DELETE", "/v1/clients/emu")
            self.assertEqual(watcher.line(), b"FENCE leave close NEAR 11.12 kiwi GONE emu\n")
        wait_for(lambda: len(hook.taken) == 2, "both events")
        enter, leave = hook.taken
        self.assertEqual((enter["fence"], enter["kind"], enter["id"], enter["other"], enter["distance"], enter["gone"]),
                         ("close", "enter", "kiwi", "emu", 11.12, False))
        self.assertEqual((leave["kind"], leave["id"], leave["other"], leave["gone"]), ("leave", "emu", "kiwi", True))

    def test_one_id_on_all_servers(self):
        """Whichever of both reports a server takes in last."""
        herd = self.herd(["A", "B"], [["A", "B"]], more={"area": True})
        for name in "AB":
            herd.config["servers"][name]["http_port"] = herd[name].http_port = free_port()
        herd.write()
        for name in "AB":
            herd[name].start()
            self.put(herd[name], "close", proximity(100))
        viewers = [self.stream(herd[name], "?fence=*") for name in "AB"]
        herd.wait_linked()
        for n in range(20):
            with Client(herd["A"].port) as one, Client(herd["B"].port) as other:
                one.send(b"IAMAT a%d %+d+0 1\n" % (n, n))
                other.send(b"IAMAT b%d %+d+0 1\n" % (n, n))
                one.line(), other.line()
        for viewer in viewers:
            viewer.until(lambda viewer=viewer: len(viewer.told) == 20)
        first, second = ({event["event"] for event in viewer.told} for viewer in viewers)
        self.assertEqual(len(first), 20)
        self.assertEqual(first, second)

    def test_a_crowd(self):
        """Ten thousand at one place: bounded, counted and logged; others are answered meanwhile."""
        server = self.fenced([proximity(100, name="close")])
        with Client(server.port) as client, Client(server.port) as other:
            for start in range(0, 10000, 500):
                client.send(b"".join(b"IAMAT c%d +0+0 1\n" % n for n in range(start, start + 500)))
                self.assertTrue(other.ask(b"IAMAT far +50+50 %d\n" % (start + 1)).startswith(b"AT "))
                for _ in range(500):
                    client.line()
        wait_for(lambda: "herd_area_clients 10001\n" in self.get(server, b"/metrics").body.decode(), "all")
        figures = dict(line.split() for line in self.get(server, b"/metrics").body.decode().splitlines()
                       if line.startswith("herd_fence_"))
        self.assertLessEqual(int(figures["herd_fence_pairs"]), 1000000)
        self.assertGreater(int(figures["herd_fence_pairs_missed_total"]), 0)
        server.wait_event("fence_crowd")


if __name__ == "__main__":
    main()
