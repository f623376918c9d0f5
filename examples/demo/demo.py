#!/usr/bin/env python3
"""The demonstration of scripts/demo: three providers, two endpoints, and what can be seen while it runs."""
import argparse
import secrets
import signal
import sys
import base64

import providers
from node import Failure, Node, call, until
from receiver import FAILURES_FIRST, Receiver

TENANT = "acme"
SOURCES = {"github": providers.github, "stripe": providers.stripe, "standard-webhooks": providers.standard_webhooks}
ENDPOINTS = ("/healthy", "/flaky")


def say(text=""):
    print(text, flush=True)


def require(condition, what):
    if not condition:
        raise Failure(what)


def create(api, key, path, body):
    status, answer = call(f"{api}{path}", key, body)
    require(status == 201, f"POST {path}: {status} {answer}")
    return answer


def configure(node, key, receiver):
    """A tenant with a source for each provider and two endpoints; the sources' secrets and paths."""
    say(f"\n== Tenant `{TENANT}`: three sources, two endpoints")
    create(node.public, key, "/v1/tenants", {"slug": TENANT, "name": "Acme"})
    sources = {}
    for name in SOURCES:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        made = create(node.public, key, f"/v1/tenants/{TENANT}/sources", {"name": name, "provider": name, "secrets": [secret]})
        sources[name] = (secret, made["ingest_path"])
        say(f"   source    {name:<18} {node.public}{made['ingest_path']}")
    for path in ENDPOINTS:
        made = create(node.public, key, f"/v1/tenants/{TENANT}/endpoints",
                      {"url": receiver.url(path), "retry": {"base_ms": 300, "factor": 2, "max_ms": 2000, "max_attempts": 10}})
        receiver.secrets[path] = made["secret"]
        say(f"   endpoint  {path:<18} {made['id']}")
    return sources


def send(node, sources):
    """One signed webhook of each provider; the ids of the events."""
    say("\n== Signed webhooks come in: each is verified and committed before it is answered")
    ids = []
    for number, (name, sign) in enumerate(SOURCES.items()):
        secret, path = sources[name]
        body, headers = sign(secret, number)
        status, answer = call(node.public + path, body=body, headers=headers)
        require(status == 200, f"{name}: {status} {answer}")
        say(f"   {name:<18} 200 {answer['event_id']}")
        ids.append(answer["event_id"])
        status, again = call(node.public + path, body=body, headers=headers)
        require(status == 200 and again == {"event_id": answer["event_id"], "duplicate": True}, f"{name}, sent again: {status} {again}")
    say("   (each sent twice, as providers do: known by its id, kept once)")
    body, headers = providers.github("not the secret", 9)
    status, answer = call(node.public + sources["github"][1], body=body, headers=headers)
    require(status == 401, f"a forged webhook was answered {status}")
    say(f"   {'forged':<18} 401 {answer['code']}")
    return ids


def watch_arrivals(receiver, ids):
    say("\n== They arrive, signed anew (Standard Webhooks); `/flaky` fails three times with its first and is tried again")
    wanted = {(path, event) for path in ENDPOINTS for event in ids}
    succeeded = lambda requests: wanted <= {(r["path"], r["id"]) for r in requests if r["status"] < 300}
    shown = 0
    while True:
        done = receiver.wait_for(lambda requests: len(requests) > shown or succeeded(requests), 30)
        require(done, "the deliveries did not all succeed")
        for request in receiver.requests[shown:]:
            say(f"   {request['path']:<9} {request['source']:<18} {request['type']:<16} attempt {request['attempt']}  "
                f"signature {'valid' if request['signed'] else 'INVALID'}  answered {request['status']}")
            shown += 1
        if shown == len(receiver.requests) and succeeded(receiver.requests):
            break
    require(all(request["signed"] for request in receiver.requests), "a signature was not valid")
    failures = sum(1 for request in receiver.requests if request["status"] >= 500)
    require(failures == FAILURES_FIRST, f"{failures} failures instead of {FAILURES_FIRST}")


def show_actors(node, key):
    say("\n== The actors that did it (GET /actors)")
    status, answer = call(f"{node.operator}/actors", key)
    require(status == 200, f"GET /actors: {status} {answer}")
    kinds = [actor["kind"] for actor in answer["data"]]
    require(kinds.count("provider_verifier") == 3 and kinds.count("delivery") == 2, f"unexpected actors: {kinds}")
    for actor in sorted(answer["data"], key=lambda each: each["path"]):
        steps = actor["path"].split("/")[1:]  # node, name, tenants, slug, …: two a level
        name = "   " * (len(steps) // 2 - 1) + "/".join(steps[-2:])
        say(f"   {name:<58} {actor['kind']:<18} {actor['state']}")


def show_history(node, key, ids):
    say("\n== One delivery, told by the engine (GET /v1/tenants/acme/deliveries/…)")
    base = f"{node.public}/v1/tenants/{TENANT}/deliveries"

    def most_tried():
        deliveries = [each for event in ids for each in call(f"{base}?event={event}", key)[1]["data"]]
        return all(each["state"] == "succeeded" for each in deliveries) and max(deliveries, key=lambda each: each["attempt_count"])

    _, delivery = call(f"{base}/{until(most_tried, 20, 'the record of every success')['id']}", key)
    say(f"   {delivery['id']}: {delivery['state']} after {delivery['attempt_count']} attempts")
    for attempt in delivery["attempts"]:
        said = f"HTTP {attempt['http_status']}" if attempt.get("http_status") else attempt.get("reason")
        say(f"      {attempt['number']}. {attempt['started_at']}  {attempt['outcome']:<10} {said}")
    say(f"   explain: {delivery['explain']['detail']}")
    require(delivery["attempt_count"] == FAILURES_FIRST + 1, f"{delivery['attempt_count']} attempts")


def run(options):
    receiver = Receiver()
    say("== A node with its own PostgreSQL starts …")
    node = Node(options.program)
    kept = False
    try:
        say(f"   public {node.public}   operator {node.operator}")
        key = node.operator_key()
        until(lambda: call(f"{node.operator}/readyz")[0] == 200, 20, "readiness")
        sources = configure(node, key, receiver)
        ids = send(node, sources)
        watch_arrivals(receiver, ids)
        show_actors(node, key)
        show_history(node, key, ids)
        kept = options.keep
    finally:
        receiver.close()
        if not kept:
            status = node.stop()
    if kept:
        say(f"\n== Left running: pid {node.process.pid}; its data and log are in {node.directory}")
        say(f"   public        {node.public}\n   operator      {node.operator}\n   operator key  {key}")
        say(f"   stop it with  kill {node.process.pid}")
        return
    require(status == 0, f"the node ended with {status}; its log: {node.log_path}")
    node.remove()
    say("\n== Stopped; nothing is left behind. It all came as it should.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the postrider to run")
    parser.add_argument("--keep", action="store_true", help="leave the node running")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(parser.parse_args())
    except Failure as failure:
        print(f"\nThe demonstration failed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
