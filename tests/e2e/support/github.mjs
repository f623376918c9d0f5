// Webhooks as GitHub sends them (docs.github.com, "Validating webhook deliveries").
import { createHmac } from 'node:crypto';

/** The headers of one delivery of `body`; `id` is GitHub's own id of it. */
export function github_headers(secret, body, { id, event = 'push' }) {
  return {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/e2e',
    'x-github-event': event,
    'x-github-delivery': id,
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
}

/** Posts it; `{ status, body }`. Throws where no whole answer came. */
export async function post_webhook(url, { secret, body, id, event, headers = {} }) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...github_headers(secret, body, { id, event }), ...headers },
    body,
    signal: AbortSignal.timeout(15_000),
  });
  return { status: response.status, body: await response.json() };
}
