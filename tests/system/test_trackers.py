# SPDX-License-Identifier: MIT
"""Phones: what each app sends, byte for byte, and the answer it waits for; and models of the apps, whose queues have to
drain whatever stands in them."""
import base64
import json
import os
import re
import signal
import subprocess
import unittest

from herd import Client, free_port, main, run, wait_for
from test_http import HOST, Answer, HttpTest
from trust import proof

OK = {
    "owntracks": (b"HTTP/1.1 200 OK\r\nDate: X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                  b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n[]"),
    "osmand": (b"HTTP/1.1 200 OK\r\nDate: X\r\nContent-Length: 0\r\n"
               b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"),
    "overland": (b"HTTP/1.1 200 OK\r\nDate: X\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
                 b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n{\"result\":\"ok\"}"),
}



def with_body(head, body):
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def owntracks(body, *fields):
    if isinstance(body, dict):
        body = json.dumps(body, separators=(",", ":")).encode()
    return with_body(b"POST /pub HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" +
                     b"".join(field + b"\r\n" for field in fields), body)


def feature(device, lon, lat, when):
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"timestamp": when, "device_id": device, "speed": -1, "motion": ["walking"]}}


def overland(locations, *fields):
    body = locations if isinstance(locations, bytes) else json.dumps({"locations": locations}).encode()
    return with_body(b"POST /overland HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" +
                     b"".join(field + b"\r\n" for field in fields), body)


def sized(request):
    """Puts in the length of the body."""
    head, _, body = request.partition(b"\r\n\r\n")
    return head.replace(b"Content-Length: @", b"Content-Length: %d" % len(body)) + b"\r\n\r\n" + body


# As each app sends it: the app, the bytes, what answers, the client, and the line that would say the same.
RECORDED = [
    ("OwnTracks Android 2.5", b'POST /pub HTTP/1.1\r\nX-Limit-U: jane\r\nX-Limit-D: phone\r\nContent-Type: application/json; charset=utf-8\r\n'
     b'Content-Length: @\r\nHost: localhost\r\nConnection: Keep-Alive\r\nAccept-Encoding: gzip\r\nUser-Agent: Owntracks-Android/gms/420500000\r\n\r\n'
     b'{"_type":"location","BSSID":"02:00:00:00:00:00","SSID":"home","acc":14,"alt":57,"batt":83,"bs":1,"conn":"w",'
     b'"created_at":1795694399,"lat":48.8568,"lon":2.2927,"m":1,"t":"u","tid":"ja","tst":1795694395,"vac":2,"vel":0,"_id":"1"}',
     "owntracks", b"jane/phone", b"+48.8568+2.2927 1795694395"),
    ("OwnTracks iOS 18", b'POST /pub HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Limit-U: jane\r\nX-Limit-D: iphone 9\r\n'
     b'Accept: */*\r\nAccept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: OwnTracks/18.4.3 CFNetwork/1568 Darwin/24.0.0\r\n'
     b'Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n'
     b'4d\r\n{"_type":"location","lat":48.856826000000002,"lon":2.292713,"tst":1795694395}\r\n0\r\n\r\n',
     "owntracks", b"jane/iphone%209", b"+48.856826000000002+2.292713 1795694395"),
    ("OsmAnd", b'GET /?id=1234&lat=48.8568&lon=2.2927&timestamp=1795694395123&hdop=14.0&altitude=57.2&speed=1.5 HTTP/1.1\r\n'
     b'User-Agent: OsmAnd~ 4.9\r\nHost: localhost\r\nConnection: Keep-Alive\r\nAccept-Encoding: gzip\r\n\r\n',
     "osmand", b"1234", b"+48.8568+2.2927 1795694395.123"),
    ("Traccar Client 8", b'POST /?id=843259&timestamp=1795694395&lat=48.8568&lon=2.2927&speed=0.0&bearing=0.0&altitude=57.2&accuracy=14.0&batt=83.0 HTTP/1.1\r\n'
     b'User-Agent: Dalvik/2.1.0 (Linux; U; Android 14)\r\nHost: localhost\r\nConnection: Keep-Alive\r\nAccept-Encoding: gzip\r\nContent-Length: 0\r\n\r\n',
     "osmand", b"843259", b"+48.8568+2.2927 1795694395"),
    ("Traccar Client 9", b'POST / HTTP/1.1\r\nContent-Type: application/json\r\nHost: localhost\r\nContent-Length: @\r\nAccept-Encoding: gzip\r\n\r\n'
     b'{"location":{"event":"motionchange","is_moving":false,"uuid":"5d0c","timestamp":"2026-11-26T09:19:55.123Z","odometer":0,'
     b'"coords":{"latitude":48.8568,"longitude":2.2927,"accuracy":14,"speed":-1,"heading":-1,"altitude":57.2},"extras":{}},'
     b'"device_id":"843260"}',
     "osmand", b"843260", b"+48.8568+2.2927 1795684795.123"),
    ("Traccar Client 10", b'POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nHost: localhost\r\nContent-Length: @\r\n\r\n'
     b'id=843261&lat=48.8568&lon=2.2927&timestamp=1795694395&speed=0.0&bearing=0.0&altitude=57.2&accuracy=14.0&batt=83&charge=true',
     "osmand", b"843261", b"+48.8568+2.2927 1795694395"),
    ("GPSLogger, GET", b'GET /?id=ann&lat=48.8568&lon=2.2927&time=2026-11-26T09:19:55.000Z&spd=1.5&acc=14.0&batt=83 HTTP/1.1\r\n'
     b'Host: localhost\r\nConnection: Keep-Alive\r\nUser-Agent: okhttp/4.12.0\r\n\r\n',
     "osmand", b"ann", b"+48.8568+2.2927 1795684795.000"),
    ("GPSLogger, POST without Content-Type", b'POST /?id=ann2 HTTP/1.1\r\nContent-Length: @\r\nHost: localhost\r\n\r\n'
     b'lat=48.8568&lon=-2.2927&timestamp=1795684795&x=1',
     "osmand", b"ann2", b"+48.8568-2.2927 1795684795"),
    ("GPSLogger, PUT without a body", b'PUT /?id=ann3&lat=1&lon=2&timestamp=3 HTTP/1.1\r\nHost: localhost\r\n\r\n',
     "osmand", b"ann3", b"+1+2 3"),
    ("PhoneTrack", b'GET /apps/phonetrack/logGet/0123456789abcdef/bike%201?lat=48.8568&lon=2.2927&alt=57.2&acc=14&bat=83&sat=9'
     b'&speed=1.5&bearing=90&timestamp=1795684795 HTTP/1.1\r\nHost: localhost\r\n\r\n',
     "osmand", b"bike%201", b"+48.8568+2.2927 1795684795"),
    ("Overland iOS", overland([feature("bob", 2.2927, 48.8568, "2026-11-26T09:19:55Z")], b"User-Agent: Overland/1.3"),
     "overland", b"bob", b"+48.8568+2.2927 1795684795"),
    ("Colota", b'POST /pub HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: @\r\n\r\n'
     b'{"_type":"location","tid":"co","lat":4.88568e1,"lon":2.2927E-0,"tst":3}',
     "owntracks", b"co", b"+48.8568+2.2927 3"),
]
RECORDED = [(app, sized(request), *rest) for app, request, *rest in RECORDED]

POISON_OWNTRACKS = [
    b"", b" ", b"{", b"hello", b"[]", b"{}", b'{"_type":"cmd","action":"dump"}', b'{"_type":"card","name":"J","face":"%s"}' % (b"A" * 200000),
    b'{"_type":"waypoint","lat":1,"lon":2,"tst":3}', b'{"_type":"waypoints","waypoints":[]}', b'{"_type":"transition","event":"enter","lat":1,"lon":2,"tst":3}',
    b'{"_type":"lwt","tst":3}', b'{"_type":"status"}', b'{"_type":"steps","steps":7}', b'{"_type":"of 2031"}',
    b'{"_type":"encrypted","data":"AAAA"}', b'{"_type":"location"}', b'{"_type":"location","lat":1,"lat":1,"lon":2,"tst":3}',
    b'{"_type":"location","lat":91,"lon":2,"tst":3}', b'{"_type":"location","lat":1e400,"lon":2,"tst":3}',
    b'{"_type":"location","lat":NaN,"lon":2,"tst":3}', b'{"_type":"location","lat":1,"lon":2,"tst":99999999999999999999}',
    b'{"_type":"location","lat":1,"lon":2,"tst":-1}', b'{"_type":"location","lat":1,"lon":2,"tst":"soon"}',
    b'{"_type":"location","lat":1,"lon":2,"tst":4070908800}', b'{"_type":"location","lat":1,"lon":2,"tst":3,"x":"\xff"}',
    b'{"_type":"location","lat":1,"lon":2,"x":' + b"[" * 5000,
]
POISON_OSMAND = [
    b"", b"id=a", b"lat=1&lon=2", b"id=a&lat=1", b"id=a&lat=NaN&lon=2", b"id=a&lat=91&lon=2", b"id=a&lat=1e400&lon=2", b"id=a&lat=1&lon=2&timestamp=soon",
    b"id=a&lat=1&lon=2&timestamp=-1", b"id=a&lat=1&lon=2&timestamp=4070908800", b"id=%zz&lat=1&lon=2", b"id=a%00b&lat=1&lon=2", b"id=a&id=b&lat=1&lon=2",
    b"id=a&lat=%LAT&lon=%LON", b"id=a&location=1;2", b"%", b"=&=&", b"id=" + b"%41" * 2000 + b"&lat=1&lon=2",
]
POISON_OVERLAND = [
    b"", b"{", b"[]", b"{}", b'{"locations":{}}', b'{"locations":[]}', b'{"locations":[7,null,[],{}]}',
    b'{"locations":[],"locations":[]}', b'{"locations":[' + b"0," * 400000 + b"0]}",
    json.dumps({"locations": [feature("a", 2, 91, "2026-11-26T09:19:55Z"), feature("a", 2, 1, "soon"),
                              {"type": "Feature", "geometry": None, "properties": {"device_id": "a"}},
                              {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 1]}, "properties": {}}]}).encode(),
]


class App:
    """An app with a queue: the head is sent until it is taken, on one connection while that lasts. What it thinks of an
    answer is `taken`; anything else stays at the head."""

    def __init__(self, port, queue):
        self.port, self.queue, self.client, self.requests = port, list(queue), None, 0

    def close(self):
        if self.client:
            self.client.close()
            self.client = None

    def taken(self, answer):
        return 200 <= answer.status < 300

    def step(self):
        self.requests += 1
        if not self.client:
            self.client = Client(self.port)
        self.client.send(self.queue[0])
        answer = Answer(self.client)
        if self.taken(answer):
            self.queue.pop(0)
        if answer["connection"] == "close":
            self.close()
        return answer

    def drain(self, most):
        while self.queue and self.requests < most:
            self.step()
        self.close()


class IOS(App):
    """Drops what is answered with 4xx: that would be lost."""

    def taken(self, answer):
        assert not 400 <= answer.status < 500, answer.line
        return super().taken(answer)


class Overland(App):
    """2xx alone is not enough."""

    def taken(self, answer):
        return super().taken(answer) and answer["content-type"] == "application/json" and answer.json() == {"result": "ok"}


class TrackerTest(HttpTest):
    def raw(self, server, request):
        """The answer's bytes, with X for the date."""
        client = self.http(server)
        client.send(request)
        head = client.until(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return re.sub(rb"Date: [^\r]*", b"Date: X", head) + client.exactly(length)


class Recorded(TrackerTest):
    def test_answers(self):
        """Each request as its app sends it: the answer, and the record a line would have made, but for the difference."""
        server = self.server()
        for app, request, kind, client, said in RECORDED:
            with self.subTest(app):
                self.assertEqual(self.raw(server, request), OK[kind])
                at = server.at(client)
                self.assertIsNotNone(at)
                line = server.ask(b"IAMAT %s-by-line %s\n" % (client, said))
                cut = lambda text: re.sub(rb" [+-]\d+\.\d+ ", b" DIFF ", text, count=1)  # noqa: E731
                self.assertEqual(cut(at), cut(line).replace(b"-by-line", b""))

    def test_split_at_every_byte(self):
        """However the bytes come."""
        server = self.server()
        request = RECORDED[0][1]
        client = self.http(server)
        for at in range(1, len(request), 7):
            client.send(request[:at])
            client.send(request[at:])
            self.assertEqual(Answer(client).body, b"[]")

    def test_batch(self):
        """1000 points of one phone, out of order: the newest stays."""
        server = self.server()
        points = [feature("run", 2.0, round(40 + i / 1000, 3), f"2026-11-26T09:{i // 60 % 60:02}:{i % 60:02}Z") for i in range(1000)]
        points[10], points[999] = points[999], points[10]
        self.assertEqual(self.raw(server, overland(points)), OK["overland"])
        self.assertIn(b" run +40.999+2.0 ", server.at(b"run"))

    def test_reaches_every_server(self):
        herd = self.herd(["A", "B", "C"], [("A", "B"), ("B", "C")])
        for name in "ABC":
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        herd.start()
        for i, (app, request, kind, client, _) in enumerate(RECORDED):
            self.assertEqual(self.raw(herd["ABC"[i % 3]], request), OK[kind], app)
            for name in "ABC":
                wait_for(lambda: herd[name].at(client), f"{name} knows {client}")
            self.assertEqual(len({herd[name].at(client) for name in "ABC"}), 1, app)

    def test_curl(self):
        server = self.server()
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--json", '{"_type":"location","lat":48.8568,"lon":2.2927,"tst":1795694395}',
                               f"http://localhost:{server.http_port}/pub?u=jane&d=phone"], capture_output=True, timeout=30)
        self.assertEqual((done.stdout, done.stderr), (b"[]", b""))
        self.assertIn(b" jane/phone +48.8568+2.2927 1795694395\n", server.at(b"jane/phone"))


class Poison(TrackerTest):
    """What can never succeed is taken from the app: its queue is as long as the requests it needs."""

    def drains(self, server, app, queue, good, client):
        queue = [request for poison in queue for request in (poison, good)]
        model = app(server.http_port, queue)
        model.drain(len(queue))
        self.assertEqual(len(model.queue), 0, model.queue and model.queue[0][:300])
        self.assertIsNotNone(server.at(client))

    def test_owntracks(self):
        server = self.server(limits={"future_refuse": 1})
        good = owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 3}, b"X-Limit-U: jane", b"X-Limit-D: phone")
        queue = [owntracks(body, b"X-Limit-U: jane", b"X-Limit-D: phone") for body in POISON_OWNTRACKS]
        queue += [owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 3, "tid": "ce"}, b"X-Limit-U: user", b"X-Limit-D: device"),
                  owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 3}),
                  owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 3}, b"X-Limit-U: jane", b"X-Limit-D: " + b"x" * 3000)]
        for app in (App, IOS):
            with self.subTest(app):
                self.drains(server, app, queue, good, b"jane/phone")
        self.assertIsNone(server.at(b"user/device"))
        self.assertIsNone(server.at(b"ce"))
        for why in ("invalid", "empty", "not_a_location", "encrypted", "no_position", "out_of_range", "no_id", "future"):
            server.wait_event("tracker_skipped", app="owntracks", why=why)

    def test_osmand(self):
        server = self.server(limits={"future_refuse": 1})
        form = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
        good = with_body(form, b"id=good&lat=1&lon=2&timestamp=3")
        queue = [with_body(form, body) for body in POISON_OSMAND]
        # A percent sign without two digits makes no target of HTTP: that is refused before anybody knows what it is.
        queue += [b"GET /?" + query + b" HTTP/1.1\r\n" + HOST + b"\r\n" for query in POISON_OSMAND
                  if not re.search(rb"%(?![0-9A-Fa-f]{2})", query)]
        queue += [with_body(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n", body)
                  for body in (b"{", b"{}", b'{"device_id":"a","location":7}', b'{"device_id":"a","location":{"coords":{"latitude":91,"longitude":1}}}')]
        self.drains(server, App, queue, good, b"good")
        for why in ("invalid", "empty", "no_position", "out_of_range", "no_id", "id_too_long", "future"):
            server.wait_event("tracker_skipped", app="osmand", why=why)

    def test_overland(self):
        server = self.server(limits={"future_refuse": 1})
        good = overland([feature("bob", 2, 1, "2026-11-26T09:19:55Z")])
        self.drains(server, Overland, [overland(body) for body in POISON_OVERLAND], good, b"bob")
        for why in ("invalid", "empty", "not_a_location", "out_of_range", "no_id", "no_position", "too_many"):
            server.wait_event("tracker_skipped", app="overland", why=why)

    def test_counted(self):
        server = self.server()
        App(server.http_port, [owntracks(b"{")] * 5 + [owntracks(b"")] * 3 + [overland(b"{}")]).drain(9)
        text = self.get(server, b"/metrics").body.decode()
        for why, count in (("invalid", 5), ("empty", 3), ("not_a_location", 1), ("encrypted", 0), ("future", 0)):
            self.assertIn('herd_tracker_skipped_total{why="%s"} %d\n' % (why, count), text)

    def test_log_is_damped(self):
        server = self.server()
        App(server.http_port, [owntracks(b"{")] * 100).drain(100)
        server.wait_event("tracker_skipped", count="64")
        counts = [event["count"] for event in server.events("tracker_skipped")]
        self.assertEqual(counts, ["1", "2", "4", "8", "16", "32", "64"])

    def test_future_is_taken_without_future_refuse(self):
        server = self.server()
        App(server.http_port, [owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 4070908800, "tid": "fu"})]).drain(1)
        self.assertIn(b" fu +1+2 4070908800\n", server.at(b"fu"))


class Trouble(TrackerTest):
    """What passes is refused with 503, and the app's queue waits for it."""

    def test_full(self):
        server = self.server(limits={"records_max": 1})
        server.ask(b"IAMAT first +1-1 5\n")
        app = IOS(server.http_port, [owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 3, "tid": "se"}),
                                     owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 4, "tid": "se"})])
        answer = app.step()
        self.assertEqual((answer.status, answer["retry-after"]), (503, "10"))
        self.assertEqual(len(app.queue), 2)
        server.herd.config["limits"]["records_max"] = 10
        server.herd.write()
        server.signal(signal.SIGHUP)
        server.wait_event("setting_changed")
        wait_for(lambda: app.step().status == 200, "the limit is gone")
        app.drain(app.requests + 1)
        self.assertEqual(app.queue, [])
        self.assertIn(b" se +1+2 4\n", server.at(b"se"))

    def test_server_restarts(self):
        """The queue survives, and comes in when the server is back."""
        server = self.server()
        app = App(server.http_port, [owntracks({"_type": "location", "lat": i, "lon": 2, "tst": i, "tid": "ja"}) for i in range(10)])
        for _ in range(5):
            app.step()
        self.assertEqual(server.stop(), 0)
        app.close()
        with self.assertRaises(OSError):
            app.step()
        app.close()
        server.start()
        app.drain(20)
        self.assertEqual(app.queue, [])
        self.assertIn(b" ja +9+2 9\n", server.at(b"ja"))


class Pages(TrackerTest):
    def test_foreign_pages(self):
        """A browser's GET from another page reports nothing."""
        server = self.server()
        for path in (b"/?id=x&lat=1&lon=2", b"/apps/phonetrack/logGet/t/x?lat=1&lon=2"):
            answer = self.get(server, path, b"Origin: https://evil.example")
            self.assertEqual(answer.status, 403)
            self.assertIsNone(server.at(b"x"))

    def test_methods(self):
        server = self.server()
        for path, allow in ((b"/pub", "POST, OPTIONS"), (b"/overland", "POST, OPTIONS")):
            answer = self.get(server, path)
            self.assertEqual((answer.status, answer["allow"]), (405, allow))

    def test_the_token_of_phonetrack_is_not_logged(self):
        server = self.server(log={"level": "debug", "traffic": True})
        self.get(server, b"/apps/phonetrack/logGet/s3cret/bike?lat=1&lon=2")
        server.wait_event("http")
        self.assertNotIn("s3cret", server.log_text())


JANE, FLEET, BOSS = ("herd_" + c * 43 for c in "jfb")


def basic(user, token):
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{token}".encode())


def bearer(token):
    return b"Authorization: Bearer " + token.encode()


@unittest.skipIf(run("--token", "kiwi").returncode, "built without TLS, so without tokens")
class Identities(TrackerTest):
    """Who may report what; the user of Basic is the USER of OwnTracks."""

    def setUp(self):
        super().setUp()
        directory = self.directory()
        path = os.path.join(directory, "identities")
        with open(path, "w") as file:
            file.write(f"jane {proof(JANE)} jane/* jane/*\nfleet {proof(FLEET)} * * reports=1 burst=3\n"
                       f"boss {proof(BOSS)} - - admin\n")
        self.one = self.server(more={"identities": path})

    def status(self, request):
        return self.ask(self.one, request)

    def pub(self, *fields, user=b"jane"):
        return self.status(owntracks({"_type": "location", "lat": 1, "lon": 2, "tst": 3}, b"X-Limit-U: " + user,
                                     b"X-Limit-D: phone", *fields))

    def denied(self):
        return self.get(self.one, b"/v1/node", bearer(BOSS)).json()["not_allowed"]

    def knows(self, client):
        answer = self.get(self.one, b"/api/0/last?user=%s&device=%s" % tuple(client.split(b"/")), bearer(FLEET))
        return answer.json() != []

    def test_owntracks(self):
        self.assertEqual(self.pub(basic("jane", JANE)).body, b"[]")
        self.assertTrue(self.knows(b"jane/phone"))
        self.assertEqual(self.pub(bearer(JANE)).body, b"[]")

    def test_refused(self):
        answer = self.pub()
        self.assertEqual(answer.status, 401)
        self.assertIn("Basic", answer["www-authenticate"])
        self.assertEqual(self.pub(basic("jane", "wrong")).status, 401)
        self.assertEqual(self.pub(basic("bob", JANE)).status, 403)  # not the USER
        self.assertEqual(self.pub(basic("bob", JANE), user=b"bob").status, 403)  # not this identity's
        before = self.denied()
        answer = self.pub(basic("bob", FLEET))
        self.assertEqual(answer.status, 403)  # would be, but is not the USER
        self.assertIn("another user", answer.json()["detail"])
        self.assertEqual(self.denied(), before + 1)
        self.one.wait_event("not_allowed", detail="jane jane/phone")
        self.assertFalse(self.knows(b"jane/phone"))
        self.assertFalse(self.knows(b"bob/phone"))

    def test_poison_is_taken_from_those_who_may(self):
        for body in POISON_OWNTRACKS:
            request = owntracks(body, basic("jane", JANE), b"X-Limit-D: phone")
            self.assertEqual(self.status(request).body, b"[]", body[:80])

    def test_osmand_and_overland(self):
        good = b"GET /?id=jane/bike&lat=1&lon=2 HTTP/1.1\r\n" + HOST
        self.assertEqual(self.status(good + basic("jane", JANE) + b"\r\n\r\n").status, 200)
        self.assertEqual(self.status(good + b"\r\n").status, 401)
        self.assertEqual(self.status(good.replace(b"jane/", b"bob/") + bearer(JANE) + b"\r\n\r\n").status, 403)
        self.assertTrue(self.knows(b"jane/bike"))
        both = [feature("bob/x", 2, 1, "2026-11-26T09:19:55Z"), feature("jane/x", 2, 1, "2026-11-26T09:19:55Z")]
        self.assertEqual(self.status(overland(both[:1], bearer(JANE))).status, 403)
        self.assertEqual(self.status(overland(both, bearer(JANE))).body, b'{"result":"ok"}')
        self.assertTrue(self.knows(b"jane/x"))
        self.assertFalse(self.knows(b"bob/x"))

    def test_too_often(self):
        """Passing trouble: the app sends it again, and is let in when its rate allows."""
        app = App(self.one.http_port, [owntracks({"_type": "location", "lat": i, "lon": 2, "tst": i, "tid": "fl"}, bearer(FLEET)) for i in range(3)])
        self.assertEqual(self.status(overland([feature("a", 2, 1, f"2026-11-26T09:19:0{i}Z") for i in range(3)], bearer(FLEET))).status, 200)
        answer = app.step()
        self.assertEqual((answer.status, answer["retry-after"]), (503, "10"))
        wait_for(lambda: not app.queue or app.step() and not app.queue, "its rate allows it")
        app.close()

    def test_a_batch_of_more_than_may_come_at_once(self):
        """It comes whole, again and again, until all of it is in: nothing is lost, and nothing comes for ever, in whichever
        order its points are. What is known costs nothing, but a request of nothing else."""
        for order in (1, -1):
            device = "run%d" % order
            batch = [feature(device, 2, 1 + i, f"2026-11-26T09:19:{i:02}Z") for i in range(8)][::order]
            batch += [feature("other%d" % order, 2, 1, "2026-11-26T09:19:00Z")]
            app = Overland(self.one.http_port, [overland(batch, bearer(FLEET))])
            answer = app.step()
            if order == 1:  # a burst of 3
                self.assertEqual((answer.status, answer["retry-after"]), (503, "10"))
            wait_for(lambda app=app: not app.queue or app.step() and not app.queue, "its rate allows it")
            app.close()
            for name, lat in ((device, 8), ("other%d" % order, 1)):
                found = self.get(self.one, b"/v1/clients/" + name.encode(), bearer(FLEET).strip())
                self.assertEqual(found.json()["geometry"]["coordinates"], [2, lat])
        client = self.http(self.one)
        client.send(overland(batch, bearer(FLEET)) * 200)
        self.assertIn(503, [Answer(client).status for _ in range(200)])

    def test_recorder_shows_own_clients_alone(self):
        for user, token in (("jane", JANE), ("bob", FLEET)):
            self.assertEqual(self.pub(basic(user, token), user=user.encode()).status, 200)
        self.assertEqual([one["username"] for one in self.get(self.one, b"/api/0/last", bearer(JANE)).json()], ["jane"])
        self.assertEqual(self.get(self.one, b"/api/0/list", bearer(JANE)).json(), {"results": ["jane"]})
        self.assertEqual(self.get(self.one, b"/api/0/last?user=bob&device=phone", bearer(JANE)).json(), [])
        self.assertEqual(self.get(self.one, b"/api/0/list").status, 401)


class Recorder(TrackerTest):
    def setUp(self):
        super().setUp()
        self.one = self.server()
        for client, place, when in ((b"jane/phone", b"+48.8568+002.2927", b"1795694395.5"), (b"jane/old%20tab%2F2", b"-00.5-1", b"7"),
                                    (b"bob/x", b"+1+2", b"5"), (b"kiwi", b"+3+4", b"6"), (b"janet/x", b"+1+2", b"5")):
            self.one.ask(b"IAMAT %s %s %s\n" % (client, place, when))

    def test_last(self):
        answer = self.get(self.one, b"/api/0/last?user=jane&device=phone")
        self.assertEqual(answer.body, b'[{"_type":"location","username":"jane","device":"phone","topic":"owntracks/jane/phone",'
                                      b'"tid":"ne","tst":1795694395,"lat":48.8568,"lon":2.2927}]')
        self.assertEqual(answer["content-type"], "application/json")
        tab = self.get(self.one, b"/api/0/last?user=jane&device=old+tab/2").json()
        self.assertEqual([(one["device"], one["lat"], one["lon"], one["tst"]) for one in tab], [("old tab/2", -0.5, -1, 7)])
        self.assertEqual(self.get(self.one, b"/api/0/last?user=jane&device=none").json(), [])
        self.assertEqual(sorted(one["device"] for one in self.get(self.one, b"/api/0/last?user=jane").json()), ["old tab/2", "phone"])
        self.assertEqual(len(self.get(self.one, b"/api/0/last").json()), 5)

    def test_list(self):
        self.assertEqual(self.get(self.one, b"/api/0/list").json(), {"results": ["bob", "jane", "janet", "kiwi"]})
        self.assertEqual(self.get(self.one, b"/api/0/list?user=jane").json(), {"results": ["old tab/2", "phone"]})
        self.assertEqual(self.get(self.one, b"/api/0/list?user=nobody").json(), {"results": []})

    def test_refused(self):
        for path in (b"/api/0/last?device=x", b"/api/0/list?user=jane&device=phone", b"/api/0/last?user=%zz",
                     b"/api/0/last?user=bob&user=jane", b"/api/0/last?user=jane&device=phone&device=phone"):
            self.assertEqual(self.get(self.one, path).status, 400)

    def test_large(self):
        """What would take long is not done; one client is found all the same."""
        with self.one.client() as client:
            client.send(b"".join(b"IAMAT many/%d +1+2 5\n" % i for i in range(5000)))
            client.lines(5000)
        self.assertEqual(self.get(self.one, b"/api/0/last").status, 400)
        self.assertEqual(len(self.get(self.one, b"/api/0/last?user=many&device=4999").json()), 1)


if __name__ == "__main__":
    main()
