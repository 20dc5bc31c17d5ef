# SPDX-License-Identifier: MIT
"""GET /: the page, how it is sent, what it may do in a browser, and that phones keep the path for their reports."""
import base64
import gzip
import hashlib
import pathlib
import re

from herd import main
from test_http import HOST, Answer, HttpTest

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "lib/edge/http/page"
HTML = "text/html; charset=utf-8"
# Names of things, not places: nobody asks for them.
NAMESPACES = {"http://www.w3.org/2000/svg"}


class Page(HttpTest):
    def page(self, server, *fields, **options):
        answer = self.get(server, b"/", *fields, **options)
        self.assertEqual(answer["content-type"], HTML)
        return answer

    def test_plain_and_compressed(self):
        server = self.server()
        plain = self.page(server)
        self.assertEqual(plain.status, 200)
        self.assertIsNone(plain["content-encoding"])
        self.assertTrue(plain.body.startswith(b"<!doctype html>"))
        for accepts, zipped in ((b"gzip", True), (b"deflate, GZip;q=0.5, br", True), (b"*", True), (b"br, *;q=0.1", True),
                                (b"gzip;q=0", False), (b"gzip; q=0.000, *", False), (b"*;q=0", False), (b"identity", False),
                                (b"", False), (b"gzipped", False), (b"br;x=gzip", False)):
            answer = self.page(server, b"Accept-Encoding: " + accepts)
            self.assertEqual(answer["content-encoding"], "gzip" if zipped else None, accepts)
            self.assertEqual(gzip.decompress(answer.body) if zipped else answer.body, plain.body, accepts)
            self.assertEqual(answer["vary"], "Accept-Encoding")
            self.assertEqual(answer["etag"] == plain["etag"], not zipped)
            self.assertLess(len(answer.body), 60000 if zipped else 200000)

    def test_only_what_is_new_is_sent(self):
        server = self.server()
        zip_tag = self.page(server, b"Accept-Encoding: gzip")["etag"].encode()
        tag = self.page(server)["etag"].encode()
        self.assertEqual(self.page(server)["cache-control"], "no-cache")
        for known in (tag, b"W/" + tag, b'"x", ' + tag, b"*"):
            answer = self.get(server, b"/", b"If-None-Match: " + known)
            self.assertEqual((answer.status, answer.body, answer["etag"]), (304, b"", tag.decode()), known)
            self.assertIsNotNone(answer["content-security-policy"])
        for known in (b'"x"', tag[:-1], zip_tag):
            self.assertEqual(self.get(server, b"/", b"If-None-Match: " + known).status, 200, known)
        self.assertEqual(self.get(server, b"/", b"Accept-Encoding: gzip", b"If-None-Match: " + zip_tag).status, 304)

    def test_head(self):
        server = self.server()
        whole, head = self.page(server), self.page(server, method=b"HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head["content-length"], str(len(whole.body)))
        self.assertEqual(head["etag"], whole["etag"])

    def test_what_it_may_do(self):
        """Nothing from elsewhere runs or is asked, and no markup is made from text."""
        answer = self.page(self.server())
        policy = dict(part.split(" ", 1) for part in answer["content-security-policy"].split("; "))
        self.assertEqual(policy["default-src"], "'none'")
        self.assertEqual(policy["connect-src"], "'self'")
        self.assertEqual(policy["img-src"], "data:")
        for name in ("base-uri", "form-action", "frame-ancestors", "trusted-types"):
            self.assertEqual(policy[name], "'none'")
        self.assertEqual(policy["require-trusted-types-for"], "'script'")
        page = answer.body.decode()
        for tag, name in (("script", "script-src"), ("style", "style-src")):
            (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
            sha = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            self.assertEqual(policy[name], f"'sha256-{sha}'")
        self.assertEqual(len(re.findall(r"<(?:script|style)\b", page)), 2)
        for name, value in (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
                            ("x-frame-options", "DENY"), ("cross-origin-opener-policy", "same-origin"),
                            ("cross-origin-resource-policy", "same-origin")):
            self.assertEqual(answer[name], value)

    def test_names_no_other_host(self):
        page = self.page(self.server()).body.decode()
        self.assertEqual(set(re.findall(r"""\b\w+://[^\s"'<>`)]+""", page)), NAMESPACES)
        self.assertNotRegex(page, r"""["'`(]//\w""")
        self.assertNotIn("google", page.lower())

    def test_data_never_becomes_markup(self):
        words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(|new Function|\bon\w+=[\"']"
        for file in SOURCES.glob("*"):
            self.assertNotRegex(file.read_text(), words, file.name)

    def test_is_made_of_its_parts(self):
        page = self.page(self.server()).body.decode()
        for file in SOURCES.glob("*.js"):
            start = file.read_text().splitlines()[0]
            self.assertIn(start, page, f"{file.name} is not in the page")
        for name in ("page.css", "page.js", "land.svgpath"):
            self.assertNotIn(f"/* {name} */", page)

    def test_reports_of_phones_are_reports(self):
        server = self.server()
        for n, request in enumerate((b"GET /?id=a%d&lat=1&lon=2&timestamp=1700000000 HTTP/1.1\r\n" + HOST + b"\r\n",
                                     b"GET /?deviceid=a%d&lat=1&lon=2 HTTP/1.1\r\nAccept: text/html\r\n" + HOST + b"\r\n",
                                     b"POST /?id=a%d&lat=1&lon=2 HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n")):
            answer = self.ask(server, request % n)
            self.assertEqual((answer.status, answer.body, answer["content-type"]), (200, b"", None))
            self.assertEqual(self.get(server, b"/v1/clients/a%d" % n).status, 200)
        body = b"id=form&lat=1&lon=2"
        answer = self.ask(server, b"GET / HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
                          b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.get(server, b"/v1/clients/form").status, 200)
        self.assertEqual(self.page(server, b"Content-Length: 0").status, 200)
        self.assertEqual(self.page(server).status, 200)

    def test_a_page_of_others_may_link_to_it(self):
        """It shows nothing to them; a report by a foreign page stays refused."""
        server = self.server()
        foreign = b"Sec-Fetch-Site: cross-site"
        self.assertEqual(self.page(server, foreign).status, 200)
        self.assertEqual(self.get(server, b"/?id=a&lat=1&lon=2", foreign).status, 403)
        self.assertEqual(self.get(server, b"/", b"Host: evil.example").status, 421)

    def test_many_at_once(self):
        """Pipelined, cut at the reader's pace: each is whole."""
        server = self.server()
        client = self.http(server, receive_buffer=4096)
        client.send((b"GET / HTTP/1.1\r\n" + HOST + b"Accept-Encoding: gzip\r\n\r\n") * 50)
        bodies = {Answer(client).body for _ in range(50)}
        self.assertEqual(len(bodies), 1)
        gzip.decompress(bodies.pop())


if __name__ == "__main__":
    main()
