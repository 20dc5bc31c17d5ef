# SPDX-License-Identifier: MIT
"""SIGHUP: another configuration while the servers run."""
import json
import os
import signal

from herd import HerdTest, free_port, main, wait_for
from places_stub import PlacesStub


class Reload(HerdTest):

    def kept(self, server):
        return self.hup(server, "configuration_kept")

    @staticmethod
    def lost(server):
        """Links that went down since the first SIGHUP: before it both ends may have dialled at once."""
        since = server.events("signal")[0].text[:27] if server.events("signal") else ""
        return [event for event in server.events("peer_down") if event.text[:27] >= since]

    def test_nothing_changed(self):
        herd = self.herd(["A", "B"], [("A", "B")]).start()
        for _ in range(3):
            done = self.hup(herd["A"])
            self.assertEqual((done["changed"], done["restart_needed"]), ("0", "0"))
        self.assertTrue(herd["A"].events("log_reopened"))
        self.assertEqual(herd["A"].events("signal")[-1]["signal"], "1")
        self.assertEqual(self.lost(herd["A"]), [])
        self.assertEqual(herd["A"].events("setting_changed"), [])

    def test_a_server_more(self):
        herd = self.herd(["A", "B"], [("A", "B")]).start()
        known = herd["A"].ask(b"IAMAT kiwi +1-1 5\n")
        more = self.herd(["C"], directory=herd.dir)
        herd.servers["C"] = more["C"]
        herd["C"].herd = herd
        herd.config["servers"]["C"] = {"port": herd["C"].port}
        herd.config["links"] += [["A", "C"], ["C", "B"]]
        herd.links += [("A", "C"), ("C", "B")]
        herd.write()
        for name in "AB":
            self.assertEqual(self.hup(herd[name])["changed"], "1")
            added = herd[name].wait_event("neighbour_added", peer="C")
            self.assertEqual(int(added["port"]), herd["C"].port)
        herd["C"].start()
        herd.wait_linked()
        wait_for(lambda: herd["C"].at(b"kiwi") == known, "the new server knows all")
        news = herd["C"].ask(b"IAMAT bus +2-2 5\n")
        herd.wait_everywhere(b"bus", news)
        self.assertEqual(self.lost(herd["A"]), [])

    def test_a_server_less(self):
        herd = self.herd(["A", "B", "C"], [("A", "B"), ("B", "C")]).start()
        herd.config["links"] = [["A", "B"]]
        herd.write()
        self.assertEqual(self.hup(herd["B"])["changed"], "1")
        herd["B"].wait_event("neighbour_removed", peer="C")
        self.assertEqual(herd["B"].wait_event("peer_down", peer="C")["why"], "peer_removed")
        herd["C"].wait_event("peer_down", peer="B")
        herd["C"].wait_event("peer_refuses_us", detail="peer_name_unknown")
        line = herd["A"].ask(b"IAMAT kiwi +1-1 5\n")
        wait_for(lambda: herd["B"].at(b"kiwi") == line, "B is told")
        self.assertIsNone(herd["C"].at(b"kiwi"))
        # And linked again, it gets what it missed.
        herd.config["links"] = [["A", "B"], ["B", "C"]]
        herd.write()
        self.hup(herd["B"])
        wait_for(lambda: herd["C"].at(b"kiwi") == line, "C is told")
        self.assertEqual(self.lost(herd["A"]), [])

    def test_a_server_moves(self):
        herd = self.herd(["A", "B"], [("A", "B")]).start()
        herd["B"].stop()
        herd["A"].wait_event("peer_down", peer="B")
        herd["B"].port = herd.config["servers"]["B"]["port"] = free_port()
        # Nobody else may dial: only A's new address counts.
        herd.write()
        self.assertEqual(self.hup(herd["A"])["changed"], "1")
        self.assertEqual(int(herd["A"].wait_event("neighbour_moved", peer="B")["port"]), herd["B"].port)
        herd.config["servers"]["A"]["port"] = free_port()
        herd["B"].config_path = os.path.join(herd.dir, "B.json")
        with open(herd["B"].config_path, "w") as file:
            json.dump(herd.config, file)
        herd["B"].start()
        wait_for(lambda: herd["A"].links_up() == {"B"}, "A finds B at its new address")

    def test_another_kind_of_neighbour(self):
        herd = self.herd(["A", "B"], [("A", "B")]).start()
        herd.config["servers"]["B"]["plain"] = True
        herd.write()
        for server in herd:
            self.hup(server)
        herd["A"].wait_event("neighbour_changed", peer="B")
        line = herd["A"].ask(b"IAMAT kiwi +1-1 5\n")
        wait_for(lambda: herd["B"].at(b"kiwi") == line, "B is told")
        back = herd["B"].ask(b"IAMAT bus +1-1 5\n")
        wait_for(lambda: herd["A"].at(b"bus") == back, "A is told")
        del herd.config["servers"]["B"]["plain"]
        herd.write()
        for server in herd:
            self.hup(server)
        wait_for(lambda: herd["A"].links_up() == {"B"} and herd["B"].links_up() == {"A"}, "they are linked")

    def test_limits_and_log(self):
        herd = self.herd(["A"], limits={"records_max": 1}, log={"level": "info"}).start()
        server = herd["A"]
        client = server.client()
        self.assertTrue(client.ask(b"IAMAT a +1-1 5\n").startswith(b"AT A "))
        self.assertTrue(client.ask(b"IAMAT b +1-1 5\n").startswith(b"? "))
        herd.config["limits"].update(records_max=2, line_max_bytes=300)
        herd.config["log"] = {"level": "info", "traffic": False}
        herd.write()
        self.assertEqual(self.hup(server)["changed"], "3")
        self.assertEqual({(e["setting"], e["was"], e["is"]) for e in server.events("setting_changed")},
                         {("limits.records_max", "1", "2"), ("limits.line_max_bytes", "65536", "300"),
                          ("log.traffic", "true", "false")})
        self.assertTrue(client.ask(b"IAMAT b +1-1 5\n").startswith(b"AT A "))
        self.assertTrue(server.ask(b"IAMAT " + b"c" * 400 + b" +1-1 5\n").startswith(b"? "))
        client.whatsat(b"b")
        herd.config["log"] = {"level": "debug", "traffic": False}
        herd.write()
        self.hup(server)
        client.whatsat(b"a")
        server.wait_event("lookup")
        levels = [event.level for event in server.events("lookup")]
        self.assertEqual(levels, ["debug"])
        self.assertEqual(server.events("received", line="WHATSAT b 10 5"), [])
        herd.config["log"] = {"level": "warn"}
        herd.write()
        server.signal(signal.SIGHUP)
        server.wait_event("setting_changed", setting="log.level")
        wait_for(lambda: self.hup_is_silent(server), "a quieter log")

    def hup_is_silent(self, server):
        size = os.path.getsize(server.log_path)
        server.ask(b"x\n")
        return os.path.getsize(server.log_path) == size

    def test_a_wrong_configuration_changes_nothing(self):
        herd = self.herd(["A", "B"], [("A", "B")]).start()
        server = herd["A"]
        good = json.dumps(herd.config)
        for text, at, word in (('{"limits": {"records_max": 1},\n "log": {"level": "loud"}}', "2:19", "loud"),
                               ("{", "1:2", ""), ('{"servers": {"X": {"port": 1}}}', "", "no such server"),
                               (good.replace('"links"', '"places": {"provider": "file", "file": "/no/such"}, "links"'),
                                "", "/no/such")):
            with open(herd.config_path, "w") as file:
                file.write(text)
            kept = self.kept(server)
            self.assertEqual((kept.level, kept["file"], kept["at"]), ("error", herd.config_path, at))
            self.assertIn(word, kept["why"])
        os.unlink(herd.config_path)
        self.assertIn("No such file", self.kept(server)["why"])
        line = server.ask(b"IAMAT kiwi +1-1 5\n")
        herd.wait_everywhere(b"kiwi", line)
        herd.write()
        self.assertEqual(self.hup(server)["changed"], "0")
        self.assertEqual(self.lost(server), [])

    def test_what_needs_a_restart(self):
        herd = self.herd(["A"]).start()
        server = herd["A"]
        herd.config["servers"]["A"] = {"port": free_port(), "host": "127.0.0.2"}
        herd.config["journal"] = "{name}.journal"
        herd.config["area"] = True
        herd.config["limits"]["records_max"] = 5
        herd.write()
        for _ in range(2):
            done = self.hup(server)
            self.assertEqual(done["restart_needed"], "4")
        self.assertEqual(done["changed"], "0")
        needed = {e["setting"]: (e["in_force"], e["configured"], e.level) for e in server.events("restart_needed")}
        self.assertEqual(needed, {"host": ("127.0.0.1", "127.0.0.2", "warn"),
                                  "port": (str(server.port), str(herd.config["servers"]["A"]["port"]), "warn"),
                                  "journal": ("none", "{name}.journal", "warn"), "area": ("false", "true", "warn")})
        self.assertTrue(server.ask(b"IAMAT kiwi +1-1 5\n").startswith(b"AT A "))
        self.assertFalse(os.path.exists(os.path.join(herd.dir, "A.journal")))
        server.wait_event("setting_changed", setting="limits.records_max")

    def test_other_places(self):
        stub = PlacesStub(self)
        stub.mode = "hold"
        herd = self.herd(["A"], places=stub.provider())
        server = herd["A"].start(stub.env)
        client, other = server.client(), server.client()
        line = client.ask(b"IAMAT kiwi +34.068930-118.445127 5\n")
        client.send(b"WHATSAT kiwi 10 3\n")
        wait_for(lambda: stub.requests, "the old provider is asked")
        path = os.path.join(herd.dir, "places.json")
        with open(path, "w") as file:
            json.dump({"type": "FeatureCollection", "features": [
                {"type": "Feature", "properties": {"name": "Here"},
                 "geometry": {"type": "Point", "coordinates": [-118.445127, 34.068930]}}]}, file)
        herd.config["places"] = {"provider": "file", "file": path}
        herd.write()
        self.assertEqual(self.hup(server)["changed"], "1")
        at, answer = other.whatsat(b"kiwi")
        self.assertEqual([place["name"] for place in json.loads(answer)["results"]], ["Here"])
        # Who asked before is answered by whom was asked.
        stub.release()
        at, answer = client.answer()
        self.assertEqual(at, line)
        self.assertNotIn(b"Here", answer)
        self.assertEqual(json.loads(answer)["status"], "OK")
        # A file that stays is read again.
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("Here", "There"))
        self.assertEqual(self.hup(server)["changed"], "0")
        wait_for(lambda: b"There" in other.whatsat(b"kiwi")[1], "the file is read again")
        wait_for(lambda: len(server.events("places_file")) >= 2, "the log says so")


if __name__ == "__main__":
    main()
