"""The two programs that compare.py measures, behind one face."""
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request

from measured_processes import Process
from private_postgres import free_port

SECRET = "whsec_0123456789abcdef"  # the straw man's; the GitHub source is given the same


def call(url, key=None, body=None):
    """One JSON request; an error status raises with the answer's text."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body is not None else None, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url}: {error.code} {error.read().decode(errors='replace')[:500]}") from error


def wait_for(what, condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Program:
    """Started in an empty database on entry; `target`, `generator_options` and the queries below say how to use it."""

    database = "measured"

    def __init__(self, options, postgres, sink_port, log):
        self.options, self.postgres, self.sink_port, self.log = options, postgres, sink_port, log

    def __enter__(self):
        self.postgres.create_database(self.database)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if getattr(self, "process", None):
            self.process.end()
        self.postgres.drop_database(self.database)

    def counts(self, session):
        """(events, deliveries recorded as succeeded, deliveries in any other state)."""
        (row,) = session.query(f"select (select count(*) from {self.event}), count(*) filter (where state = "
                               f"{self.succeeded}), count(*) filter (where state <> {self.succeeded}) "
                               f"from {self.delivery}")
        return tuple(int(value) for value in row)

    def last_record_at(self, session):
        """When the last change of a delivery was committed, in Unix seconds; None where there is none."""
        (row,) = session.query("select extract(epoch from max(pg_xact_commit_timestamp(id))) from "
                               f"(select distinct xmin as id from {self.delivery}) transactions")
        return float(row[0]) if row[0] else None


class Strawman(Program):
    name = "strawman"
    event, delivery, succeeded = "sm_event", "sm_delivery", 2
    generator_options = ["--strawman", "--secret", SECRET]

    def start(self):
        port = free_port()  # it cannot choose one itself
        self.process = Process([self.options.strawman, "serve", str(port), str(self.sink_port), "io=2", "linger=500",
                                f"dsn={self.postgres.dsn(self.database)}"], self.log)
        self.target = f"127.0.0.1:{port}"
        wait_for("the straw man's listener", lambda: self._listens(port), 20)

    def _listens(self, port):
        if self.process.child.poll() is not None:
            raise RuntimeError(f"the straw man ended; see {self.log}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


class Engine(Program):
    name = "engine"
    succeeded = 3  # core/delivery_state.hpp
    generator_options = ["--path", "/in/acme/github", "--secret", SECRET]

    def start(self):
        self.serve()
        made = subprocess.run([self.options.postrider, "keys", "create", "--role", "operator", "-o", "json",
                               "--database-url", self.postgres.url(self.database)], capture_output=True, text=True,
                              timeout=60, check=False)
        if made.returncode != 0:
            raise RuntimeError(f"keys create exited with {made.returncode}: {made.stderr.strip()[-500:]}")
        self.key = key = json.loads(made.stdout)["key"]
        operator = self.operator
        call(f"{operator}/v1/tenants", key, {"slug": "acme", "name": "Acme"})
        call(f"{operator}/v1/tenants/acme/sources", key, {"name": "github", "provider": "github", "secrets": [SECRET]})
        call(f"{operator}/v1/tenants/acme/endpoints", key,
             {"url": f"http://127.0.0.1:{self.sink_port}/hook"} | self.options.endpoint)

    def serve(self):
        """Starts the daemon, once more if it has ended, and waits until it is ready."""
        self.process = Process([self.options.postrider, "serve", "--database-url", self.postgres.url(self.database),
                                "--public", "127.0.0.1:0", "--operator", "127.0.0.1:0", "--dev"] + self.options.serve,
                               self.log)
        ready = self.process.line(60)
        self.target = ready["public"]
        self.operator = f"http://{ready['operator']}"
        wait_for("readiness of the engine", self._is_ready, 30)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.operator}/readyz", timeout=5) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    def counts(self, session):
        # The tables may stand in a schema of their own.
        for table in ("event", "delivery"):
            rows = session.query("select c.oid::regclass from pg_class c where c.relname = "
                                 f"'{table}' and c.relkind in ('p', 'r') and not c.relispartition")
            if len(rows) != 1:
                raise RuntimeError(f"{len(rows)} tables are called {table}")
            setattr(self, table, rows[0][0])
        return super().counts(session)
