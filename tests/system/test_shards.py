# SPDX-License-Identifier: MIT
"""Two herds of two servers each that share all clients: who answers for whom, by line and by HTTP; another set of herds
while they run; keys."""
import hashlib
import hmac
import json
import os
import signal
import subprocess
import unittest

from herd import DEADLINE, environment, AT, Client, HerdTest, free_port, main, run, wait_for
from test_http import Answer

A, B, C = 0x9e3779b97f4a7c15, 0xd1342543de82ef95, 0xaf251af3b0f025b5
M = 2 ** 64 - 1


# ---- buckets and herds, once more, by the words of PROTOCOL.md ----

def fold(a, b):
    return (a * b & M) ^ (a * b >> 64)


def hash_of(seed, data):
    if len(data) < 16:
        blocks = [data + bytes(16 - len(data))]
    else:
        blocks = [data[i:i + 16] for i in range(0, len(data) - 15, 16)]
        if len(data) % 16:
            blocks.append(data[-16:])
    h = seed ^ (len(data) * C & M)
    for block in blocks:
        first, second = (int.from_bytes(half, "little") for half in (block[:8], block[8:]))
        h = fold(h ^ first, (h << 32 & M | h >> 32) ^ A ^ second) + (h ^ B) & M
    return fold(h ^ C, B)


def bucket_of(client_id, key=0):
    return hash_of(key, client_id) >> 52


def herd_of(bucket, names):
    return max(sorted(names, reverse=True),
               key=lambda name: hash_of(hash_of(0, name.encode()), bucket.to_bytes(2, "little")))


def bucket_key(secret):
    pseudo_random = hmac.new(b"herd secret 1", secret, hashlib.sha256).digest()
    return int.from_bytes(hmac.new(pseudo_random, b"bucket key\1", hashlib.sha256).digest()[:8], "big")


def report(client_id, when=5):
    return b"IAMAT %s +1-1 %d\n" % (client_id, when)


NAMES = ["north", "south"]


def ids_of(herd, count, names=NAMES, key=0):
    found, i = [], 0
    while len(found) < count:
        client_id = b"client-%d" % i
        if herd_of(bucket_of(client_id, key), names) == herd:
            found.append(client_id)
        i += 1
    return found


class ShardsTest(HerdTest):
    def herds(self, names=NAMES, key_file=None, http=True, limits=None, start=True):
        """{name of a herd: its Herd of two servers}, all knowing each other."""
        herds, shards = {}, {}
        for name in names:
            herd = self.herd(["A", "B"], [("A", "B")], limits=limits)
            for server in herd.config["servers"]:
                herd[server].http_port = free_port()
                herd.config["servers"][server]["http_port"] = herd[server].http_port
            shards[name] = {"servers": ["127.0.0.1:%d" % herd[server].port for server in ("A", "B")]}
            if http:
                shards[name]["http"] = "http://127.0.0.1:%d" % herd["A"].http_port
            herds[name] = herd
        for name, herd in herds.items():
            herd.config["shards"] = {"herds": shards, "self": name, **({"key_file": key_file} if key_file else {})}
            herd.write()
            if start:
                herd.start()
        return herds

    def see(self, herd, bucket):
        """The lines SEE that name a server of a herd."""
        return {b"SEE 127.0.0.1 %d %d\n" % (herd[name].port, bucket) for name in ("A", "B")}

    def ask_http(self, server, request):
        with Client(server.http_port) as client:
            client.send(request)
            return Answer(client)

    def test_lines(self):
        herds = self.herds()
        for own, other in (("north", "south"), ("south", "north")):
            server = herds[own]["A"]
            foreign, ours = ids_of(other, 20), ids_of(own, 20)
            with server.client() as client:
                for client_id in ours:
                    self.assertRegex(client.ask(report(client_id)), AT)
                heard = set()
                for client_id in foreign:
                    expected = self.see(herds[other], bucket_of(client_id))
                    for line in (report(client_id), b"WHATSAT %s 10 5\n" % client_id):
                        reply = client.ask(line)
                        self.assertIn(reply, expected)
                        heard.add(reply.split()[2])
                self.assertEqual(len(heard), 2, "both servers of the other herd are named")
                self.assertEqual(client.ask(b"SEE 127.0.0.1 1 1\n"), b"? SEE 127.0.0.1 1 1\n")
                self.assertEqual(client.ask(b"IAMAT %s +91-1 5\n" % foreign[0]), b"? IAMAT %s +91-1 5\n" % foreign[0])
            event = server.wait_event("client_of_another_herd")
            self.assertTrue(event["client"].startswith("127.0.0.1:"), event)
            text = self.ask_http(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").body.decode()
            self.assertIn("herd_foreign_total 40\n", text)
            self.assertIn("herd_clients 20\n", text)
        # Each client is where it belongs, on both servers of its herd, and nowhere else.
        for own in NAMES:
            for client_id in ids_of(own, 20):
                wait_for(lambda: herds[own]["B"].ask(b"WHATSAT %s 10 0\n" % client_id).startswith(b"AT A "), "flooded")

    def test_http(self):
        herds = self.herds()
        server, (client_id,) = herds["north"]["B"], ids_of("south", 1)
        name = client_id.decode()
        body = b'{"lat": 1.5, "lon": -1.5}'
        put = (b"PUT /v1/clients/%s?x=%%20y HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n%s")
        for request, path in (
                (put % (client_id, len(body), body), f"/v1/clients/{name}?x=%20y"),
                (b"GET /v1/clients/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % client_id, f"/v1/clients/{name}"),
                (b"GET /v1/clients/%s/places?radius=1 HTTP/1.1\r\nHost: localhost\r\n\r\n" % client_id,
                 f"/v1/clients/{name}/places?radius=1"),
                (b"GET /v1/clients/%s/trace HTTP/1.1\r\nHost: localhost\r\n\r\n" % client_id, f"/v1/clients/{name}/trace"),
                (b"GET /?id=%s&lat=1&lon=2 HTTP/1.1\r\nHost: localhost\r\n\r\n" % client_id, f"/?id={name}&lat=1&lon=2")):
            answer = self.ask_http(server, request)
            self.assertEqual(answer.status, 307, (request, answer.line, answer.body))
            self.assertEqual(answer["location"], "http://127.0.0.1:%d%s" % (herds["south"]["A"].http_port, path))
            self.assertEqual(answer["content-type"], "application/problem+json")
            self.assertEqual(answer.json()["type"], "/problems/another-herd")
            self.assertEqual(answer["cache-control"], "no-store")
        # There the same request is taken.
        answer = self.ask_http(herds["south"]["A"], put % (client_id, len(body), body))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["state"], "new")

    def test_http_that_is_not_known(self):
        herds = self.herds(http=False)
        (client_id,) = ids_of("south", 1)
        for request in (b"GET /v1/clients/%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET /v1/clients/%s/places?radius=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET /v1/clients/%s/trace HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"DELETE /v1/clients/%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        b"GET /?id=%s&lat=1&lon=2 HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            answer = self.ask_http(herds["north"]["A"], request % client_id)
            self.assertEqual((answer.status, answer["location"]), (421, None), (request, answer.body))
            self.assertEqual(answer.json()["type"], "/problems/another-herd")

    def test_batch_of_a_phone(self):
        """Of a batch some of which belongs here, nothing comes again: the rest is counted as skipped."""
        herds = self.herds()
        server = herds["north"]["A"]
        (ours,), (foreign,) = ids_of("north", 1), ids_of("south", 1)

        def overland(*ids):
            body = json.dumps({"locations": [
                {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 1]},
                 "properties": {"timestamp": "2021-05-19T22:53:47Z", "device_id": i.decode()}} for i in ids]}).encode()
            return self.ask_http(server, b"POST /overland HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                 b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

        self.assertEqual(overland(foreign, foreign).status, 307)
        self.assertEqual(overland(foreign, ours).status, 200)
        server.wait_event("tracker_skipped", why="another_herd")

    def follower(self, *args):
        """The library's client."""
        process = subprocess.Popen([os.environ["HERD_FOLLOWER"], *args], env=environment(), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        return process

    def follow(self, process, lines):
        """What came of lines, by id: (error, port, time or None)."""
        process.stdin.write("".join(line + "\n" for line in lines + ["WAIT"]))
        process.stdin.flush()
        came = [process.stdout.readline().split() for _ in lines]
        return [(words[0], int(words[1]), int(words[2]), words[3] if len(words) > 3 else None) for words in came]

    def end(self, process):
        out, err = process.communicate(timeout=2 * DEADLINE)
        self.assertEqual((process.returncode, out, err), (0, "", ""))

    def test_client_follows(self):
        herds = self.herds()
        home = "127.0.0.1:%d" % herds["north"]["A"].port
        ports = {name: {herds[name][server].port for server in ("A", "B")} for name in NAMES}
        ids = {name: ids_of(name, 100) for name in NAMES}
        names = [i.decode() for name in NAMES for i in ids[name]]
        for when, key in ((5, ()), (6, ("--key", "0"))):
            process = self.follower(home, *key)
            came = self.follow(process, ["IAMAT %s +1-1 %d" % (i, when) for i in names])
            # Another server of a herd may be asked than was told.
            for name in NAMES:
                for server in herds[name]:
                    for i in ids[name]:
                        wait_for(lambda: (server.at(i) or b"").endswith(b" +1-1 %d\n" % when), f"{server.name} has {i!r}")
            came += self.follow(process, ["WHATSAT %s" % i for i in names])
            self.end(process)
            for client_id, err, port, _ in came:
                self.assertEqual(err, 0, client_id)
                self.assertIn(port, ports[herd_of(bucket_of(client_id.encode()), NAMES)])
            self.assertEqual({time for *_, time in came[200:]}, {str(when)})
        # One that was not told to follow says so, and loses nothing without a word.
        process = self.follower(home, "--no-follow")
        came = self.follow(process, ["IAMAT %s +1-1 7" % i for i in names])
        self.end(process)
        for client_id, err, port, _ in came:
            own = herd_of(bucket_of(client_id.encode()), NAMES) == "north"
            self.assertEqual(err, 0 if own else -9, client_id)

    def test_client_when_servers_die(self):
        """Of the other herd first one server, then the other is gone: all is reported as soon as one is there."""
        herds = self.herds()
        home = "127.0.0.1:%d" % herds["north"]["A"].port
        south = herds["south"]
        ids = [i.decode() for i in ids_of("south", 50)]
        process = self.follower(home)

        def say(lines):
            process.stdin.write("".join(line + "\n" for line in lines + ["WAIT"]))
            process.stdin.flush()

        def heard():
            return [process.stdout.readline().split()[1:] for _ in ids]

        say(["IAMAT %s +1-1 5" % i for i in ids])
        self.assertEqual({err for err, _ in heard()}, {"0"})
        south["A"].kill()
        say(["IAMAT %s +1-1 6" % i for i in ids])
        self.assertEqual(set(map(tuple, heard())), {("0", str(south["B"].port))})
        south["B"].kill()
        say(["IAMAT %s +1-1 7" % i for i in ids])
        south["A"].start()
        self.assertEqual(set(map(tuple, heard())), {("0", str(south["A"].port))})
        for i in ids:
            self.assertTrue(south["A"].ask(b"WHATSAT %s 1 0\n" % i.encode()).endswith(b" +1-1 7\n"))
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), 0)
        process.stdout.close()
        process.stderr.close()

    def test_reload(self):
        """A third herd is told of, one server after the other: what is held stays, and who moved is told where to."""
        herds = self.herds()
        server = herds["north"]["A"]
        names = NAMES + ["east"]
        stays = [i for i in ids_of("north", 200) if herd_of(bucket_of(i), names) == "north"][0]
        moves = [i for i in ids_of("north", 200) if herd_of(bucket_of(i), names) == "east"][0]
        for client_id in (stays, moves):
            self.assertRegex(server.ask(report(client_id)), AT)
        herds["north"].config["shards"]["herds"]["east"] = {"servers": ["[::1]:9"]}
        herds["north"].write()
        server.signal(signal.SIGHUP)
        server.wait_event("setting_changed", setting="shards")
        self.assertEqual(server.ask(report(moves, 6)), b"SEE ::1 9 %d\n" % bucket_of(moves))
        self.assertEqual(server.ask(b"WHATSAT %s 1 1\n" % moves), b"SEE ::1 9 %d\n" % bucket_of(moves))
        self.assertRegex(server.ask(report(stays, 6)), AT)
        # The other server was not told yet: it takes the client, and its neighbour holds what it says.
        self.assertRegex(herds["north"]["B"].ask(report(moves, 7)), AT)
        wait_for(lambda: b" 7\n" in b"".join(self.dump(server)), "carried over")
        del herds["north"].config["shards"]
        herds["north"].write()
        server.signal(signal.SIGHUP)
        wait_for(lambda: len(server.events("setting_changed", setting="shards")) == 2, "one herd again")
        wait_for(lambda: server.ask(b"WHATSAT %s 1 0\n" % moves).endswith(b" +1-1 7\n"), "what was held")

    def dump(self, server):
        """What it holds, by HTTP."""
        answer = self.ask_http(server, b"GET /v1/clients HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return [b" %d\n" % 7 for f in answer.json()["features"] if str(f["properties"].get("time", "")).endswith("7")]

    def test_key(self):
        if run("--token", "kiwi").returncode != 0:
            self.skipTest("a library without OpenSSL has no keys")
        secret = bytes(range(32))
        herds = self.herds(start=False)
        for own, herd in herds.items():
            for path, key in (("buckets", secret), ("other", bytes(32))):
                with open(os.open(os.path.join(herd.dir, path), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                    file.write(key.hex() + "\n")
            herd.config["shards"]["key_file"] = "buckets"
            herd.write()
            herd.start()
        for own, other in (("north", "south"), ("south", "north")):
            for client_id in ids_of(own, 10, key=bucket_key(secret)):
                self.assertRegex(herds[own]["A"].ask(report(client_id)), AT)
                self.assertIn(herds[other]["A"].ask(report(client_id)),
                              self.see(herds[own], bucket_of(client_id, bucket_key(secret))))
        # Another key: a reload takes it, and it is said.
        server = herds["north"]["A"]
        herds["north"].config["shards"]["key_file"] = "other"
        herds["north"].write()
        server.signal(signal.SIGHUP)
        server.wait_event("setting_changed", setting="shards", was="another key")
        (client_id,) = ids_of("south", 1, key=bucket_key(bytes(32)))
        self.assertIn(server.ask(report(client_id)), self.see(herds["south"], bucket_of(client_id, bucket_key(bytes(32)))))
        # The herd's own secret stands in for one: the same 32 bytes give the same buckets.
        found = run("--check", "-c", herds["north"].config_path, "A", cwd=herds["north"].dir)
        self.assertNotIn(b"key_file", found.stdout + found.stderr)

    def test_check_warns_of_no_key(self):
        herds = self.herds(start=False)
        found = run("--check", "-c", herds["north"].config_path, "A", cwd=herds["north"].dir)
        self.assertIn(b"can give them all to one herd\n", found.stdout + found.stderr)


if __name__ == "__main__":
    main()
