"""A PostgreSQL 15 of its own: data in a temporary directory, a unix socket and a free loopback port."""
import glob
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import time

from measured_processes import Process, cpu_of_family

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "min_wal_size": "2GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "listen_addresses": "127.0.0.1",
    # The time of each commit is kept, so that "the last record" is known to the microsecond for both programs without
    # polling; it costs 10 bytes a transaction, and both commit in batches.
    "track_commit_timestamp": "on",
}

WAL_FILES = 100  # of 16 MB


def _binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/15/bin")) or [os.path.dirname(shutil.which("initdb") or "")]
    if not os.path.exists(os.path.join(found[0], "initdb")):
        raise RuntimeError("PostgreSQL 15 (initdb) was not found")
    return found[0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PrivatePostgres:
    """Started on entry, stopped on exit. As root it runs as `postgres`, or else `nobody`: initdb refuses root."""

    def __init__(self, directory):
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.identity = {}
        if os.geteuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            os.chown(directory, user.pw_uid, user.pw_gid)
            self.identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self):
        binaries = _binaries()
        subprocess.run([f"{binaries}/initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                        "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, cwd=self.directory, **self.identity)
        # Between the choice of the port and its use somebody else may take it: then once more.
        for attempt in range(5):
            self.port = free_port()
            settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": self.directory}
            self.server = Process([f"{binaries}/postgres", "-D", self.data]
                                  + [word for key, value in settings.items() for word in ("-c", f"{key}={value}")],
                                  os.path.join(self.directory, "postgres.log"), cwd=self.directory, **self.identity)
            if self._ready():
                self._run_in()
                return self
            self.server.end(how=signal.SIGQUIT)
        raise RuntimeError(f"PostgreSQL did not start; see {self.directory}/postgres.log")

    def __exit__(self, *_):
        self.server.end(how=signal.SIGINT)  # fast shutdown

    def _ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.server.child.poll() is None:
            if subprocess.run(["psql", "-XAtqc", "select 1", self.dsn("postgres")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return True
            time.sleep(0.1)
        return False

    def _run_in(self):
        """Files of the write-ahead log to go on with, as a server has that has run for a while. A new one makes each
        of them when it is full, 16 MB and an fsync during which no commit ends: tens of milliseconds."""
        with Session(self, "postgres") as session:
            session.query("create table run_in (n int)")
            for _ in range(WAL_FILES):
                session.query("insert into run_in values (1)")
                session.query("select pg_switch_wal()")
            session.query("drop table run_in")
            session.query("checkpoint")

    def dsn(self, database):
        return f"host=127.0.0.1 port={self.port} dbname={database} user=postgres"

    def url(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name):
        with Session(self, "postgres") as session:
            session.query(f"drop database if exists {name} with (force)")
            session.query(f"create database {name}")
            session.query("checkpoint")

    def drop_database(self, name):
        with Session(self, "postgres") as session:
            session.query(f"drop database if exists {name} with (force)")

    def cpu(self, but):
        """CPU seconds of all of its processes since its start, without the sessions in `but`."""
        return cpu_of_family(self.server.pid, {session.backend for session in but})


class Session:
    """One psql that stays, so that looking costs one query and the CPU of its backend can be left out of the sums."""

    END = "--end-of-answer--"

    def __init__(self, postgres, database):
        self.psql = subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", postgres.dsn(database)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"})
        self.buffer = b""
        self.query("set max_parallel_workers_per_gather = 0")
        self.backend = int(self.query("select pg_backend_pid()")[0][0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait(30)
        self.psql.stdout.close()

    def query(self, sql, seconds=120):
        """The rows as lists of text."""
        self.psql.stdin.write(f"{sql};\n\\echo {self.END}\n".encode())
        self.psql.stdin.flush()
        deadline, end = time.monotonic() + seconds, f"{self.END}\n".encode()
        while not self.buffer.endswith(end):
            ready, _, _ = select.select([self.psql.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.psql.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise RuntimeError(f"no answer from the database to: {sql}")
            self.buffer += more
        rows, self.buffer = self.buffer[:-len(end)].decode().splitlines(), b""
        return [row.split("|") for row in rows]
