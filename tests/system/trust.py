# SPDX-License-Identifier: MIT
"""What tests of trust share: authorities and certificates by the openssl command, clients that speak TLS by Python's
ssl, whole or record by record, and herds that have them."""
import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

from herd import DEADLINE, PROGRAM, Client, Closed, HerdTest, Timeout, environment, wait_for

SKIPPED = 77
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERD = "flock"
FOREVER = ("20200101000000Z", "20490101000000Z")

CONFIG = """
[ca]
default_ca = it
[it]
database = $ENV::DIR/index
serial = $ENV::DIR/serial
crlnumber = $ENV::DIR/crlnumber
new_certs_dir = $ENV::DIR
private_key = $ENV::DIR/ca.key
certificate = $ENV::DIR/ca.pem
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def skip_without_tls(*tools):
    """Ends the file, with a word, where it cannot be run."""
    missing = [tool for tool in ("openssl", *tools) if not shutil.which(tool)]
    if missing:
        print("skipped: not installed:", " ".join(missing))
        sys.exit(SKIPPED)
    made = subprocess.run([PROGRAM, "--token", "kiwi"], env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=DEADLINE)
    if made.returncode:
        print("skipped: built without TLS:", made.stderr.decode().strip())
        sys.exit(SKIPPED)


def openssl(*args, directory=None, input=None):
    done = subprocess.run(["openssl", *args], env={**os.environ, "DIR": directory or "."}, input=input,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    if done.returncode:
        raise AssertionError(f"openssl {' '.join(args)}: {done.stderr.decode()}")
    return done.stdout


class Authority:
    """A CA in a directory of its own; what it issued lies there too."""

    def __init__(self, directory, name="Authority"):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        self.certificate = self.path("ca.pem")
        for file, text in (("index", ""), ("serial", "1000\n"), ("crlnumber", "01\n"), ("ca.conf", CONFIG)):
            with open(self.path(file), "w") as out:
                out.write(text)
        if not os.path.exists(self.certificate):
            self._key("ca")
            openssl("req", "-x509", "-new", "-key", self.path("ca.key"), "-days", "3650", "-subj", f"/CN={name}",
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                    "-out", self.certificate)

    def path(self, file):
        return os.path.join(self.dir, file)

    def _key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path(name + ".key"))
        os.chmod(self.path(name + ".key"), 0o600)

    def issue(self, name, role="server", uri=None, dates=FOREVER, usage="serverAuth,clientAuth", file=None):
        """A certificate and its key: the paths of both. `uri`: the names in it, as openssl takes them."""
        file = file or name
        uri = f"URI:herd://{HERD}/{role}/{name}" if uri is None else uri
        self._key(file)
        extensions = self.path(file + ".ext")
        with open(extensions, "w") as out:
            out.write(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                      f"extendedKeyUsage={usage}\n" + (f"subjectAltName={uri}\n" if uri else ""))
        openssl("req", "-new", "-key", self.path(file + ".key"), "-subj", f"/CN={name}", "-out", self.path(file + ".csr"))
        openssl("ca", "-batch", "-notext", "-config", self.path("ca.conf"), "-in", self.path(file + ".csr"), "-extfile",
                extensions, "-startdate", dates[0], "-enddate", dates[1], "-out", self.path(file + ".pem"),
                directory=self.dir)
        return self.path(file + ".pem"), self.path(file + ".key")

    def revoke(self, *certificates):
        for certificate in certificates:
            openssl("ca", "-config", self.path("ca.conf"), "-revoke", certificate, directory=self.dir)
        return self.crl()

    def crl(self):
        """A list of what is revoked; its path."""
        openssl("ca", "-config", self.path("ca.conf"), "-gencrl", "-out", self.path("crl.new"), directory=self.dir)
        os.rename(self.path("crl.new"), self.path("crl.pem"))
        return self.path("crl.pem")


def day(days):
    """A time so many days from now, as openssl takes it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


# ---- clients ----

def context(ca=None, certificate=None, least=ssl.TLSVersion.TLSv1_3, most=None):
    """A client's. `certificate`: (path, path of the key)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False  # names of servers are URIs; see `server_name`
    made.minimum_version = least
    if most:
        made.maximum_version = most
    if ca:
        made.load_verify_locations(ca)
    else:
        made.verify_mode = ssl.CERT_NONE
    if certificate:
        made.load_cert_chain(*certificate)
    return made


class TlsClient(Client):
    """A client with TLS; no end but close_notify is one."""

    def __init__(self, port, tls, **options):
        super().__init__(port, **options)
        try:
            self.socket = tls.wrap_socket(self.socket, suppress_ragged_eofs=False)
        except BaseException:
            self.socket.close()
            raise

    def names(self):
        return [value for kind, value in self.socket.getpeercert().get("subjectAltName", ()) if kind == "URI"]


class Records:
    """A client that holds the records in its hands: what is encrypted, and what is sent, are two things."""

    def __init__(self, port, tls):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing)
        self.plain = b""

    def _until(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                got = self.socket.recv(1 << 16)
                if not got:
                    raise Closed(f"closed; so far: {self.plain[-300:]!r}") from None
                self.incoming.write(got)

    def first_flight(self):
        """The bytes of a ClientHello."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return self.outgoing.read()
        raise AssertionError("a handshake without a server")

    def handshake(self):
        self._until(self.tls.do_handshake)
        self.flush()
        return self

    def flush(self):
        self.send(self.outgoing.read())

    def send(self, data):
        if data:
            self.socket.sendall(data)

    def seal(self, plain):
        """The records of these bytes."""
        self.tls.write(plain)
        return self.outgoing.read()

    def write(self, plain):
        self.send(self.seal(plain))

    def line(self):
        while b"\n" not in self.plain:
            self.plain += self._until(functools.partial(self.tls.read, 1 << 16))
        line, _, self.plain = self.plain.partition(b"\n")
        return line + b"\n"

    def notify(self):
        """The bytes of a close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.outgoing.read()

    def closed_by_server(self):
        """Bytes of the wire up to the end of the connection, orderly or not."""
        got = b""
        try:
            while more := self.socket.recv(1 << 16):
                got += more
        except ConnectionError:
            pass
        except TimeoutError:
            raise Timeout("the server does not close") from None
        return got

    def close(self):
        self.socket.close()


# ---- servers ----

class TrustTest(HerdTest):
    """Herds with an authority. `self.authority` issued a certificate for each server."""

    def tls(self, names, links=(), mode="require", limits=None, identities=None, crl=False, own=(), log=None,
            **more):
        """A herd that is not started. `own`: servers that get their certificate from the test."""
        herd = self.herd(names, links, limits=limits, log=log)
        self.authority = Authority(os.path.join(herd.dir, "tls"))
        for name in names:
            if name not in own:
                self.authority.issue(name)
        herd.config.update(herd=HERD, **more)
        herd.config["tls"] = {"mode": mode, "certificate": self.authority.path("{name}.pem"),
                              "key": self.authority.path("{name}.key"), "ca": self.authority.certificate}
        if crl:
            herd.config["tls"]["crl"] = self.authority.crl()
        if identities is not None:
            self.identities(herd, identities)
        herd.write()
        return herd

    def identities(self, herd, text):
        path = os.path.join(herd.dir, "identities")
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)
        os.chmod(path, 0o640)
        herd.config["identities"] = path

    def own_config(self, herd, name, **members):
        """A configuration of this server alone."""
        config = json.loads(json.dumps(herd.config))
        for key, value in members.items():
            if isinstance(value, dict) and isinstance(config.get(key), dict):
                config[key].update(value)
            elif value is None:
                config.pop(key, None)
            else:
                config[key] = value
        herd[name].config_path = os.path.join(herd.dir, name + ".json")
        with open(herd[name].config_path, "w") as file:
            json.dump(config, file, indent=1)

    def launch(self, herd):
        """Starts all, without waiting for links."""
        for server in herd:
            server.start(wait=False)
        for server in herd:
            wait_for(lambda: server.saw("listening") or server._gone(), f"{server.name} listens")
        return herd

    def client(self, server, certificate=None, **options):
        made = TlsClient(server.port, context(self.authority.certificate, certificate), **options)
        self.addCleanup(made.close)
        return made

    def records(self, server, certificate=None):
        made = Records(server.port, context(self.authority.certificate, certificate))
        self.addCleanup(made.close)
        return made

    def not_linked(self, *servers):
        for server in servers:
            self.assertEqual(server.links_up(), set(), server.name)


def proof(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()

