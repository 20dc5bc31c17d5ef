# SPDX-License-Identifier: MIT
"""Databases that a test starts for itself: in folders of their own, on Unix sockets there. None is needed to be running."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE_S = 30


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)


class Database:
    """What both kinds have: a process in a folder, and the file that says how to connect."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="herd-db-", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self.process = None
        self.copies = []

    @classmethod
    def missing(cls):
        """Why there cannot be one here, or None."""
        if cls.kind not in os.environ["HERD_ADAPTERS"].split():
            return f"built without the adapter for {cls.kind}"
        return cls.not_installed()

    def section(self, **members):
        """The member `database` of a configuration."""
        path = os.path.join(self.directory, "dsn")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.dsn() + "\n")
        return {"kind": self.kind, "dsn_file": path, "flush_ms": 50, **members}

    def signal(self, number):
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def hang(self):
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)

    def pids(self):
        """The process and its children."""
        found = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path) as file:
                    fields = file.read().rsplit(")", 1)
            except OSError:
                continue
            pid = int(fields[0].split()[0])
            if pid == self.process.pid or int(fields[1].split()[1]) == self.process.pid:
                found.append(pid)
        return found

    def kill(self):
        if self.process:
            pids = self.pids()
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "its processes end")

    def copy(self, name):
        """Keeps what it has on the disk, while it is down."""
        shutil.copytree(self.data(), f"{self.directory}-{name}", symlinks=True)
        self.copies.append(f"{self.directory}-{name}")

    def put_back(self, name):
        shutil.rmtree(self.data())
        subprocess.run(["cp", "-a", f"{self.directory}-{name}", self.data()], check=True)

    def close(self):
        self.kill()
        for path in [self.directory, *self.copies]:
            shutil.rmtree(path, ignore_errors=True)


class Redis(Database):
    kind = "redis"
    program = shutil.which("redis-server") or shutil.which("valkey-server")

    @classmethod
    def not_installed(cls):
        return None if cls.program else "neither redis-server nor valkey-server is installed"

    def __init__(self, password=None):
        super().__init__()
        self.socket = os.path.join(self.directory, "s")
        self.password = password
        self.user = None  # of this class, not of servers
        self.start()

    def dsn(self):
        return f"unix://{f':{self.password}@' if self.password else ''}{self.socket}"

    def start(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        secret = ["--requirepass", self.password] if self.password else []
        self.process = subprocess.Popen(
            [self.program, "--port", "0", "--unixsocket", self.socket, "--dir", self.directory, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", *secret],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.socket) and self.answers(), "redis starts")

    def socket_path(self):
        return self.socket

    def data(self):
        return self.directory + "/appendonlydir"

    def shut_out(self):
        """Whoever has no password may ask whether it is there, and nothing else."""
        self.do("ACL", "SETUSER", "herd", "on", "nopass", "allkeys", "allcommands")
        self.user = "herd"
        self.do("ACL", "SETUSER", "default", "-@all", "+ping", "+select", "+info")

    def let_in(self):
        self.do("ACL", "SETUSER", "default", "+@all")

    def answers(self):
        try:
            return self.do("PING") == b"PONG"
        except (OSError, AssertionError):
            return False

    def do(self, *words):
        """A command, and its answer: bytes, a number, a list, None."""
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(PATIENCE_S)
            to.connect(self.socket)
            file = to.makefile("rb")
            if self.password:
                self._say(to, file, "AUTH", self.password)
            if self.user:
                self._say(to, file, "AUTH", self.user, "")
            return self._say(to, file, *words)

    def _say(self, to, file, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        to.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self._answer(file)

    def _answer(self, file):
        line = file.readline()
        assert line, "redis hung up"
        kind, rest = line[:1], line[1:-2]
        assert kind != b"-", rest
        if kind == b"$":
            return None if rest == b"-1" else file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._answer(file) for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def get(self, client_id, herd=b""):
        """Server, diff, position, time of a client; None."""
        value = self.do("GET", b"herd:{" + herd + b"}:at:" + client_id)
        return value and value.split(b" ")[3:]

    def forget(self):
        self.do("FLUSHALL")

    def writers(self, herd=b""):
        return set(self.do("HKEYS", b"herd:{" + herd + b"}:writers"))


class Postgres(Database):
    kind = "postgres"
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    bin = folders[-1] if folders else None
    user = "postgres" if os.getuid() == 0 else None  # it does not run as root

    @classmethod
    def not_installed(cls):
        if not cls.bin or not os.path.exists(cls.bin + "/initdb"):
            return "postgresql is not installed"
        try:
            return cls.user and pwd.getpwnam(cls.user) and None
        except KeyError:
            return "there is no user postgres to run it as"

    def __init__(self, small=None):
        """`small`: the size of a file system that only it sees, in the folder small."""
        super().__init__()
        self.small = small
        self.boss = "herd"
        if self.user:
            owner = pwd.getpwnam(self.user)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.run("initdb", "-D", self.directory + "/data", "-U", "herd", "--auth=trust", "--no-sync", "-E", "UTF8",
                 "--locale=C")
        self.start()

    def dsn(self):
        return f"host={self.directory} user=herd dbname=postgres"

    def socket_path(self):
        return self.directory + "/.s.PGSQL.5432"

    def data(self):
        return self.directory + "/data"

    def copy(self, name):
        super().copy(name)
        if self.user:
            subprocess.run(["chown", "-R", self.user + ":", self.copies[-1]], check=True)

    def shut_out(self):
        self.sql("ALTER ROLE herd NOLOGIN; CREATE ROLE boss SUPERUSER LOGIN")
        self.boss = "boss"

    def let_in(self):
        self.sql("ALTER ROLE herd LOGIN")

    def run(self, program, *args):
        result = subprocess.run([f"{self.bin}/{program}", *args], user=self.user, cwd=self.directory,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert result.returncode == 0, result.stdout.decode()

    def start(self):
        lock = self.directory + "/data/postmaster.pid"
        if os.path.exists(lock):
            os.unlink(lock)
        for left in glob.glob(self.directory + "/.s.PGSQL*"):
            os.unlink(left)
        words, user = [], self.user
        if self.small:
            os.makedirs(self.directory + "/small", exist_ok=True)
            words = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size="$0",mode=777 small small && mkdir small/data && '
                     'chown "$1" small/data && user=$1 && shift && exec setpriv --reuid="$user" --init-groups "$@"', self.small,
                     self.user]
            user = None
        self.process = subprocess.Popen(
            [*words, f"{self.bin}/postgres", "-D", self.directory + "/data", "-k", self.directory, "-c", "listen_addresses=",
             "-c", "fsync=off", "-c", "max_connections=40"],
            user=user, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.psql("SELECT 1").returncode == 0, "postgres starts")

    def psql(self, text):
        return subprocess.run([f"{self.bin}/psql", "-X", "-A", "-t", "-h", self.directory, "-U", self.boss, "-c", text,
                               "postgres"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def get(self, client_id, herd=b""):
        """Server, diff, position, time of a client; None."""
        result = self.psql("SELECT c.server, c.diff, c.position, c.time FROM herd_newest c JOIN herd_name n ON "
                           f"n.number = c.herd WHERE n.herd = '{herd.decode()}' AND c.key = '\\x{client_id.hex()}'")
        if result.returncode:  # there are no tables yet
            return None
        rows = [line.split("|") for line in result.stdout.decode().splitlines()]
        return [text.encode() for text in rows[0]] if rows else None

    def forget(self):
        self.sql("DELETE FROM herd_newest; DELETE FROM herd_writer")

    def writers(self, herd=b""):
        return {row[0].encode() for row in self.sql("SELECT server FROM herd_writer")}

    def sql(self, text):
        """The rows of a statement, each a list of texts."""
        result = self.psql(text)
        assert result.returncode == 0, result.stderr.decode()
        return [line.split("|") for line in result.stdout.decode().splitlines()]


KINDS = [Redis, Postgres]


class OfAKind:
    """Tests of each kind of database, skipped with a word where it is missing."""

    kind = None

    @classmethod
    def setUpClass(cls):
        why = cls.kind.missing()
        if why:
            print(f"skipped: {why}", file=sys.stderr)
            raise unittest.SkipTest(why)
