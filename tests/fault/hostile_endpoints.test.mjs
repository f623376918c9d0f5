// Endpoints that mean harm, or are broken: each gets the reason that the interface names, the process survives, its memory stays
// bounded, and a healthy endpoint beside them is served.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { until } from '../e2e/support/until.mjs';
import { answer, pour, RawEndpoint } from './support/raw_endpoint.mjs';
import { provider_ids, Scenario } from './support/scenario.mjs';

const timeout_ms = 1_500;
const gigabyte = 2 ** 30;
const growth_max_kb = 96 * 1024; // the sanitizer's shadow and its quarantine of 16 MiB included

/** Drips one byte each 100 ms, for as long as it is let. */
function drip(socket, text) {
  let at = 0;
  const timer = setInterval(() => (at < text.length ? socket.write(text[at++]) : clearInterval(timer)), 100);
  socket.on('close', () => clearInterval(timer));
}

const filler = 'x'.repeat(64 * 1024);
const ok_with = (fields) => `HTTP/1.1 200 OK\r\n${fields}content-length: 0\r\n\r\n`;

/** What it does with a request, and the attempt as the interface shows it. */
const endpoints = {
  'resets at once': { script: (socket) => socket.resetAndDestroy(), reason: 'reset' },
  'closes without an answer': { script: (socket) => socket.end(), reason: 'reset' },
  'resets within the body': {
    script: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', () => socket.resetAndDestroy()),
    reason: 'reset',
    http_status: 200,
  },
  'hangs before the answer': { script: () => {}, reason: 'timeout' },
  'hangs within the body': {
    script: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
    reason: 'timeout',
    http_status: 200,
  },
  'drips its head': { script: (socket) => drip(socket, answer(200, filler)), reason: 'timeout' },
  'drips its body': {
    script: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
      drip(socket, filler);
    },
    reason: 'timeout',
    http_status: 200,
  },
  'sends garbage': { script: (socket) => socket.write('\x00\xff\x16\x03\x01 garbage \r\n\r\n', 'latin1'), reason: 'invalid_response' },
  'sends a status that is none': { script: (socket) => socket.write('HTTP/1.1 999 No\r\n\r\n'), reason: 'invalid_response' },
  'has two lengths': {
    script: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n'),
    reason: 'invalid_response',
  },
  'sends a header field of 70,000 bytes': {
    script: (socket) => socket.write(ok_with(`x-long: ${'x'.repeat(70_000)}\r\n`)),
    reason: 'response_too_large',
  },
  'sends a trailer of 70,000 bytes': {
    script: (socket) => socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-long: ${'x'.repeat(70_000)}\r\n\r\n`),
    reason: 'response_too_large',
    http_status: 200,
  },
  'sends header fields without end': {
    script: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      pour(socket, `x-more: ${'x'.repeat(1_000)}\r\n`.repeat(60), gigabyte);
    },
    reason: 'response_too_large',
  },
  'sends 1xx without end': {
    script: (socket) => pour(socket, 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1_000), gigabyte),
    reason: 'invalid_response',
  },
  'sends 1 GB with a length': {
    script: (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${gigabyte}\r\n\r\n`);
      pour(socket, filler, gigabyte);
    },
    succeeds: true, // a body past 64 KiB is cut off, not a failure
  },
  'sends 1 GB in chunks': {
    script: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      pour(socket, `10000\r\n${filler}\r\n`, gigabyte);
    },
    succeeds: true,
  },
  'sends 1 GB without a length': {
    script: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n');
      pour(socket, filler, gigabyte);
    },
    succeeds: true,
  },
};

function memory_high_kb(daemon) {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))[1]);
}

describe('an endpoint that', () => {
  let scenario;
  const raw = [];
  before(async () => (scenario = await Scenario.start()));
  after(async () => {
    await scenario?.close();
    await Promise.all(raw.map((endpoint) => endpoint.close()));
  });

  /** One more endpoint of the tenant, and what became of its first attempt at the event with this id. */
  async function add(script, more = {}) {
    const endpoint = await RawEndpoint.start(script);
    raw.push(endpoint);
    const made = await scenario.api.create('/v1/tenants/acme/endpoints', { url: endpoint.url, timeout_ms, ...more });
    return { id: made.id, endpoint };
  }
  async function first_attempt(endpoint_id, event_id) {
    const path = `/v1/tenants/acme/deliveries?endpoint=${endpoint_id}&event=${event_id}`;
    return until(
      async () => {
        const [{ id }] = (await scenario.api.get(path)).data;
        const [first] = (await scenario.api.get(`/v1/tenants/acme/deliveries/${id}`)).attempts;
        return first?.outcome && first;
      },
      { what: 'the first attempt', every_ms: 100 },
    );
  }

  test('does any of this is told by its reason, costs no memory, and the healthy one is served', { timeout: 90_000 }, async (t) => {
    const added = new Map();
    for (const [what, { script }] of Object.entries(endpoints)) added.set(what, await add(script));
    const before = memory_high_kb(scenario.daemon);
    const [id] = provider_ids(1);
    await scenario.send_until_acknowledged([id]);
    const event = scenario.acknowledged.get(id);
    for (const [what, { reason, http_status = null, succeeds }] of Object.entries(endpoints))
      await t.test(what, async () => {
        const attempt = await first_attempt(added.get(what).id, event);
        const found = { outcome: attempt.outcome, reason: attempt.reason, http_status: attempt.http_status };
        assert.deepEqual(found, succeeds ? { outcome: 'succeeded', reason: null, http_status: 200 } : { outcome: 'failed', reason, http_status });
        if (reason === 'timeout') assert.ok(attempt.duration_ms >= timeout_ms, `${attempt.duration_ms} ms`);
        assert.ok((attempt.response_excerpt ?? '').length <= 1_024);
      });
    await until(() => scenario.sink.successes().get(event) === 1, { what: 'the delivery to the healthy endpoint' });
    const grown = memory_high_kb(scenario.daemon) - before;
    t.diagnostic(`${added.size} endpoints: the process survives, its memory grew by at most ${grown} kB`);
    assert.ok(grown < growth_max_kb, `${grown} kB`);
    assert.equal(scenario.daemon.ended, undefined);
  });

  test('forges a second response behind the first: it counts for no other request', { timeout: 60_000 }, async (t) => {
    // A 500, and in the same breath or a moment later, while the connection rests, a 200 that nobody asked for. From the second
    // attempt on it is honest. One event after the other: what came before a request was sent cannot be its answer.
    let forged = 0;
    const forger = await add(
      (socket, { attempt }) => {
        if (attempt > 1) return socket.write(answer(200));
        if (++forged % 2 === 0) return socket.write(answer(500) + answer(200));
        return socket.write(answer(500), () => setImmediate(() => socket.write(answer(200))));
      },
      { retry: { base_ms: 100, factor: 1, max_ms: 100, max_attempts: 20 } },
    );
    const ids = provider_ids(10);
    for (const id of ids) {
      await scenario.send_until_acknowledged([id]);
      const event = scenario.acknowledged.get(id);
      const path = `/v1/tenants/acme/deliveries?endpoint=${forger.id}&event=${event}`;
      const delivery = await until(
        async () => {
          const [found] = (await scenario.api.get(path)).data;
          return found.state === 'succeeded' && found;
        },
        { what: 'its delivery' },
      );
      const { attempts } = await scenario.api.get(`/v1/tenants/acme/deliveries/${delivery.id}`);
      // Its success is one that the endpoint gave to that very request.
      assert.deepEqual(attempts.map(({ outcome, http_status }) => `${outcome} ${http_status}`), ['failed 500', 'succeeded 200']);
      assert.deepEqual(forger.endpoint.requests.filter(({ webhook_id }) => webhook_id === event).map(({ attempt }) => attempt), [1, 2]);
    }
    t.diagnostic(`forged responses: acknowledged=${ids.length} delivered=${ids.length} lost=0 duplicated=0`);
  });
});
