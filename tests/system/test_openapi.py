# SPDX-License-Identifier: MIT
"""/openapi.json describes every route there is, and no other; answers are what it says."""
import json
import pathlib
import re

from herd import free_port, main, wait_for
from openapi import Description, Mismatch
from test_clients import Api as ApiTests
from test_http import HttpTest

LIB = pathlib.Path(__file__).resolve().parents[2] / "lib/edge/http"
METHODS = {"get", "put", "post", "delete"}


class OpenApi(HttpTest):
    call = ApiTests.call

    def described(self, server):
        answer = self.get(server, b"/openapi.json")
        self.assertEqual((answer.status, answer["content-type"]), (200, "application/json"))
        return Description(answer.json())

    def test_is_the_file(self):
        served = self.described(self.server()).document
        self.assertEqual(served, json.loads((LIB / "openapi.json").read_text()))
        self.assertEqual(self.get(self.server("B"), b"/openapi.json", method=b"HEAD").status, 200)

    def test_same_routes_as_the_sources(self):
        served = self.described(self.server()).document
        known = {path for file in LIB.glob("*.c")
                 for path in re.findall(r'(?:\.path = |DOOR\([^"]*)"(/[^"]*)"', file.read_text())}
        self.assertGreater(len(known), 15)
        self.assertEqual({re.sub(r"{\w+}", "{}", path) for path in served["paths"]}, known)

    def test_same_methods_as_the_server(self):
        server = self.server()
        for path, item in self.described(server).document["paths"].items():
            answer = self.call(server, "OPTIONS", re.sub(r"{\w+}", "x", path))
            self.assertEqual(answer.status, 204, path)
            allowed = {method.strip().lower() for method in answer["allow"].split(",")} - {"head", "options"}
            self.assertEqual(allowed, METHODS & set(item), path)

    def test_references_and_names(self):
        """Every reference leads somewhere, each parameter of a path is described, each operation has its own name."""
        description = self.described(self.server())
        names = []

        def walk(node):
            for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
                walk(value)
            if isinstance(node, dict) and "$ref" in node:
                description.resolve(node)

        walk(description.document)
        for path, item in description.document["paths"].items():
            for method in METHODS & set(item):
                names.append(item[method]["operationId"])
                there = [description.resolve(one) for one in
                         item.get("parameters", []) + item[method].get("parameters", [])]
                self.assertEqual({one["name"] for one in there if one["in"] == "path"},
                                 set(re.findall(r"{(\w+)}", path)), path)
        self.assertEqual(len(names), len(set(names)))

    def compare(self, server, description, status, method, path, target=None, body=None, head=b""):
        """Asks, and compares the answer with what is described."""
        answer = self.call(server, method, target or path, body, head)
        self.assertEqual(answer.status, status, (method, target, answer.body))
        description.answer(method, path, answer)
        return answer

    def test_answers_of_clients(self):
        server = self.server(limits={"tombstones_max": 2})
        description = self.described(server)

        def ask(*arguments, **named):
            return self.compare(server, description, *arguments, **named)

        one, kiwi, bad = "/v1/clients/{id}", "/v1/clients/kiwi", "/v1/clients/a%20b"
        place = {"lat": 48.8568260, "lon": -2.29, "time": 1700000000}
        ask(404, "GET", one, kiwi)
        ask(404, "DELETE", one, kiwi)
        for state in ("new", "same"):
            self.assertEqual(ask(200, "PUT", one, kiwi, place).json()["state"], state)
        tag = ask(200, "GET", one, kiwi)["etag"]
        ask(304, "GET", one, kiwi, head=b"If-None-Match: %s\r\n" % tag.encode())
        ask(400, "GET", one, bad)
        ask(400, "PUT", one, bad, place)
        ask(400, "DELETE", one, bad)
        ask(400, "PUT", one, kiwi, b"[]")
        ask(422, "PUT", one, kiwi, {"lat": 91, "lon": 1})
        self.assertEqual(len(ask(200, "GET", "/v1/clients").json()["features"]), 1)
        ask(200, "PUT", one, "/v1/clients/two", place)
        page = ask(200, "GET", "/v1/clients", "/v1/clients?limit=1").json()
        ask(200, "GET", "/v1/clients", page["links"]["next"])
        ask(400, "GET", "/v1/clients", "/v1/clients?limit=0")
        ask(204, "DELETE", one, kiwi)
        ask(400, "GET", "/v1/events", "/v1/events?what=1")
        ask(400, "GET", "/v1/clients", "/v1/clients?near=48.85,-2.29")
        near = self.server("N", more={"area": True})
        for id in ("kiwi", "two"):
            self.compare(near, description, 200, "PUT", one, "/v1/clients/" + id, place)
        for query, truncated in (("near=48.85,-2.29&limit=1&radius=1e4", True), ("near=kiwi", False)):
            found = self.compare(near, description, 200, "GET", "/v1/clients", "/v1/clients?" + query).json()
            self.assertEqual((found["truncated"], len(found["features"])), (truncated, 1))
        self.compare(near, description, 404, "GET", "/v1/clients", "/v1/clients?near=nobody")
        circle = {"type": "Point", "coordinates": [-2.29, 48.85], "radius": 10000}
        for status, query, body in ((200, "", circle), (200, "?near=kiwi", circle),
                                    (400, "", {"type": "Point"}), (422, "", {**circle, "coordinates": [-2.29, 91], "radius": 5}),
                                    (404, "?near=nobody", circle)):
            self.compare(near, description, status, "POST", "/v1/search", "/v1/search" + query, body)
        without = self.server("B")
        self.compare(without, description, 403, "DELETE", one, kiwi)

    def test_answers_of_fences(self):
        server = self.server(more={"area": True}, limits={"fences_max": 2})
        description = self.described(server)
        one, a = "/v1/fences/{name}", "/v1/fences/a"
        point = {"type": "Point", "coordinates": [1, 2], "radius": 100}
        ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
        shape = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
                 "properties": {"kinds": ["enter", "cross"], "margin": 1.5, "dwell": 1000}}
        for status, method, target, body in (
                (404, "GET", a, None), (404, "DELETE", a, None), (201, "PUT", a, point), (200, "PUT", a, shape),
                (200, "GET", a, None), (400, "PUT", a, b"[]"), (422, "PUT", a, {**point, "coordinates": [0, 91]}),
                (400, "PUT", "/v1/fences/a%20b", point), (201, "PUT", "/v1/fences/b", point),
                (507, "PUT", "/v1/fences/c", point), (204, "DELETE", a, None)):
            self.compare(server, description, status, method, one, target, body)
        self.compare(server, description, 200, "GET", "/v1/fences")
        without = self.server("B")
        self.compare(without, description, 404, "GET", "/v1/fences")
        self.compare(without, description, 404, "PUT", one, a, point)

    def test_answers_of_a_server(self):
        herd = self.herd(["A", "B"], [["A", "B"]])
        for name in ("A", "B"):
            herd[name].http_port = free_port()
            herd.config["servers"][name]["http_port"] = herd[name].http_port
        herd.write()
        server = herd["A"].start()
        description = self.described(server)
        self.compare(server, description, 503, "GET", "/readyz")
        self.compare(server, description, 200, "GET", "/v1/peers")
        herd["B"].start()
        wait_for(lambda: self.call(server, "GET", "/readyz").status == 200, "ready")
        for path in ("/readyz", "/healthz", "/v1/node", "/v1/peers", "/metrics", "/openapi.json", "/api/0/last",
                     "/api/0/list"):
            self.compare(server, description, 200, "GET", path)
        herd["B"].stop()
        wait_for(lambda: self.call(server, "GET", "/readyz").status == 503, "no link")
        self.assertIn("why", self.compare(server, description, 200, "GET", "/v1/peers").json()["peers"][0])
        self.compare(server, description, 400, "GET", "/api/0/last", "/api/0/last?device=phone")
        self.compare(server, description, 200, "POST", "/pub", body={"_type": "lwt"})
        self.compare(server, description, 200, "POST", "/overland", body={"locations": []})
        self.compare(server, description, 200, "GET", "/", "/?id=a&lat=1&lon=2")
        tag = self.compare(server, description, 200, "GET", "/")["etag"]
        self.compare(server, description, 304, "GET", "/", head=b"If-None-Match: %s\r\n" % tag.encode())

    def test_the_judge_can_say_no(self):
        description = self.described(self.server())
        schema = {"$ref": "#/components/schemas/Problem"}
        good = {"type": "/problems/x", "title": "X", "status": 400}
        description.check(schema, good)
        for bad in ({**good, "status": "400"}, {**good, "status": 200}, {**good, "more": 1}, {"type": "x"}, [], None):
            self.assertRaises((Mismatch, TypeError), description.check, schema, bad)


del ApiTests  # its tests are its own

if __name__ == "__main__":
    main()
