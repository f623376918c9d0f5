#!/usr/bin/env python3
"""What one tenant's trouble, a backlog, idle tenants and a restart cost the engine; see README.md.

Each scenario compares the engine with itself in the same run: before and after, with and without. So a figure of one
machine says something on another.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time

from measured_processes import Process, cpu_of, peak_rss_mb, rss_mb
from private_postgres import PrivatePostgres, Session
from programs_under_test import SECRET, Engine, call, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ENDPOINT_TIMEOUT_MS = 5000


class Bench:
    """The engine on a database of its own, a sink, and tenants `t0`, `t1`, … with a source `github` each."""

    def __init__(self, options, postgres, directory, name):
        self.options, self.postgres, self.log = options, postgres, os.path.join(directory, f"{name}.log")

    def __enter__(self):
        self.sink = Process([self.options.sink, "--hang-path", "/hang"], self.log)
        self.sink_port = self.sink.line(10)["port"]
        self.options.endpoint, self.options.serve = {}, []
        self.engine = Engine(self.options, self.postgres, self.sink_port, self.log)
        self.engine.__enter__()
        self.session = Session(self.postgres, self.engine.database)
        return self

    def __exit__(self, *_):
        self.session.__exit__()
        self.engine.__exit__()
        self.sink.end()

    def api(self, path, body=None):
        return call(f"{self.engine.operator}/v1{path}", self.engine.key, body)

    def add_tenant(self, number, path="/hook", **fields):
        slug = f"t{number}"
        self.api("/tenants", {"slug": slug, "name": slug})
        self.api(f"/tenants/{slug}/sources", {"name": "github", "provider": "github", "secrets": [SECRET]})
        self.api(f"/tenants/{slug}/endpoints", {"url": f"http://127.0.0.1:{self.sink_port}{path}",
                                                "timeout_ms": ENDPOINT_TIMEOUT_MS} | fields)

    def generator(self, tenants, rate, seconds, connections=64, size=1024):
        paths = [word for number in tenants for word in ("--path", f"/in/t{number}/github")]
        return Process([self.options.load_generator, "--target", self.engine.target, "--secret", SECRET, "--rate",
                        str(rate), "--seconds", str(seconds), "--warmup", "1", "--connections", str(connections),
                        "--size", str(size)] + paths, self.log)

    def load(self, tenants, rate, seconds):
        """Open-loop load on these tenants: the generator's figures, and the p99 of their deliveries in ms."""
        since = self.session.query("select clock_timestamp()")[0][0]
        with self.generator(tenants, rate, seconds) as generator:
            out = json.loads(generator.finish(seconds + 60))
        if out["accepted"] != out["sent"] or out["never_sent"]:
            raise RuntimeError(f"sent {out['sent']}, accepted {out['accepted']}, by status {out['by_status']}, never "
                               f"sent {out['never_sent']}")
        numbers = self.numbers(tenants)
        wait_for("the deliveries of the load", lambda: self.live(numbers) == 0, 60)
        out["delivery_p99_ms"] = float(self.session.query(
            "select percentile_cont(0.99) within group (order by extract(epoch from a.started_at) * 1000 + a.duration_ms"
            " - ('x' || substr(replace(d.event_id::text, '-', ''), 1, 12))::bit(48)::bigint) from delivery d"
            " join delivery_attempt a on a.delivery_id = d.id and a.number = d.attempt_count"
            f" where d.state = 3 and d.tenant_no in ({numbers}) and a.started_at > '{since}'")[0][0])
        return out

    def numbers(self, tenants):
        slugs = ", ".join(f"'t{number}'" for number in tenants)
        return ", ".join(row[0] for row in self.session.query(f"select no from tenant where slug in ({slugs})"))

    def live(self, numbers):
        return int(self.session.query(f"select count(*) from delivery where tenant_no in ({numbers}) and state < 3")[0][0])

    def set_status(self, number, status):
        """Pauses (1) or resumes (0) a tenant's endpoint as the API does: the tenant is touched first."""
        no = self.numbers([number])
        self.session.query(f"begin; select touch_tenant({no}); update endpoint set status = {status} where tenant_no = "
                           f"{no}; commit")


def show(name, **figures):
    print(f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {value:.1f}" if isinstance(value, float)
                                  else f"{key.replace('_', ' ')} {value}" for key, value in figures.items()), flush=True)
    return {"scenario": name} | figures


def noisy(options, postgres, directory):
    """One of 20 tenants has an endpoint that never answers; the others' p99, with the same load on all of them."""
    others = range(1, 20)
    figures = {}
    for state, path in (("healthy", "/hook"), ("hanging", "/hang")):
        with Bench(options, postgres, directory, f"noisy-{state}") as bench:
            for number in range(20):
                bench.add_tenant(number, path if number == 0 else "/hook")
            seconds = options.seconds + ENDPOINT_TIMEOUT_MS / 1000  # until its first time-outs are over
            with bench.generator([0], options.rate / 20, seconds, connections=16):
                figures[state] = bench.load(others, options.rate * 19 / 20, seconds)
    healthy, hanging = figures["healthy"], figures["hanging"]
    return [show("noisy neighbour", ingest_p99_ms_healthy=healthy["p99_ms"], ingest_p99_ms_hanging=hanging["p99_ms"],
                 ingest_ratio=hanging["p99_ms"] / healthy["p99_ms"], delivery_p99_ms_healthy=healthy["delivery_p99_ms"],
                 delivery_p99_ms_hanging=hanging["delivery_p99_ms"],
                 delivery_ratio=hanging["delivery_p99_ms"] / healthy["delivery_p99_ms"])]


def backlog(options, postgres, directory):
    """A paused endpoint has a backlog; then it goes on. What the node's memory and another tenant's p99 say of it."""
    with Bench(options, postgres, directory, "backlog") as bench:
        bench.add_tenant(0)
        bench.add_tenant(1)
        before = bench.load([1], options.rate, options.seconds)
        rss_before = rss_mb(bench.engine.process.pid)
        bench.set_status(0, 1)
        no = bench.numbers([0])
        fill(bench, lambda: options.backlog - bench.live(no))
        bench.session.query("checkpoint")  # what was written to fill it is not paid for by what is measured
        waiting = bench.load([1], options.rate, options.seconds)
        rss_waiting = rss_mb(bench.engine.process.pid)
        bench.set_status(0, 0)
        draining = bench.load([1], options.rate, options.seconds)
        rss_draining = peak_rss_mb(bench.engine.process.pid)
        left = bench.live(bench.numbers([0]))
    return [show("backlog", rows=options.backlog, left_after_the_load=left, ingest_p99_ms_before=before["p99_ms"],
                 ingest_p99_ms_waiting=waiting["p99_ms"], ingest_p99_ms_draining=draining["p99_ms"],
                 delivery_p99_ms_before=before["delivery_p99_ms"], delivery_p99_ms_waiting=waiting["delivery_p99_ms"],
                 delivery_p99_ms_draining=draining["delivery_p99_ms"], rss_mb_before=rss_before,
                 rss_mb_waiting=rss_waiting, rss_mb_peak=rss_draining)]


def fill(bench, missing_now):
    """Through the front door, so that the rows lie as the engine lays them."""
    while (missing := missing_now()) > 0:
        seconds = max(0.5, min(30.0, missing / 40000))
        with bench.generator([0], 0, seconds, connections=256, size=256) as generator:
            generator.finish(seconds + 60)


def replay(options, postgres, directory):
    """A tenant replays all that it ever got: another's p99 before and meanwhile."""
    with Bench(options, postgres, directory, "replay") as bench:
        bench.add_tenant(0, max_in_flight=256)
        bench.add_tenant(1)
        no = bench.numbers([0])
        fill(bench, lambda: options.backlog - count(bench, no))
        wait_for("the deliveries", lambda: bench.live(no) == 0, 300)
        bench.session.query("checkpoint")
        before = bench.load([1], options.rate, options.seconds)
        endpoint = bench.api("/tenants/t0/endpoints")["data"][0]["id"]
        job = bench.api(f"/tenants/t0/endpoints/{endpoint}/replay",
                        {"since": "2020-01-01T00:00:00Z", "states": ["succeeded"]})["id"]
        wait_for("the replay", lambda: replayed(bench, no) > 0, 60)
        first, since = replayed(bench, no), time.monotonic()
        meanwhile = bench.load([1], options.rate, options.seconds)
        rate = (replayed(bench, no) - first) / (time.monotonic() - since)
        state = bench.api(f"/tenants/t0/jobs/{job}")
    if state["state"] != "running":
        raise RuntimeError(f"the replay was over before its effect was measured: {state}")
    return [show("replay", events=options.backlog, replayed_per_s=rate, ingest_p99_ms_before=before["p99_ms"],
                 ingest_p99_ms_meanwhile=meanwhile["p99_ms"], ingest_ratio=meanwhile["p99_ms"] / before["p99_ms"],
                 delivery_p99_ms_before=before["delivery_p99_ms"], delivery_p99_ms_meanwhile=meanwhile["delivery_p99_ms"],
                 delivery_ratio=meanwhile["delivery_p99_ms"] / before["delivery_p99_ms"])]


def count(bench, no):
    return int(bench.session.query(f"select count(*) from delivery where tenant_no = {no}")[0][0])


def replayed(bench, no):
    return int(bench.session.query(f"select count(*) from delivery where tenant_no = {no} and generation > 1"
                                   " and state = 3")[0][0])


def idle(options, postgres, directory):
    """Tenants with endpoints and no traffic: how soon a node is ready, and how large."""
    with Bench(options, postgres, directory, "idle") as bench:
        for first in range(0, options.tenants, 500):
            batch = range(first, min(first + 500, options.tenants))
            bench.api("/tenants", {"tenants": [{"slug": f"idle{n}", "name": "idle"} for n in batch]})
        endpoint = {"url": f"http://127.0.0.1:{bench.sink_port}/hook"}
        for number in range(options.tenants):
            bench.api(f"/tenants/idle{number}/endpoints", {"endpoints": [endpoint] * 10})
        seconds = restart(bench)
        cpu, at = cpu_of(bench.engine.process.pid), time.monotonic()
        time.sleep(options.seconds)
        load = (cpu_of(bench.engine.process.pid) - cpu) / (time.monotonic() - at)
        return [show("idle", tenants=options.tenants, endpoints=10 * options.tenants, ready_after_s=seconds,
                     rss_mb=rss_mb(bench.engine.process.pid), cpu_share=load)]


def recovery(options, postgres, directory):
    """The node was killed with so many attempts in flight: how soon a new process has closed them all."""
    with Bench(options, postgres, directory, "recovery") as bench:
        bench.add_tenant(0)
        fill_recovery(bench, options)
        bench.engine.process.end()
        bench.session.query("update delivery set state = 1, fence = 1, next_attempt_at = null, attempt_count = 2")
        rows = int(bench.session.query("select count(*) from delivery where fence = 1")[0][0])
        bench.set_status(0, 1)  # what is closed waits, so that only the recovery is measured
        ready = restart(bench)
        since = time.monotonic()
        wait_for("the recovery", lambda: bench.session.query(
            "select not exists (select from delivery where fence = 1 and state = 1)")[0][0] == "t", 120)
        return [show("recovery", rows=rows, ready_after_s=ready, recovered_after_s=ready + time.monotonic() - since)]


def fill_recovery(bench, options):
    no = bench.numbers([0])
    while int(bench.session.query(f"select count(*) from delivery where tenant_no = {no}")[0][0]) < options.unfinished:
        with bench.generator([0], 0, 2, connections=256, size=256) as generator:
            generator.finish(60)
    wait_for("the deliveries", lambda: bench.live(no) == 0, 300)


def restart(bench):
    """Ends the engine and starts it again on its database: seconds until it is ready."""
    bench.engine.process.end()
    at = time.monotonic()
    bench.engine.serve()
    return time.monotonic() - at


SCENARIOS = {"noisy": noisy, "backlog": backlog, "replay": replay, "idle": idle, "recovery": recovery}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=[*SCENARIOS, "all"])
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"), help="a build with POSTRIDER_BENCH")
    parser.add_argument("--rate", type=float, default=4000, help="requests a second in all (default 4000)")
    parser.add_argument("--seconds", type=float, default=8, help="measured time of each load")
    parser.add_argument("--backlog", type=int, default=100_000, help="rows (default 100000)")
    parser.add_argument("--tenants", type=int, default=10_000, help="idle ones, with 10 endpoints each")
    parser.add_argument("--unfinished", type=int, default=100_000, help="attempts in flight at the kill")
    parser.add_argument("--output", help="write the figures there as JSON")
    options = parser.parse_args()
    for name, place in (("postrider", ""), ("load_generator", "bench"), ("sink", "bench")):
        setattr(options, name, os.path.join(options.build, place, name))
        if not os.access(getattr(options, name), os.X_OK):
            parser.error(f"{getattr(options, name)} is not there: build it")
    return options


def main():
    options = read_arguments()
    directory = tempfile.mkdtemp(prefix="postrider-scenarios-")
    os.chmod(directory, 0o755)  # PostgreSQL runs as another user below it
    figures = []
    try:
        with PrivatePostgres(tempfile.mkdtemp(prefix="postgres-", dir=directory)) as postgres:
            for name in SCENARIOS if options.scenario == "all" else [options.scenario]:
                figures += SCENARIOS[name](options, postgres, directory)
    except BaseException:
        print(f"logs: {directory}", file=sys.stderr)
        raise
    shutil.rmtree(directory)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
