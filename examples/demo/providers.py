"""Webhooks as three providers send them: the headers with which each signs a body."""
import base64
import hashlib
import hmac
import json
import time
import uuid


def github(secret, number):
    """https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries"""
    body = json.dumps({"ref": "refs/heads/main", "after": f"{number:040x}", "pusher": {"name": "octocat"}}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"x-github-event": "push", "x-github-delivery": str(uuid.uuid4()), "x-hub-signature-256": f"sha256={signature}"}


def stripe(secret, number):
    """https://docs.stripe.com/webhooks#verify-manually"""
    body = json.dumps({"id": f"evt_demo_{uuid.uuid4().hex}", "type": "invoice.paid", "data": {"amount": 1000 + number}}).encode()
    at = str(int(time.time()))
    signature = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return body, {"stripe-signature": f"t={at},v1={signature}"}


def standard_webhooks_headers(secret, message_id, body, at=None):
    """https://www.standardwebhooks.com: what signs a message, in either direction."""
    at = at or str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": message_id, "webhook-timestamp": at, "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def standard_webhooks(secret, number):
    body = json.dumps({"type": "contact.created", "data": {"number": number}}).encode()
    return body, standard_webhooks_headers(secret, f"msg_{uuid.uuid4().hex}", body)


def is_signed(secret, headers, body):
    """Whether a request that arrived carries a valid Standard Webhooks signature no older than five minutes."""
    at = headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > 300:
        return False
    expected = standard_webhooks_headers(secret, headers.get("webhook-id", ""), body, at)["webhook-signature"]
    return any(hmac.compare_digest(expected, given) for given in headers.get("webhook-signature", "").split(" "))
