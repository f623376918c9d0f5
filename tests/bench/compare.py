#!/usr/bin/env python3
"""Measures the engine and the straw man in turn, with the same generator, sink and PostgreSQL; see README.md."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measured_processes import Process, cpu_of, cpu_of_machine, peak_rss_mb
from private_postgres import PrivatePostgres, Session
from programs_under_test import Engine, Strawman, call

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = {"strawman": Strawman, "engine": Engine}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"), help="a build with POSTRIDER_BENCH")
    for name in ("postrider", "strawman", "load-generator", "sink"):
        parser.add_argument(f"--{name}", help="this program instead of the build's")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="measured time of a pass (default 5)")
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--size", type=int, default=1024, help="bytes of a body")
    parser.add_argument("--rate", type=float, default=10000, help="of the open-loop passes; 0 leaves them out")
    parser.add_argument("--no-closed", action="store_true", help="leave out the closed-loop passes")
    parser.add_argument("--only", choices=PROGRAMS, help="one program, no ratio")
    parser.add_argument("--endpoint", type=json.loads, default={"max_in_flight": 256}, metavar="JSON",
                        help='more fields of the endpoint, e.g. \'{"max_in_flight":64}\'')
    parser.add_argument("--serve", action="append", default=[], metavar="ARG", help="one more argument of `serve`")
    parser.add_argument("--drain", type=float, default=60, help="seconds within which the backlog must be gone")
    parser.add_argument("--distinct", action="store_true", help="the sink counts distinct webhook ids as well")
    parser.add_argument("--perf", action="store_true", help="perf record -g on the program during each pass")
    parser.add_argument("--directory", help="for data, logs and reports; kept (default: a temporary one, removed)")
    parser.add_argument("--output", help="write the JSON here as well")
    options = parser.parse_args()
    for name, place in (("postrider", ""), ("strawman", "bench"), ("load_generator", "bench"), ("sink", "bench")):
        if getattr(options, name) is None:
            setattr(options, name, os.path.join(options.build, place, name))
        skipped = {"strawman": "postrider", "engine": "strawman"}.get(options.only)
        if name != skipped and not os.access(getattr(options, name), os.X_OK):
            parser.error(f"{getattr(options, name)} is not there: build it, or name it with --{name.replace('_', '-')}")
    return options


class Perf:
    """perf record on one process for the length of a `with` block; `report` is where the text of it lies."""

    def __init__(self, pid, directory, label):
        self.data, self.report = (os.path.join(directory, f"{label}.perf{end}") for end in (".data", ".txt"))
        # cpu-clock: works in virtual machines that show no hardware counters
        self.command = ["perf", "record", "-q", "-g", "-F", "499", "-e", "cpu-clock", "-o", self.data, "-p", str(pid)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        with open(self.report, "w", encoding="utf-8") as file:
            subprocess.run(["perf", "report", "-i", self.data, "--stdio", "--no-children", "-g", "none",
                            "--percent-limit", "0.3"], stdout=file, stderr=subprocess.DEVNULL, check=False)


def wait_for_records(program, session, accepted, sink, seconds):
    """Waits until nothing is unfinished. The database is asked only once the sink has seen enough."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if call(f"http://127.0.0.1:{sink}/stats")["total"] >= accepted:
            counts = program.counts(session)
            if counts[1] >= accepted and counts[2] == 0:
                return counts
        time.sleep(0.1)
    return program.counts(session)


def generate(options, program, rate, log):
    """Runs the load generator to its end: what it printed."""
    command = [options.load_generator, "--target", program.target, "--connections", str(options.connections),
               "--seconds", str(options.seconds), "--warmup", str(options.warmup), "--size", str(options.size),
               "--rate", str(rate)] + program.generator_options
    with Process(command, log) as generator:
        return json.loads(generator.finish(options.seconds + options.warmup + 30))


def measure(options, postgres, kind, rate, label, directory):
    """One pass: start the program in an empty database, send, wait for the last record, count."""
    log = os.path.join(directory, f"{label}.log")
    sink_command = [options.sink] + (["--distinct"] if options.distinct else [])
    with Process(sink_command, log) as sink:
        sink_port = sink.line(10)["port"]
        with (PROGRAMS[kind](options, postgres, sink_port, log) as program,
              Session(postgres, program.database) as session):
            def cpu_now():
                return {"process": cpu_of(program.process.pid), "postgres": postgres.cpu([session]),
                        "sink": cpu_of(sink.pid), "machine": cpu_of_machine()}
            before = cpu_now()
            if options.perf:
                with Perf(program.process.pid, directory, label) as perf:
                    load = generate(options, program, rate, log)
            else:
                load = generate(options, program, rate, log)
            events, recorded, unfinished = wait_for_records(program, session, load["accepted"], sink_port,
                                                            options.drain)
            cpu = {name: value - before[name] for name, value in cpu_now().items()}
            received = call(f"http://127.0.0.1:{sink_port}/stats")
            sending = options.warmup + options.seconds
            last = program.last_record_at(session) or load["first_send_at"] + sending
            rss = peak_rss_mb(program.process.pid)
    cpu["generator"] = load["cpu_s"]
    cpu["others"] = max(0.0, cpu.pop("machine") - sum(cpu.values()))
    result = {"program": kind, "loop": "open" if rate else "closed", "label": label, "events": events,
              "recorded": recorded, "unfinished": unfinished, "sink_total": received["total"],
              "accepted_per_s": load["requests_per_s"], "recorded_per_s": recorded / (last - load["first_send_at"]),
              "drain_s": last - load["first_send_at"] - sending,
              "cpu_us_per_event": {name: 1e6 * value / max(1, recorded) for name, value in cpu.items()},
              "cpu_s": cpu, "peak_rss_mb": rss, "load": load, "sink": received}
    if options.perf:
        result["perf_report"] = perf.report
    result["faults"] = faults_of(result)
    return result


def faults_of(result):
    """Why the pass does not count; empty: it counts."""
    load, out = result["load"], []
    if load["accepted"] == 0:
        out.append("nothing was accepted")
    if result["unfinished"] or result["recorded"] < load["accepted"]:
        out.append(f"accepted {load['accepted']}, recorded as delivered {result['recorded']}, "
                   f"unfinished or failed {result['unfinished']}")
    if result["recorded"] != result["events"]:
        out.append(f"{result['events']} events, but {result['recorded']} delivered")
    if result["sink_total"] < result["recorded"]:
        out.append(f"the sink saw {result['sink_total']} requests for {result['recorded']} recorded deliveries")
    if load["answered"] != load["sent"] or load["never_sent"] or load["answered"] != load["accepted"]:
        out.append(f"sent {load['sent']}, accepted {load['accepted']}, by status {load['by_status']}, unanswered "
                   f"{load['unanswered']}, broken {load['broken']}, never sent {load['never_sent']}")
    return out


COLUMNS = "%-18s %11s %11s %8s %8s %8s | %8s %8s %8s %8s %8s | %8s"


def print_header():
    print(COLUMNS % ("", "accepted/s", "recorded/s", "p50 ms", "p99 ms", "p99.9 ms", "process", "postgres", "load",
                     "sink", "others", "rss MB"))
    print(COLUMNS % ("", "", "", "", "", "", "us/event", "us/event", "us/event", "us/event", "us/event", "peak"))


def print_result(result):
    load, cpu = result["load"], result["cpu_us_per_event"]
    print(COLUMNS % (result["label"], f"{result['accepted_per_s']:.0f}", f"{result['recorded_per_s']:.0f}",
                     f"{load['p50_ms']:.2f}", f"{load['p99_ms']:.2f}", f"{load['p99_9_ms']:.2f}",
                     *(f"{cpu[name]:.1f}" for name in ("process", "postgres", "generator", "sink", "others")),
                     f"{result['peak_rss_mb']:.0f}"), flush=True)
    for fault in result["faults"]:
        print(f"    DOES NOT COUNT: {fault}", flush=True)
    if "perf_report" in result:
        print(f"    perf: {result['perf_report']}", flush=True)


def summarize(results, rounds):
    """Medians per program and loop, and the ratio engine / straw man of each round's pair with its median."""
    figures = {"recorded_per_s": lambda r: r["recorded_per_s"], "accepted_per_s": lambda r: r["accepted_per_s"],
               "p99_ms": lambda r: r["load"]["p99_ms"], "process_us": lambda r: r["cpu_us_per_event"]["process"],
               "postgres_us": lambda r: r["cpu_us_per_event"]["postgres"]}
    out = {"medians": {}, "ratios": {}}
    for loop in ("closed", "open"):
        good = {(r["program"], r["round"]): r for r in results if r["loop"] == loop and not r["faults"]}
        for kind in PROGRAMS:
            own = [r for (program, _), r in good.items() if program == kind]
            if own:
                out["medians"][f"{kind} {loop}"] = {name: statistics.median(map(of, own))
                                                    for name, of in figures.items()}
        pairs = [(good["engine", i], good["strawman", i]) for i in range(rounds)
                 if ("engine", i) in good and ("strawman", i) in good]
        if pairs:
            out["ratios"][loop] = {name: {"pairs": [of(a) / of(b) for a, b in pairs],
                                          "median": statistics.median(of(a) / of(b) for a, b in pairs)}
                                   for name, of in figures.items()}
    return out


def print_summary(summary):
    for name, figures in summary["medians"].items():
        print(f"median {name}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    for loop, ratios in summary["ratios"].items():
        for name, ratio in ratios.items():
            print(f"ratio engine/strawman, {loop} loop, {name}: median {ratio['median']:.3f} of "
                  + " ".join(f"{value:.3f}" for value in ratio["pairs"]))


def run(options, directory):
    results = []
    rates = ([] if options.no_closed else [0]) + ([options.rate] if options.rate else [])
    kinds = [options.only] if options.only else list(PROGRAMS)
    with PrivatePostgres(tempfile.mkdtemp(prefix="postgres-", dir=directory)) as postgres:
        print_header()
        for number in range(options.rounds):
            for rate in rates:
                # Who comes first changes from round to round: neither always meets the warmer machine.
                for kind in kinds if number % 2 == 0 else reversed(kinds):
                    label = f"{kind}-{'open' if rate else 'closed'}-{number + 1}"
                    result = measure(options, postgres, kind, rate, label, directory) | {"round": number}
                    print_result(result)
                    results.append(result)
    return results


def main():
    options = read_arguments()
    directory = options.directory or tempfile.mkdtemp(prefix="postrider-compare-")
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o755)  # PostgreSQL runs as another user below it
    succeeded = False
    try:
        results = run(options, directory)
        summary = summarize(results, options.rounds)
        print_summary(summary)
        document = json.dumps({"results": results} | summary, indent=1)
        for path in filter(None, (options.output, os.path.join(directory, "result.json"))):
            with open(path, "w", encoding="utf-8") as file:
                file.write(document + "\n")
        succeeded = not any(result["faults"] for result in results)
        return 0 if succeeded else 1
    finally:
        if succeeded and not options.directory and not options.perf:
            shutil.rmtree(directory)
        else:
            print(f"logs and reports: {directory}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
