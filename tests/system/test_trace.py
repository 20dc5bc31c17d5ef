# SPDX-License-Identifier: MIT
"""The way of a report through a herd: who accepted it, from which neighbour each server heard it first, how often."""
from datetime import datetime, timezone

from herd import free_port, main, wait_for
from openapi import Description
from test_http import HttpTest

#            Riley
#           /     \
#     Jaquez       Bernard
#           \     /
#            Juzang --- Campbell
LINKS = [["Riley", "Jaquez"], ["Riley", "Bernard"], ["Jaquez", "Juzang"], ["Bernard", "Juzang"], ["Juzang", "Campbell"]]
NAMES = ["Riley", "Jaquez", "Bernard", "Juzang", "Campbell"]


class Trace(HttpTest):
    def five(self):
        herd = self.herd(NAMES, LINKS)
        for name in NAMES:
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        for server in herd:
            server.start()
        for server in herd:
            wait_for(lambda s=server: self.get(s, b"/readyz").status == 200, server.name + " is ready")
        return herd

    def trace(self, server, name=b"kiwi", status=200):
        answer = self.get(server, b"/v1/clients/%s/trace" % name)
        self.assertEqual(answer.status, status)
        return answer.json()

    def known(self, herd, name, at):
        """Everybody has the report of this time."""
        for server in herd:
            wait_for(lambda s=server: self.get(s, b"/v1/clients/" + name).status == 200 and
                     self.get(s, b"/v1/clients/" + name).json()["properties"]["time"] == at, f"{at} at {server.name}")

    def test_five_servers(self):
        herd = self.five()
        description = Description(self.get(herd["Riley"], b"/openapi.json").json())
        self.trace(herd["Riley"], status=404)
        herd["Riley"].ask(b"IAMAT kiwi +34.068930-118.445127 1614209128.918963997\n")
        self.known(herd, b"kiwi", "1614209128.918963997")
        for server in herd:
            seen = self.trace(server)
            self.assertEqual((seen["id"], seen["server"], seen["time"]), ("kiwi", "Riley", "1614209128.918963997"))
            self.assertEqual((seen["heard_from"], seen["delay_ms"]), (None, None), server.name)
            accepted, since = (datetime.fromisoformat(seen[name].replace("Z", "+00:00"))
                               for name in ("accepted", "traced_since"))
            self.assertLessEqual(accepted, since)
            self.assertLess((datetime.now(timezone.utc) - accepted).total_seconds(), 60)
            self.assertRegex(seen["accepted"], r"\.\d{3}Z$")

        herd["Riley"].ask(b"IAMAT kiwi +34.068930-118.445127 1614209129.5\n")
        self.known(herd, b"kiwi", "1614209129.5")
        first = {"Riley": {None}, "Jaquez": {"Riley", "Juzang"}, "Bernard": {"Riley", "Juzang"},
                 "Juzang": {"Jaquez", "Bernard"}, "Campbell": {"Juzang"}}
        for server in herd:
            seen = self.trace(server)
            self.assertEqual(seen["server"], "Riley")
            self.assertIn(seen["heard_from"], first[server.name], server.name)
            self.assertLessEqual(seen["copies"], 2)
            description.answer("GET", "/v1/clients/{id}/trace", self.get(server, b"/v1/clients/kiwi/trace"))
            if server.name == "Riley":
                self.assertIsNone(seen["delay_ms"])
            else:
                self.assertGreaterEqual(seen["delay_ms"], 0)  # one machine, one clock
                self.assertLess(seen["delay_ms"], 60000)
                self.assertGreaterEqual(seen["copies"], 1)
        self.assertEqual(self.trace(herd["Campbell"])["copies"], 1)

    def test_a_cut_is_gone_round(self):
        herd = self.five()
        herd["Riley"].ask(b"IAMAT kiwi +34.068930-118.445127 1614209128\n")
        self.known(herd, b"kiwi", "1614209128")
        self.trace(herd["Juzang"])
        herd["Jaquez"].stop()
        herd["Riley"].ask(b"IAMAT kiwi +34.068930-118.445127 1614209129\n")
        wait_for(lambda: self.trace(herd["Juzang"])["time"] == "1614209129", "the newer one at Juzang")
        self.assertEqual(self.trace(herd["Juzang"])["heard_from"], "Bernard")

    def test_as_many_as_may_be(self):
        server = self.server(limits={"traces_max": 2})
        for name in (b"a", b"b", b"c"):
            server.ask(b"IAMAT %s +1+2 5\n" % name)
            since = self.trace(server, name)["traced_since"]
            self.assertIsNotNone(since)
        other = self.server("B", limits={"traces_max": 0})
        other.ask(b"IAMAT a +1+2 5\n")
        seen = self.trace(other, b"a")
        self.assertEqual((seen["server"], seen["copies"], seen["traced_since"]), ("B", 0, None))

    def test_ids_are_text(self):
        server = self.server()
        server.ask(b'IAMAT a"b/<c>\xff\\ +1+2 5\n')
        seen = self.trace(server, b"a%22b%2F%3Cc%3E%FF%5C")
        self.assertEqual(seen["id"], 'a"b/<c>\ufffd\\')
        self.trace(server, b"nobody", 404)
        for name in (b"a%20b", b"%0a", b"a%00b"):
            self.trace(server, name, 400)
        description = Description(self.get(server, b"/openapi.json").json())
        description.answer("GET", "/v1/clients/{id}/trace", self.get(server, b"/v1/clients/a%20b/trace"))


if __name__ == "__main__":
    main()
