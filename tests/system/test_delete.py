# SPDX-License-Identifier: MIT
"""Clients are deleted: in the whole herd, and whoever was away or was killed brings none back."""
import http.client
import time

from herd import *
from plain_server import PlainServer

GONE = rb"\AGONE [A-Za-z0-9._-]+ [+-]\d+\.\d{9} [^ \t\n\v\f\r]+ \d+(\.\d+)?\n\Z"
LIMITS = {"tombstones_max": 1000, "forget_line": 1}


class DeleteTest(HerdTest):
    def wait_gone(self, servers, client_ids):
        for server in servers:
            wait_for(lambda: not any(server.at(one) for one in client_ids), f"{server.name} has none of {client_ids}")

    def forget(self, server, client_id):
        line = server.ask(b"FORGET %s\n" % client_id)
        self.assertRegex(line, GONE)
        return line

    def no_alarm(self, herd):
        for server in herd:
            self.assertEqual(server.events("digest_differs", whole=True), [])

    def test_five_servers(self):
        herd = self.herd(SEED, SEED_LINKS, limits={**LIMITS, "journal_sync_ms": 100, "digest_ms": 500},
                         more={"journal": "{name}.journal"})
        herd.start()
        now = time.time()
        ids = [b"c%d" % i for i in range(40)]
        for i, one in enumerate(ids):
            herd[SEED[i % 5]].ask(b"IAMAT %s +1.%d+2 %.6f\n" % (one, i, now))
        for one in ids:
            herd.wait_same(one)
        # One is away, and knows all of them.
        herd["Campbell"].kill()
        for i, one in enumerate(ids[:20]):
            self.forget(herd[SEED[i % 3]], one)
        others = [server for server in herd if server.running]
        self.wait_gone(others, ids[:20])
        self.assertEqual(herd["Riley"].ask(b"FORGET c0\n"), b"? FORGET c0\n")
        herd["Campbell"].start()
        self.assertEqual(herd["Campbell"].wait_event("journal_read")["records"], "40")
        herd.wait_linked()
        self.wait_gone(herd, ids[:20])
        for one in ids[20:]:
            self.assertIsNotNone(herd.wait_same(one))
        # An older report is answered, and is nothing.
        self.assertRegex(herd["Campbell"].ask(b"IAMAT c0 +5+5 %.6f\n" % now), AT)
        self.assertIsNone(herd["Campbell"].at(b"c0"))
        # All are killed, each comes back alone: what is deleted stays so, by what was written down.
        time.sleep(0.5)  # more than journal_sync_ms
        for server in herd:
            server.kill()
        for server in herd:
            server.start()
            server.wait_event("journal_read")
            self.wait_gone([server], ids[:20])
            self.assertIsNotNone(server.at(b"c20"))
        herd.wait_linked()
        # A later report brings one back, everywhere.
        line = herd["Bernard"].ask(b"IAMAT c0 +7+7 %.6f\n" % (time.time() + 1))
        self.assertRegex(line, AT)
        herd.wait_everywhere(b"c0", line)
        self.wait_gone(herd, ids[1:20])
        self.no_alarm(herd)
        self.assertEqual(set(herd.stop().values()), {0})

    def test_partition(self):
        """Both sides go on; the later word counts."""
        herd = self.herd(["A", "B"], [("A", "B")], limits={**LIMITS, "digest_ms": 200, "redial_max_ms": 100})
        wire = herd.wire("A", "B")
        herd.start()
        now = time.time()
        for one in (b"one", b"two"):
            herd.wait_everywhere(one, herd["A"].ask(b"IAMAT %s +1+1 %.6f\n" % (one, now)))
        wire.set("cut")
        wait_for(lambda: not herd["A"].links_up() and not herd["B"].links_up(), "the link is down")
        self.forget(herd["A"], b"one")
        self.forget(herd["A"], b"two")
        self.assertIsNotNone(herd["B"].at(b"one"))
        line = herd["B"].ask(b"IAMAT two +2+2 %.6f\n" % (time.time() + 5))
        wire.set("open")
        herd.wait_linked()
        self.wait_gone(herd, [b"one"])
        herd.wait_everywhere(b"two", line)
        self.no_alarm(herd)

    def test_plain(self):
        """A plain neighbour is not told, and cannot bring back what it knows."""
        herd = self.herd(["A", "B", "P"], [("A", "B"), ("A", "P")], limits=LIMITS)
        herd.config["servers"]["P"]["plain"] = True
        herd.write()
        stranger = PlainServer("P", herd["P"].port, {"A": herd["A"].port})
        self.addCleanup(stranger.stop)
        stranger.start()
        ours = [herd["A"], herd["B"]]
        for server in ours:
            server.start()
        wait_for(lambda: herd["A"].links_up() >= {"B"}, "A and B are linked")
        line = herd["B"].ask(b"IAMAT kiwi +1+1 %.6f\n" % time.time())
        wait_for(lambda: stranger.known(b"kiwi") == line, "P is told")
        self.forget(herd["B"], b"kiwi")
        self.wait_gone(ours, [b"kiwi"])
        with Client(herd["A"].port) as client:  # as P would
            client.send(line)
            client.half_close()
            client.rest()
        later = herd["A"].ask(b"IAMAT kea +1+1 %.6f\n" % time.time())
        wait_for(lambda: stranger.known(b"kea") == later, "P is told of what came behind it")
        self.wait_gone(ours, [b"kiwi"])
        self.assertEqual(stranger.known(b"kiwi"), line)
        self.assertTrue(all(line.startswith(b"AT ") for line in stranger.messages), stranger.messages)
        back = b"AT P +0.1 kiwi +3+3 %.6f\n" % (time.time() + 9)
        with Client(herd["A"].port) as client:
            client.send(back)
            client.half_close()
            client.rest()
        for server in ours:
            wait_for(lambda: server.at(b"kiwi") == back, f"{server.name} has {back!r}")

    def test_off(self):
        """Nothing can be deleted unless it is configured; a neighbour that was not told so is not told of it."""
        herd = self.herd(["A", "B"], [("A", "B")], limits={"digest_ms": 200})
        herd.limit("A", **LIMITS)
        herd.start()
        herd["A"].wait_event("peer_cannot_delete", detail="B")
        line = herd["A"].ask(b"IAMAT kiwi +1+1 %.6f\n" % time.time())
        herd.wait_everywhere(b"kiwi", line)
        self.assertEqual(herd["B"].ask(b"FORGET kiwi\n"), b"? FORGET kiwi\n")
        self.forget(herd["A"], b"kiwi")
        self.assertIsNone(herd["A"].at(b"kiwi"))
        line = herd["A"].ask(b"IAMAT kea +1+1 %.6f\n" % time.time())
        herd.wait_everywhere(b"kea", line)
        self.assertIsNone(herd["A"].at(b"kiwi"))
        self.assertIsNotNone(herd["B"].at(b"kiwi"))
        # B learns to: the link is made anew, and B hears of it.
        herd.limit("B", **LIMITS)
        herd["B"].config_path = herd["A"].config_path
        herd["B"].stop()
        herd["B"].start()
        herd.wait_linked()
        self.wait_gone([herd["B"]], [b"kiwi"])
        self.no_alarm(herd)

    def test_reload(self):
        herd = self.herd(["A", "B"], [("A", "B")])
        herd.start()
        herd.config["limits"].update(LIMITS)
        herd.write()
        for server in herd:
            self.hup(server)
        herd["A"].wait_event("peer_down", why="deletion_changed")
        herd.wait_linked()
        herd.wait_everywhere(b"kiwi", herd["A"].ask(b"IAMAT kiwi +1+1 %.6f\n" % time.time()))
        wait_for(lambda: herd["A"].ask(b"FORGET kiwi\n").startswith(b"GONE "), "A deletes")
        self.wait_gone(herd, [b"kiwi"])

    def test_rights(self):
        herd = self.herd(["A"], [], limits=LIMITS, more={"identities": "identities"})
        with open(os.path.join(herd.dir, "identities"), "w") as file:
            file.write("anonymous - * * delete=temp-*\n")
        herd.start()
        for one in (b"temp-1", b"kiwi"):
            herd["A"].ask(b"IAMAT %s +1+1 5\n" % one)
        self.forget(herd["A"], b"temp-1")
        for one in (b"temp-1", b"kiwi", b"nobody"):
            self.assertEqual(herd["A"].ask(b"FORGET %s\n" % one), b"? FORGET %s\n" % one)
        self.assertIsNotNone(herd["A"].at(b"kiwi"))
        herd["A"].wait_event("not_allowed", detail="anonymous kiwi")

    def test_http(self):
        """By HTTP an identity deletes what it may, as often as it may report."""
        port = free_port()
        herd = self.herd(["A", "B"], [("A", "B")], limits=LIMITS, more={"identities": "identities"})
        herd.config["servers"]["A"]["http_port"] = port
        herd.write()
        with open(os.path.join(herd.dir, "identities"), "w") as file:
            file.write("anonymous - * * delete=temp-* reports=1 burst=2\n")
        herd.start()

        def delete(client_id):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
            self.addCleanup(connection.close)
            connection.request("DELETE", "/v1/clients/" + client_id)
            return connection.getresponse().status

        with herd["B"].client() as client:
            lines = [client.ask(b"IAMAT %s +1+1 5\n" % one) for one in (b"temp-1", b"kiwi")]
        herd.wait_everywhere(b"temp-1", lines[0])
        self.assertIn(delete("kiwi"), (401, 403, 404))
        self.assertEqual(delete("temp-1"), 204)
        self.wait_gone(herd, [b"temp-1"])
        wait_for(lambda: delete("temp-1") == 429, "more than one a second is too many")
        self.assertIsNotNone(herd["A"].at(b"kiwi"))

    def test_expiry(self):
        """With expire_ms tombstones go as records do; here only that they keep their word until then."""
        herd = self.herd(["A", "B"], [("A", "B")], limits={**LIMITS, "expire_ms": 60000})
        herd.start()
        now = time.time()
        herd.wait_everywhere(b"kiwi", herd["A"].ask(b"IAMAT kiwi +1+1 %.6f\n" % now))
        self.forget(herd["B"], b"kiwi")
        self.wait_gone(herd, [b"kiwi"])
        self.assertRegex(herd["A"].ask(b"IAMAT kiwi +2+2 %.6f\n" % now), AT)
        self.assertIsNone(herd["A"].at(b"kiwi"))


if __name__ == "__main__":
    unittest.main()
