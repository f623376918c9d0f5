"""CPU, memory and lifetime of the programs that compare.py starts."""
import json
import os
import select
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """Fields of /proc/PID/stat after the name, or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_of(pid, with_ended_children=False):
    """User and system seconds of a process; with the children that it has waited for, if asked."""
    fields = _stat(pid)
    return sum(int(x) for x in fields[11:15 if with_ended_children else 13]) / TICK if fields else 0.0


def cpu_of_family(pid, but=()):
    """CPU seconds of a process and all its descendants, living or ended, except the living ones in `but`.

    Whoever ended was waited for by its parent and stands in the parent's account (cutime, cstime), so nothing is lost
    between two readings as long as the root lives.
    """
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(entry)):
            parents.setdefault(int(fields[1]), []).append(int(entry))
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, [])
        if one not in but:
            total += cpu_of(one, with_ended_children=True)
    return total


def cpu_of_machine():
    """Busy CPU seconds of the whole machine since boot, time stolen by the hypervisor included."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def _status_mb(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} of process {pid}")


def peak_rss_mb(pid):
    """Greatest resident size that the process ever had, in MB."""
    return _status_mb(pid, "VmHWM")


def rss_mb(pid):
    """Resident size now, in MB."""
    return _status_mb(pid, "VmRSS")


class Process:
    """A child with its standard error in a file; ended, by force if need be, when the `with` block ends."""

    def __init__(self, arguments, log, **options):
        self.name = os.path.basename(arguments[0])
        self.log = log
        with open(log, "ab") as errors:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                          **options)
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def line(self, seconds):
        """The next line of standard output, read as JSON."""
        deadline, text = time.monotonic() + seconds, b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self.child.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.child.stdout.fileno(), 1) if ready else b""
            if not more:
                raise RuntimeError(f"{self.name} printed no line within {seconds} s or ended; see {self.log}")
            text += more
        return json.loads(text)

    def finish(self, seconds):
        """Waits for the end by itself: its standard output. Fails unless it exits with 0."""
        try:
            output, _ = self.child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{self.name} did not end within {seconds} s") from error
        if self.child.returncode != 0:
            raise RuntimeError(f"{self.name} exited with {self.child.returncode}; see {self.log}")
        return output.decode()

    def end(self, seconds=30, how=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
