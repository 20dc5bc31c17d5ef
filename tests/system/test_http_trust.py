# SPDX-License-Identifier: MIT
"""HTTP and who is who: TLS on its port by the first byte, tokens, certificates, rights, and what a reload changes."""
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from datetime import datetime

from herd import PROGRAM, Client, free_port, main, run, wait_for
from hook_receiver import HookReceiver
from places_stub import PlacesStub
from test_events import Stream
from test_fences import FenceStream
from test_http import HEALTH, HOST, Answer
from test_metrics import figures
from trust import Records, TlsClient, TrustTest, context, day, proof, skip_without_tls

KIWI, BOSS, FEW = ("herd_" + c * 43 for c in "kbf")
IDENTITIES = f"""
kiwi  {proof(KIWI)}  kiwi  kiwi
boss  {proof(BOSS)}  *  *  admin
few   {proof(FEW)}   *  *  connections=1
desk  cert  -  *  admin
"""


def bearer(token):
    return b"Authorization: Bearer " + token.encode() + b"\r\n"


def basic(user, token):
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{token}".encode()) + b"\r\n"


class HttpTrustTest(TrustTest):
    def server(self, identities=IDENTITIES, tls=True, http=None, limits=None, **options):
        herd = self.tls(["A"], identities=identities, limits=limits, **options)
        if not tls:
            del herd.config["tls"]
        server = herd["A"]
        server.http_port = free_port()
        herd.config["servers"]["A"]["http_port"] = server.http_port
        if http:
            herd.config["http"] = http
        herd.write()
        return server.start()

    def http(self, server, certificate=None, tls=True):
        made = TlsClient(server.http_port, context(self.authority.certificate, certificate)) if tls else \
            Client(server.http_port)
        self.addCleanup(made.close)
        return made

    def get(self, client, path=b"/v1/node", fields=b""):
        client.send(b"GET " + path + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n")
        return Answer(client)


class Transport(HttpTrustTest):
    def test_require(self):
        server = self.server()
        self.assertEqual(self.get(self.http(server), b"/healthz").body, b"ok\n")
        plain = self.http(server, tls=False)
        plain.send(HEALTH)
        self.assertEqual(plain.closed_by_server(), b"")
        server.wait_event("tls_expected")

    def test_allow(self):
        """The first byte decides."""
        server = self.server(mode="allow")
        for tls in (True, False):
            self.assertEqual(self.get(self.http(server, tls=tls), b"/healthz").body, b"ok\n")

    def test_a_page_without_tls_is_no_own_page(self):
        """Whoever is on the way writes what http://localhost says; what is by TLS is not its."""
        server = self.server(http={"origins": ["http://map.example"]})
        body = b'{"_type":"location","lat":1,"lon":2,"tst":5}'
        for origin, status in ((b"https://localhost", 200), (b"http://localhost", 403), (b"http://map.example", 200)):
            client = self.http(server)
            client.send(b"POST /pub?d=phone HTTP/1.1\r\n" + HOST + basic("boss", BOSS) + b"Origin: %s\r\nContent-Length: %d\r\n\r\n%s"
                        % (origin, len(body), body))
            self.assertEqual(Answer(client).status, status, origin)

    def test_truncated(self):
        """Without close_notify what is not whole is dropped."""
        server = self.server()
        client = Records(server.http_port, context(self.authority.certificate)).handshake()
        self.addCleanup(client.close)
        client.write(HEALTH + HEALTH[:-4])
        self.assertEqual(client.line(), b"HTTP/1.1 200 OK\r\n")
        client.socket.shutdown(1)
        server.wait_event("tls_truncated")
        self.assertEqual(len(server.events("http", path="/healthz")), 1)

    def test_gone_while_much_is_to_be_sent(self):
        """The end of what it says, then a reset: nobody waits for it until write_stall_ms."""
        server = self.server(identities=None, limits={"viewers_max": 1, "write_stall_ms": 600000})
        tls = context(self.authority.certificate)
        viewer = TlsClient(server.http_port, tls, receive_buffer=4096)
        viewer.send(b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
        lines, asks = TlsClient(server.port, tls), self.http(server)
        self.addCleanup(lines.close)
        while figures(self.get(asks, b"/metrics").body.decode())["herd_events_skipped_total", None] == 0:
            lines.send(b"".join(b"IAMAT c%d-%s +1+1 %.3f\n" % (n, b"x" * 500, time.time()) for n in range(200)))
            for _ in range(200):
                lines.line()
        raw = socket.socket(fileno=viewer.socket.detach())
        raw.shutdown(socket.SHUT_WR)
        server.wait_event("tls_truncated")
        raw.close()
        wait_for(lambda: self.room(asks), "room for a viewer")

    def room(self, client):
        client.send(b"HEAD /v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
        return Answer(client, head_only=True).status == 200

    def test_pipelined(self):
        client = self.http(self.server())
        client.send(HEALTH * 300)
        for _ in range(300):
            self.assertEqual(Answer(client).body, b"ok\n")


class Fences(HttpTrustTest):
    def test_whose(self):
        """Fences are set by those with admin, and tell each of clients that it may ask for."""
        herd = self.tls(["A"], identities=IDENTITIES)
        server = herd["A"]
        del herd.config["tls"]
        server.http_port = free_port()
        herd.config["servers"]["A"]["http_port"] = server.http_port
        herd.config["area"] = True
        herd.write()
        server.start()
        body = b'{"type":"Point","coordinates":[0,0],"radius":100}'
        put = (b"PUT /v1/fences/a HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n" %
               len(body))
        client = self.http(server, tls=False)
        for fields, status in ((b"", 401), (bearer(KIWI), 403), (bearer(BOSS), 201)):
            client.send(put + fields + b"\r\n" + body)
            self.assertEqual(Answer(client).status, status)
        self.assertEqual(self.get(client, b"/v1/fences/a", bearer(KIWI)).status, 200)
        self.assertEqual(self.get(client, b"/v1/fences").status, 401)
        client.send(b"DELETE /v1/fences/a HTTP/1.1\r\n" + HOST + bearer(KIWI) + b"\r\n")
        self.assertEqual(Answer(client).status, 403)
        pairs = b'{"type":"Feature","geometry":null,"properties":{"proximity":10}}'
        client.send(put.replace(b"fences/a", b"fences/p").replace(b"%d" % len(body), b"%d" % len(pairs)) + bearer(BOSS) + b"\r\n" + pairs)
        self.assertEqual(Answer(client).status, 201)
        viewers = [FenceStream(server, "?fence=*", head=bearer(token)) for token in (KIWI, BOSS)]
        for viewer in viewers:
            self.addCleanup(viewer.close)
            viewer.until(lambda viewer=viewer: "hello" in viewer.seen)
        with Client(server.port) as lines:
            lines.send(b"AUTH " + BOSS.encode() + b"\nIAMAT other +0+0 1\n")
            lines.line(), lines.line()
            lines.ask(b"IAMAT kiwi +0+0 1\n")
            viewers[1].until(lambda: len(viewers[1].told) == 3)
            lines.ask(b"IAMAT kiwi +5+5 2\n")
        viewers[1].until(lambda: len(viewers[1].told) == 5)
        viewers[0].until(lambda: len(viewers[0].told) == 2)
        # An event of a pair shows two clients.
        self.assertEqual(viewers[0].events(), [("a", "enter", "kiwi"), ("a", "leave", "kiwi")])
        self.assertEqual({(event["id"], event["other"]) for event in viewers[1].told if "other" in event}, {("kiwi", "other")})


    def test_who_is_in_a_proximity(self):
        """It names clients: who may ask for none of them does not see it. A list counts nobody as refused."""
        see = {"both": "taxi-7,rider-*", "taxi": "taxi-*", "rider": "rider-3", "all": "*", "none": "-", "boss": "-"}
        tokens = {name: "herd_" + name[0].upper() * 43 for name in see} | {"boss": BOSS}
        server = self.server("".join(f"{name} {proof(tokens[name])} * {ask}{' admin' if name in ('boss', 'all') else ''}\n"
                                     for name, ask in see.items()), area=True, mode="allow")
        client = self.http(server)
        fences = {"groups": {"who": "taxi-*", "near": "rider-*"}, "two": {"who": "taxi-7", "near": "rider-3"},
                  "secret": {"who": "vip-1", "near": "*"}, "any": {}, "taxis": {"who": "taxi-*", "near": "taxi-7*"}}
        for name, properties in fences.items():
            body = json.dumps({"type": "Feature", "geometry": None, "properties": {"proximity": 10, **properties}}).encode()
            client.send(b"PUT /v1/fences/%s HTTP/1.1\r\n" % name.encode() + HOST + bearer(BOSS) +
                        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            self.assertEqual(Answer(client).status, 201)
        body = b'{"type":"Point","coordinates":[0,0],"radius":5}'
        client.send(b"PUT /v1/fences/round HTTP/1.1\r\n" + HOST + bearer(BOSS) +
                    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.assertEqual(Answer(client).status, 201)
        for name, seen in (("both", {"groups", "two", "any", "taxis"}), ("taxi", {"any", "taxis"}), ("rider", {"any"}),
                           ("all", set(fences)), ("none", set()), ("boss", set())):
            fields = bearer(tokens[name])
            listed = self.get(client, b"/v1/fences", fields).json()
            self.assertEqual({one["properties"]["name"] for one in listed["features"]}, seen | {"round"}, name)
            self.assertFalse(listed["truncated"])
            for fence in fences:
                one = self.get(client, b"/v1/fences/" + fence.encode(), fields)
                self.assertEqual(one.status, 200 if fence in seen else 404, (name, fence))
            unknown = self.get(client, b"/v1/fences/unknown", fields)
            self.assertEqual(unknown.status, 404)
            if "secret" not in seen:
                self.assertEqual(self.get(client, b"/v1/fences/secret", fields).body, unknown.body)
        with Client(server.port) as lines:
            lines.send(b"AUTH " + tokens["taxi"].encode() + b"\nIAMAT other +0+0 1\nIAMAT third +0+0 1\n")
            lines.lines(3)
        for path in (b"/v1/clients", b"/api/0/last"):
            self.assertEqual(self.get(client, path, bearer(tokens["taxi"])).status, 200)
        self.assertEqual(self.get(client, b"/v1/node", bearer(BOSS)).json()["not_allowed"], 0)


class Rights(HttpTrustTest):
    def test_tokens(self):
        """A request brings its proof; on one connection each has its own."""
        server = self.server()
        client = self.http(server)
        for fields, status in ((b"", 401), (bearer(BOSS), 200), (b"", 401), (basic("anybody", BOSS), 200),
                               (bearer(KIWI), 403), (basic("kiwi", KIWI), 403), (bearer(BOSS), 200),
                               (bearer("herd_" + "w" * 43), 401), (bearer(BOSS), 200), (basic("boss", ""), 401),
                               (b"Authorization: Bearer \r\n", 401), (b"Authorization: Digest x\r\n", 401),
                               (b"Authorization: Basic ====\r\n", 401), (b"Authorization: Basic YQ==\r\n", 401),
                               (bearer(BOSS) + bearer(BOSS), 401), (b"authorization: bEARER " + BOSS.encode() + b"\r\n", 200)):
            answer = self.get(client, fields=fields)
            self.assertEqual(answer.status, status, fields)
            self.assertEqual(answer["www-authenticate"], 'Bearer realm="herd"' if status == 401 else None, fields)
        self.assertEqual(self.get(client, b"/healthz").status, 200)  # everybody's
        server.wait_event("auth_failed")
        for token in (KIWI, BOSS):
            self.assertNotIn(token, server.log_text())
            self.assertNotIn(base64.b64encode(f"anybody:{token}".encode()).decode(), server.log_text())

    def test_anonymous(self):
        """Who proves nothing has what is written down for that."""
        server = self.server(identities=IDENTITIES + "anonymous - - *\n")
        client = self.http(server)
        self.assertEqual(self.get(client, b"/api/0/last").status, 200)
        self.assertEqual(self.get(client).status, 401)
        server = self.server()
        self.assertEqual(self.get(self.http(server), b"/api/0/last").status, 401)

    def test_places_of_others(self):
        """Unknown and not yours are alike, whatever is asked; what there is to ask is no secret."""
        client = self.http(self.server())
        places = b"/v1/clients/%s/places?radius=%s"
        there = self.get(client, places % (b"nobody", b"1"), bearer(BOSS))
        not_theirs = [self.get(client, places % (b"other", radius), bearer(KIWI)) for radius in (b"1", b"x")]
        self.assertEqual([one.status for one in (there, *not_theirs)], [404] * 3)
        self.assertEqual({one.body for one in not_theirs}, {there.body})
        self.assertEqual(self.get(client, places % (b"kiwi", b"1")).status, 401)
        self.assertEqual(self.get(client, b"/openapi.json").status, 200)

    def test_a_report_for_another(self):
        """It is refused, counted, and in the log, as by a line."""
        server = self.server()
        client = self.http(server)
        body = b'{"lat":1,"lon":2}'
        client.send(b"PUT /v1/clients/lime HTTP/1.1\r\n" + HOST + bearer(KIWI) + b"Content-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.assertEqual(Answer(client).status, 403)
        self.assertEqual(self.get(client, b"/v1/node", bearer(BOSS)).json()["not_allowed"], 1)
        server.wait_event("not_allowed", detail="kiwi lime")

    def test_who_is_beyond_the_anonymous(self):
        """What everybody may ask for is answered meanwhile, and no more time is given for it."""
        server = self.server(identities="anonymous - * * connections=1\n", tls=False,
                             limits={"peer_hello_ms": 1000, "client_idle_ms": 300000})
        inside = self.http(server, tls=False)
        self.assertEqual(self.get(inside, b"/healthz").status, 200)
        beyond = [self.http(server, tls=False) for _ in range(5)]
        for client in beyond:
            self.assertEqual(self.get(client, b"/healthz").status, 200)
        for client in beyond:
            self.assertEqual(client.closed_by_server(), b"")
        self.assertEqual(self.get(inside, b"/healthz").status, 200)

    def test_certificate(self):
        server = self.server()
        desk = self.authority.issue("desk", role="client", usage="clientAuth")
        client = self.http(server, certificate=desk)
        self.assertEqual(self.get(client).status, 200)
        self.assertEqual(self.get(client, fields=bearer(KIWI)).status, 403)  # a token comes before it
        self.assertEqual(self.get(client).status, 200)

    def test_in_clear(self):
        """A token on a connection that others can read is refused; loopback is none, nor is a trusted proxy's."""
        server = self.server(tls=False, http={"proxies": ["127.0.0.2"]})
        self.assertEqual(self.get(self.http(server, tls=False), fields=bearer(BOSS)).status, 200)
        proxied = Client(server.http_port, source="127.0.0.2")
        self.addCleanup(proxied.close)
        proxied.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n")
        self.assertEqual(self.get(proxied, fields=bearer(BOSS)).status, 200)

    def test_connections_of_an_identity(self):
        server = self.server()
        first, second = self.http(server), self.http(server)
        self.assertEqual(self.get(first, b"/api/0/last", bearer(FEW)).status, 200)
        refused = self.get(second, b"/api/0/last", bearer(FEW))
        self.assertEqual((refused.status, refused["retry-after"]), (429, "10"))
        first.close()
        wait_for(lambda: self.get(second, b"/api/0/last", bearer(FEW)).status == 200, "there is room again")

    def test_without_identities(self):
        """Then everybody may, and credentials are nobody's business."""
        client = self.http(self.server(identities=None))
        for fields in (b"", bearer(BOSS), basic("a", "b"), b"Authorization: Digest x\r\n"):
            self.assertEqual(self.get(client, fields=fields).status, 200)

    def test_reload(self):
        """A token that is taken out takes its connections with it."""
        server = self.server()
        boss, kiwi = self.http(server), self.http(server)
        self.assertEqual(self.get(boss, fields=bearer(BOSS)).status, 200)
        self.assertEqual(self.get(kiwi, b"/api/0/last", bearer(KIWI)).status, 200)
        self.identities(server.herd, IDENTITIES.replace("boss", "#boss"))
        self.hup(server)
        boss.closed_by_server()
        server.wait_event("identity_gone")
        server.wait_event("access_by_identity", identities="3")
        self.assertEqual(self.get(kiwi, b"/api/0/last", bearer(KIWI)).status, 200)
        self.assertEqual(self.get(kiwi, fields=bearer(BOSS)).status, 401)

    def test_rights_that_viewers_had(self):
        """Identities come and go: viewers come again, and see what they may see then."""
        server = self.server(identities="anonymous - *  a*\n", tls=False)
        with Client(server.port) as client:
            client.ask(b"IAMAT a1 +1+1 1\n")
            client.ask(b"IAMAT b1 +1+1 1\n")
        kept = server.herd.config["identities"]
        for identities, ids in ((None, {"a1", "b1"}), (kept, {"a1"})):
            viewer = Stream(server)
            self.addCleanup(viewer.close)
            viewer.until(lambda viewer=viewer: viewer.whole)
            server.herd.config.pop("identities", None)
            if identities:
                server.herd.config["identities"] = identities
            server.herd.write()
            self.hup(server)
            viewer.until_end()
            again = Stream(server)
            self.addCleanup(again.close)
            again.until(lambda again=again: again.whole)
            self.assertEqual(again.ids(), ids)


class Traces(HttpTrustTest):
    def report(self, client, name):
        body = b'{"lat":1,"lon":2}'
        client.send(b"PUT /v1/clients/%s HTTP/1.1\r\n%sContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"
                    % (name, HOST, bearer(BOSS), len(body), body))
        self.assertEqual(Answer(client).status, 200)

    def test_not_yours_looks_as_unknown(self):
        client = self.http(self.server())
        for name in (b"kiwi", b"lime"):
            self.report(client, name)
        mine = self.get(client, b"/v1/clients/kiwi/trace", bearer(KIWI))
        self.assertEqual((mine.status, mine.json()["id"]), (200, "kiwi"))
        answers = [self.get(client, path, bearer(KIWI)) for path in
                   (b"/v1/clients/lime/trace", b"/v1/clients/nobody/trace")]
        self.assertEqual([answer.status for answer in answers], [404, 404])
        self.assertEqual(answers[0].body, answers[1].body)
        self.assertEqual(self.get(client, b"/v1/clients/kiwi/trace").status, 401)


class Guessing(HttpTrustTest):
    """A wrong token is answered late, as by AUTH."""

    WRONG = bearer("herd_" + "w" * 43)

    def open(self, server):
        return self.http(server, tls=False)

    def guess(self, server, path=b"/v1/node", method=b"GET", more=b""):
        client = self.open(server)
        client.send(method + b" " + path + b" HTTP/1.1\r\n" + HOST + self.WRONG + more + b"\r\n")
        return client

    def test_others_do_not_wait(self):
        server = self.server(tls=False)
        wrong = self.guess(server, more=b"\r\nGET /healthz HTTP/1.1\r\n" + HOST)
        boss = self.open(server)
        for _ in range(20):
            self.assertEqual(self.get(boss, fields=bearer(BOSS)).status, 200)
        self.assertTrue(wrong.silent())
        answer = Answer(wrong)
        self.assertEqual((answer.status, answer["www-authenticate"]), (401, 'Bearer realm="herd"'))
        self.assertEqual(Answer(wrong).body, b"ok\n")  # what stands behind it waits for it
        self.assertEqual(self.get(wrong, fields=bearer(BOSS)).status, 200)
        self.assertEqual(self.get(boss, fields=bearer(BOSS)).json()["auth_failed"], 1)

    def test_bodies(self):
        server = self.server(tls=False)
        head = b"Content-Type: application/json\r\n"
        whole = self.guess(server, b"/v1/clients/kiwi", b"PUT", head + b"Content-Length: 2\r\n\r\n{}GET /healthz HTTP/1.1\r\n" +
                           HOST)
        cut = self.guess(server, b"/v1/clients/kiwi", b"PUT", head + b"Content-Length: 2000\r\n\r\n{}")
        chunks = self.guess(server, b"/v1/clients/kiwi", b"PUT", head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        self.assertEqual(Answer(whole).status, 401)
        self.assertEqual(Answer(whole).body, b"ok\n")
        for client in (cut, chunks):
            answer = Answer(client)
            self.assertEqual((answer.status, answer["connection"]), (401, "close"))
            self.assertEqual(client.closed_by_server(), b"")

    def test_who_goes(self):
        server = self.server(tls=False)
        for _ in range(20):
            self.guess(server).close()
        half = self.guess(server)
        half.half_close()
        self.assertEqual(Answer(half).status, 401)
        self.assertEqual(half.closed_by_server(), b"")
        self.guess(server)
        self.assertEqual(server.stop(), 0)

    def test_a_crowd(self):
        """So many wait; the others are refused at once, and nobody's memory grows."""
        server = self.server(tls=False)
        clients = [self.guess(server) for _ in range(270)]
        answers = [Answer(client).status for client in clients]
        self.assertEqual(answers, [401] * 270)
        self.assertEqual(self.get(self.open(server), fields=bearer(BOSS)).status, 200)


class Viewers(HttpTrustTest):
    """Streams that are open while who is who changes."""

    def report(self, server, name, time):
        body = b'{"lat":1,"lon":2,"time":%d}' % time
        client = self.http(server, tls=False)
        client.send(b"PUT /v1/clients/%s HTTP/1.1\r\n%sContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"
                    % (name, HOST, bearer(BOSS), len(body), body))
        self.assertEqual(Answer(client).status, 200)

    def stream(self, server, token, last_id=None):
        stream = Stream(server, last_id=last_id, head=bearer(token))
        self.addCleanup(stream.close)
        stream.until(lambda: stream.whole or stream.times)
        return stream

    def test_rights_are_those_of_now(self):
        server = self.server(tls=False)
        for name in (b"kiwi", b"lime"):
            self.report(server, name, 1700000000)
        kiwi, few, boss = (self.stream(server, token) for token in (KIWI, FEW, BOSS))
        self.assertEqual([kiwi.ids(), few.ids(), boss.ids()], [{"kiwi"}, {"kiwi", "lime"}, {"kiwi", "lime"}])
        self.identities(server.herd, f"""
kiwi  {proof(KIWI)}  lime  lime
boss  {proof(BOSS)}  *  *  admin
""")
        self.hup(server)
        server.wait_event("identity_gone")
        for stream in (kiwi, few, boss):
            stream.client.closed_by_server()  # who may see what may be another thing now: they come again
        self.report(server, b"kiwi", 1700000001)
        self.report(server, b"lime", 1700000002)
        kiwi = self.stream(server, KIWI, kiwi.last_id)
        self.assertEqual(kiwi.times, {"lime": "1700000002"})
        boss = self.stream(server, BOSS, boss.last_id)
        boss.until(lambda: boss.times == {"kiwi": "1700000001", "lime": "1700000002"})
        self.assertEqual(self.get(self.http(server, tls=False), b"/v1/events", bearer(FEW)).status, 401)


class AdminPort(HttpTrustTest):
    def admin_herd(self):
        """And a file with a token that has admin."""
        herd = self.tls(["A"], identities=IDENTITIES)
        server = herd["A"]
        server.http_port = free_port()
        herd.config["servers"]["A"]["admin_port"] = server.http_port
        herd.write()
        server.start()
        token = os.path.join(self.directory(), "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write(BOSS + "\n")
        os.chmod(token, 0o600)
        return herd, token

    def test_rights_are_the_same_on_each_port(self):
        herd, token = self.admin_herd()
        server = herd["A"]
        client = self.http(server, tls=False)  # loopback: nobody else reads it
        self.assertEqual(self.get(client).status, 401)
        self.assertEqual(self.get(client, fields=bearer(KIWI)).status, 403)
        self.assertEqual(self.get(client, fields=bearer(BOSS)).status, 200)
        self.assertEqual(self.get(client, b"/healthz").status, 200)
        herd.write()
        self.hup(server)
        self.assertEqual(self.get(client, fields=bearer(BOSS)).status, 200)
        said = subprocess.run([PROGRAM, "-c", herd.config_path, "--verify"], capture_output=True, text=True, check=False,
                              env={**os.environ, "HERD_TOKEN_FILE": token})
        self.assertEqual((said.returncode, said.stderr), (0, ""), said.stdout)

    def test_status_without_the_right(self):
        """A server that tells nothing is not down; a token that cannot be read is said, and nobody is asked without."""
        herd, token = self.admin_herd()

        def status(text=None, path=token, words=("--status",)):
            if text is not None:
                with open(token, "w", encoding="utf-8") as file:
                    file.write(text)
            env = {name: value for name, value in os.environ.items() if name != "HERD_TOKEN_FILE"}
            return subprocess.run([PROGRAM, "-c", herd.config_path, *words], capture_output=True, text=True, check=False,
                                  env={**env, **({"HERD_TOKEN_FILE": path} if path is not None else {})})
        for text, path, why in ((None, None, "answers 401: HERD_TOKEN_FILE has to name"), (None, "", "answers 401: HERD_TOKEN_FILE has to name"),
                                (KIWI[:-1] + "x\n", token, "answers 401: its identities have no such token"),
                                (KIWI + "\n", token, "answers 403: the identity of the token of HERD_TOKEN_FILE has no admin")):
            for words in (("--status",), ("--verify",)):
                said = status(text, path, words)
                self.assertEqual((said.returncode, said.stderr), (2, ""), said.stdout)
                self.assertRegex(said.stdout, "\nA +refuses +" + why)
                self.assertTrue(said.stdout.endswith("\nNOT KNOWN: refused\n"), said.stdout)
        for text, path, why in ((None, token + "-none", "No such file or directory"), (None, os.path.dirname(token), "Is a directory"),
                                ("", token, "no token"), ("\n" + BOSS + "\n", token, "no token"), (BOSS + "x" * 16, token, "no token"),
                                (BOSS + " \n", token, "no token")):
            said = status(text, path)
            self.assertEqual((said.returncode, said.stdout), (2, ""), said.stderr)
            self.assertIn(f"HERD_TOKEN_FILE: {path}: ", said.stderr)
            self.assertIn(why, said.stderr)
        for text in (BOSS, BOSS + "\r\n", BOSS + "\nboss sha256:... more\n"):
            self.assertEqual(status(text).returncode, 0)
        herd["A"].stop()
        said = status()
        self.assertEqual(said.returncode, 0)
        self.assertRegex(said.stdout, r"\nA +down +")


class Secrets(HttpTrustTest):
    """That of lines and files is in test_trust_reload.py."""

    def test_found_nowhere(self):
        """Tokens and keys, however they come by HTTP, are not in the log at its most talkative, in replies, arguments, what is
        printed of the configuration, nor in what is posted to others."""
        stub, hook = PlacesStub(self), HookReceiver(self, b"hook-secret-5a5a5a")
        herd = self.tls(["A"], identities=IDENTITIES, mode="allow", log={"level": "debug", "traffic": True})
        server = herd["A"]
        server.http_port = free_port()
        herd.config["servers"]["A"]["http_port"] = server.http_port
        for name, text in (("hook", "hook-secret-5a5a5a"), ("places", "places-key-6b6b6b"), ("token", BOSS), ("wrong", BOSS + "x")):
            with open(os.path.join(herd.dir, name), "w", encoding="ascii") as file:
                file.write(text + "\n")
            os.chmod(file.name, 0o600)
        provider = stub.provider(key_file=os.path.join(herd.dir, "places"))
        del provider["key_env"]
        herd.config.update(area=True, journal=os.path.join(herd.dir, "{name}.journal"), places=[provider],
                           webhook={"server": "A", **hook.config(secret_file=os.path.join(herd.dir, "hook"))})
        herd.write()
        server.start()
        wrong, said = BOSS[:-1] + "x", []
        json = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        ring = b'{"type":"Polygon","coordinates":[[[-1,-1],[3,-1],[3,3],[-1,3],[-1,-1]]]}'
        place, owntracks = b'{"lat":1,"lon":2}', b'{"_type":"location","lat":1,"lon":2,"tst":5}'
        requests = [(b"PUT /v1/fences/ring", bearer(BOSS) + json % (len(ring), ring), 20),
                    (b"PUT /v1/clients/kiwi", bearer(KIWI) + json % (len(place), place), 200),
                    (b"PUT /v1/clients/kiwi", bearer(wrong) + json % (len(place), place), 401),
                    (b"GET /v1/clients/kiwi/places?radius=1", bearer(KIWI), 200),
                    (b"POST /pub?d=phone", basic("boss", BOSS) + json % (len(owntracks), owntracks), 200),
                    (b"POST /pub?d=phone", basic("boss", wrong) + json % (len(owntracks), owntracks), 401),
                    (b"GET /v1/node", b"Authorization: Bearer " + BOSS.encode() + b" more\r\n", 401),
                    (b"GET /v1/node", b"Authorization: Token " + BOSS.encode() + b"\r\n", 401),
                    (b"GET /v1/node", b"Authorization: " + BOSS.encode() + b"\r\n", 401),
                    (b"GET /v1/node", bearer(BOSS) + bearer(BOSS), None),
                    (b"GET /v1/node", b"Authorization : Bearer " + BOSS.encode() + b"\r\n", 400),
                    (b"GET /v1/node", b"Authorization: Bearer\r\n " + BOSS.encode() + b"\r\n", 400),
                    (b"GET /v1/node", b"Authorization: Bearer " + BOSS.encode() + b"\0\r\n", 400),
                    (b"GET /v1/node?token=" + BOSS.encode(), b"", None),
                    (b"GET http://boss:%s@localhost/v1/node" % BOSS.encode(), b"", None),
                    (b"GET /apps/phonetrack/logGet/%s/kiwi?lat=1&lon=2" % BOSS.encode(), bearer(BOSS), 200),
                    (b"GET /apps/phonetrack/logGet/%s/kiwi/?lat=1&lon=2" % BOSS.encode(), bearer(BOSS), None),
                    (b"PUT /apps/phonetrack/logGet/%s/kiwi?lat=1&lon=2" % BOSS.encode(), bearer(BOSS), None),
                    (b"GET /index.php/apps/phonetrack/logPost/%s" % BOSS.encode(), b"", 404),
                    (b"GET /cloud/index.php/apps/phonetrack/logPost/%s/kiwi" % BOSS.encode(), b"", 404),
                    (b"GET /apps/phonetrack/logGet/%s/kiwi" % BOSS.encode(), b"Host: herd.other\r\n", 421),
                    (b"GET /v1/node", bearer(BOSS), 200), (b"GET /metrics", bearer(BOSS), 200)]
        for tls in (True, False):
            for what, fields, status in requests:
                client = self.http(server, tls=tls)
                client.send(what + b" HTTP/1.1\r\nConnection: close\r\n" + (b"" if b"Host:" in fields else HOST) + fields +
                            (b"" if b"\r\n\r\n" in fields else b"\r\n"))
                said.append(client.closed_by_server())
                if status:
                    self.assertTrue(said[-1].startswith(b"HTTP/1.1 %d" % status), what + fields + said[-1])
        for text in (b"AUTH " + BOSS.encode() + b"\n", b"GET / HTTP/1.1\r\n" + bearer(BOSS) + b"\r\n",
                     b"GET /?token=" + BOSS.encode() + b" HTTP/1.1\r\n", b"IAMAT x +0+0 5\nput /" + BOSS.encode() + b" HTTP/1.0\r\n",
                     b"\xef\xbb\xbf\r\n \tGET http://boss:" + BOSS.encode() + b"@a/ http/1.1\r\n"):
            for port in (server.port, server.http_port):  # at the wrong door too
                with Client(port) as client:
                    client.send(text + b"\n")
                    client.half_close()
                    back = client.closed_by_server()
                    # A line that is no command comes back as it is.
                    if not any(BOSS.encode() in line and b"HTTP/" in line.upper() for line in text.split(b"\n")):
                        said.append(back)
        for token in ("token", "wrong"):
            done = subprocess.run([PROGRAM, "-c", herd.config_path, "--status"], capture_output=True, check=False,
                                  env={**os.environ, "HERD_TOKEN_FILE": os.path.join(herd.dir, token)})
            said += [done.stdout, done.stderr]
        wait_for(lambda: hook.batches and stub.requests, "others were asked")
        said += [run("-c", herd.config_path, "--print-config", "A").stdout, repr(hook.batches).encode()]
        with open(f"/proc/{server.pid}/cmdline", "rb") as file:
            said.append(file.read())
        server.stop()
        for name in sorted(os.listdir(herd.dir)):
            if name.endswith((".log", ".stderr", ".journal", ".json")):
                with open(os.path.join(herd.dir, name), "rb") as file:
                    said.append(file.read())
        self.assertGreater(sum(map(len, said)), 10000)
        hidden = [b"kkkkkkkk", b"bbbbbbbb", b"hook-secret", b"places-key"]
        hidden += [base64.b64encode(f"boss:{token}".encode())[8:40] for token in (BOSS, wrong)]
        for found in said:
            for secret in hidden:
                self.assertNotIn(secret, found)
        self.assertEqual(hook.faults, [])


class Ends(HttpTrustTest):
    def ask(self, server, path):
        return self.get(self.http(server, tls=False), path)

    def test_of_certificates(self):
        herd = self.tls(["A"], own=("A",), crl=True)
        self.authority.issue("A", dates=(day(-1), day(10)))
        server = herd["A"]
        server.http_port = free_port()
        herd.config["servers"]["A"]["admin_port"] = server.http_port
        herd.write()
        server.start()
        text = self.ask(server, b"/metrics").body.decode()
        ends = {labels: value for (name, labels), value in figures(text).items()
                if name == "herd_certificate_end_timestamp_seconds"}
        self.assertEqual(set(ends), {'{file="certificate"}', '{file="ca"}', '{file="crl"}'})
        self.assertLess(abs(ends['{file="certificate"}'] - time.time() - 10 * 86400), 3600)
        self.assertGreater(ends['{file="ca"}'], time.time() + 3000 * 86400)
        if shutil.which("promtool"):
            said = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False)
            self.assertEqual((said.returncode, said.stderr.decode()), (0, ""))
        node = self.ask(server, b"/v1/node").json()
        self.assertEqual(datetime.fromisoformat(node["certificate_ends"].replace("Z", "+00:00")).timestamp(),
                         ends['{file="certificate"}'])
        said = subprocess.run([PROGRAM, "-c", herd.config_path, "--status"], capture_output=True, text=True, check=False)
        self.assertIn(" " + node["certificate_ends"][:10] + " ", said.stdout)
        self.authority.issue("A", dates=(day(-1), day(20)))
        self.hup(server)
        renewed = figures(self.ask(server, b"/metrics").body.decode())["herd_certificate_end_timestamp_seconds",
                                                                  '{file="certificate"}']
        self.assertLess(abs(renewed - ends['{file="certificate"}'] - 10 * 86400), 3600)


if __name__ == "__main__":
    skip_without_tls()
    main()
