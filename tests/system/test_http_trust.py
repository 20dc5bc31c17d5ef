# SPDX-License-Identifier: MIT
"""HTTP and who is who: TLS on its port by the first byte, tokens, certificates, rights, and what a reload changes."""
import base64
import os

from herd import Client, free_port, main, wait_for
from test_http import HEALTH, HOST, Answer
from trust import Records, TlsClient, TrustTest, context, proof, skip_without_tls

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

    def test_pipelined(self):
        client = self.http(self.server())
        client.send(HEALTH * 300)
        for _ in range(300):
            self.assertEqual(Answer(client).body, b"ok\n")


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
        self.assertEqual(self.get(kiwi, b"/api/0/last", bearer(KIWI)).status, 200)
        self.assertEqual(self.get(kiwi, fields=bearer(BOSS)).status, 401)


if __name__ == "__main__":
    skip_without_tls()
    main()
