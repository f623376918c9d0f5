// A tenant's endpoint that keeps a record of every request it read to the end, and answers as scripted.
import { createServer } from 'node:http';

export class Sink {
  /** In the order of arrival: `{ webhook_id, attempt, body, status }`; the status is null until it is answered. */
  requests = [];
  #server;

  /** `script({ webhook_id, attempt, nth })`: the status to answer, or a promise of it; `nth` counts per webhook-id from 1. */
  static async start(script = () => 200) {
    const sink = new Sink();
    sink.script = script;
    sink.#server = createServer((request, response) => sink.#take(request, response));
    sink.#server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => sink.#server.listen(0, '127.0.0.1', resolve));
    return sink;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  /** How often each event was answered 2xx: id to count. */
  successes() {
    const counts = new Map();
    for (const { webhook_id, status } of this.requests)
      if (status >= 200 && status < 300) counts.set(webhook_id, (counts.get(webhook_id) ?? 0) + 1);
    return counts;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // cut short: the sender died, and it was no request
    }
    const webhook_id = request.headers['webhook-id'];
    const attempt = Number(request.headers['x-postrider-attempt']);
    const record = { webhook_id, attempt, body: Buffer.concat(chunks).toString('utf8'), status: null };
    this.requests.push(record);
    const nth = this.requests.reduce((count, other) => count + (other.webhook_id === webhook_id), 0);
    const status = await this.script({ webhook_id, attempt, nth });
    if (response.destroyed) return; // whoever asked is gone: this was never answered
    record.status = status;
    response.writeHead(status).end();
  }
}
