"""A Postrider node with its private PostgreSQL, and its HTTP interface."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request


class Failure(Exception):
    """What a person needs to know when the demonstration cannot go on."""


def call(url, key=None, body=None, headers=None, timeout=20):
    """Status and parsed JSON of a request; POST where there is a body."""
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={
        **({"authorization": f"Bearer {key}"} if key else {}),
        **({"content-type": "application/json"} if data is not None else {}), **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def until(condition, seconds, what):
    """The first true value of `condition`; raises after that time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)
    return value


class Node:
    """Starts on free ports; everything it stores is in one temporary directory."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.directory = tempfile.mkdtemp(prefix="postrider-demo-")
        if os.geteuid() == 0:
            os.chmod(self.directory, 0o755)  # PostgreSQL then runs as the unprivileged user `postgres`
        self.data = os.path.join(self.directory, "data")
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--dev", "--embedded-postgres", self.data, "--public", "127.0.0.1:0", "--operator", "127.0.0.1:0"],
                stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self.ready = self.wait_until_ready(60)
        self.public = "http://" + self.ready["public"]
        self.operator = "http://" + self.ready["operator"]

    def wait_until_ready(self, seconds):
        line = []
        reader = threading.Thread(target=lambda: line.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(seconds)
        if not line or not line[0]:
            self.process.kill()
            raise Failure(f"the node did not start; its log: {self.log_path}")
        return json.loads(line[0])

    def operator_key(self):
        made = subprocess.run([self.program, "keys", "create", "--role", "operator", "-o", "json", "--embedded-postgres", self.data],
                              capture_output=True, text=True, timeout=30, check=True)
        return json.loads(made.stdout)["key"]

    def stop(self, seconds=40):
        """SIGTERM, as an operator would; the node stops its PostgreSQL too. Its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"the node did not end within {seconds} s of SIGTERM; its log: {self.log_path}") from None

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
