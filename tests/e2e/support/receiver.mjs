// A tenant's endpoint: records every request, verifies its signature with the reference library, answers as scripted.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

// A CommonJS package; installed by `npm ci` in tests/e2e.
const { Webhook } = createRequire(import.meta.url)('standardwebhooks');

export class Receiver {
  /** In the order of arrival: `{ path, webhook_id, attempt, status, signature, at, headers, body }`. */
  requests = [];
  #server;
  #script;
  #secrets = new Map();

  /** `script({ path, webhook_id, attempt, nth })`: the status to answer, or a promise of one; `nth` counts per webhook-id from 1. A
   *  `{ status, headers }` where headers matter. */
  static async start(script = () => 200) {
    const receiver = new Receiver();
    receiver.#script = script;
    receiver.#server = createServer((request, response) => receiver.#take(request, response));
    receiver.#server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The secret that signs what comes to this path. */
  expect_signed_by(path, secret) {
    this.#secrets.set(path, new Webhook(secret));
  }

  /** Requests that were answered 2xx, by webhook-id. */
  successes() {
    const by_id = new Map();
    for (const request of this.requests)
      if (request.status >= 200 && request.status < 300)
        by_id.set(request.webhook_id, [...(by_id.get(request.webhook_id) ?? []), request]);
    return by_id;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #verify(path, headers, body) {
    const webhook = this.#secrets.get(path);
    if (!webhook) return `no secret is known for ${path}`;
    try {
      webhook.verify(body, headers);
      return 'valid';
    } catch (error) {
      return error.message;
    }
  }

  async #take(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // cut short: the sender died; it was no request
    }
    const body = Buffer.concat(chunks).toString('utf8');
    const webhook_id = request.headers['webhook-id'];
    const record = {
      path: request.url,
      webhook_id,
      attempt: Number(request.headers['x-postrider-attempt']),
      at: Date.now(),
      headers: request.headers,
      body,
      signature: this.#verify(request.url, request.headers, body),
      status: null,
    };
    this.requests.push(record);
    const nth = this.requests.filter((other) => other.webhook_id === webhook_id && other.path === request.url).length;
    const answer = await this.#script({ path: record.path, webhook_id, attempt: record.attempt, nth });
    const { status, headers } = typeof answer === 'number' ? { status: answer } : answer;
    record.status = status;
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(String(status));
  }
}
