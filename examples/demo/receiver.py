"""Two endpoints of a tenant: one takes everything, one fails three times with the first webhook that it gets."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from providers import is_signed

FAILURES_FIRST = 3


class Receiver:
    """Listens on a free port of the loopback; `secrets` says which secret signs what arrives at a path."""

    def __init__(self):
        self.secrets = {}
        self.requests = []
        self.changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(receiver.take(self.path, dict((k.lower(), v) for k, v in self.headers.items()), body))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def take(self, path, headers, body):
        with self.changed:
            here = [request["id"] for request in self.requests if request["path"] == path]
            webhook = headers.get("webhook-id")
            is_first = not here or here[0] == webhook
            status = 500 if path == "/flaky" and is_first and here.count(webhook) < FAILURES_FIRST else 204
            self.requests.append({
                "path": path, "status": status, "id": webhook, "attempt": headers.get("x-postrider-attempt"),
                "source": headers.get("x-postrider-source"), "type": headers.get("x-postrider-event-type"),
                "signed": path in self.secrets and is_signed(self.secrets[path], headers, body)})
            self.changed.notify_all()
            return status

    def wait_for(self, condition, seconds):
        """Waits until `condition` of the requests so far holds; whether it did."""
        with self.changed:
            return self.changed.wait_for(lambda: condition(self.requests), timeout=seconds)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
