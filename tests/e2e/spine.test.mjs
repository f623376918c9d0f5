// The whole way of an event under load, failures and kill -9, with the invariants of every single delivery looked at.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { in_parallel, until } from './support/until.mjs';

const source_secret = 'spine';
const webhook_count = 500;
const slugs = ['amber', 'basalt', 'cobalt'];

/** Fails by a rule of the webhook's number: some at first, some twice, most never. */
function scripted_status({ body_number, nth }) {
  if (body_number % 5 === 0 && nth === 1) return 500;
  if (body_number % 7 === 0 && nth <= 2) return 404;
  return 200;
}

describe('500 webhooks over 3 tenants, a receiver that fails some, kill -9 in the middle', () => {
  let workspace, receiver, daemon, key;
  const tenants = new Map();
  const number_of = new Map(); // event id -> number of the webhook
  let killed_at;

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(({ webhook_id, path, nth }) => {
      const request = receiver.requests.findLast((r) => r.webhook_id === webhook_id && r.path === path);
      return scripted_status({ body_number: JSON.parse(request.body).number, nth });
    });
    daemon = await workspace.start();
    key = await workspace.operator_key();
    const api = new Api(daemon.operator_url, key);
    for (const slug of slugs) {
      const tenant = await api.tenant_with_endpoint(slug, {
        source_secret,
        url: `${receiver.url}/${slug}`,
        endpoint: {
          retry: { base_ms: 200, factor: 1.5, max_ms: 1_000, max_attempts: 40 },
          breaker: { failures: 50, failure_rate: 1, cool_down_ms: 200, cool_down_max_ms: 1_000 },
        },
      });
      receiver.expect_signed_by(`/${slug}`, tenant.secret);
      tenants.set(slug, tenant);
    }
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  test('every webhook is acknowledged in the end, by whichever of the two processes', { timeout: 180_000 }, async () => {
    const webhooks = Array.from({ length: webhook_count }, (_, number) => ({
      number,
      slug: slugs[number % slugs.length],
      id: randomUUID(),
      body: JSON.stringify({ number, filler: 'x'.repeat(600) }),
    }));
    let acknowledged = 0;
    let restarted;
    const restart = async () => {
      killed_at = Date.now();
      await daemon.kill();
      daemon = await workspace.start();
    };
    // As a provider does: what was not acknowledged is sent again, with the same id.
    await in_parallel(webhooks, 24, async (webhook) => {
      const answer = await until(
        async () => {
          const posted = await post_webhook(daemon.public_url + tenants.get(webhook.slug).ingest_path, {
            secret: source_secret,
            body: webhook.body,
            id: webhook.id,
          });
          return posted.status === 200 && posted;
        },
        { deadline_ms: 90_000, every_ms: 50, what: `the acknowledgement of webhook ${webhook.number}` },
      );
      number_of.set(answer.body.event_id, webhook.number);
      if (++acknowledged === webhook_count / 2) restarted = restart();
    });
    await restarted;
    assert.ok(killed_at, 'it was killed in the middle');
    assert.equal(number_of.size, webhook_count, 'as many events as webhooks');
  });

  test('every acknowledged event is delivered', { timeout: 180_000 }, async () => {
    await until(() => [...number_of.keys()].every((id) => receiver.successes().has(id)), {
      deadline_ms: 120_000,
      every_ms: 100,
      what: 'the delivery of every event',
    });
  });

  test('every outgoing signature is valid, and every body is what was sent', () => {
    for (const request of receiver.requests) assert.equal(request.signature, 'valid', request.webhook_id);
    for (const request of receiver.requests)
      if (number_of.has(request.webhook_id)) assert.equal(JSON.parse(request.body).number, number_of.get(request.webhook_id));
  });

  test('attempts are numbered without gaps, each request has its row, and duplicates were in flight at the kill', { timeout: 120_000 }, async (t) => {
    const api = new Api(daemon.operator_url, key);
    const requests = by_webhook_id(receiver.requests);
    let interrupted_count = 0;
    for (const slug of slugs) {
      const deliveries = await until(
        async () => {
          const all = await api.all(`/v1/tenants/${slug}/deliveries`);
          return all.every((delivery) => delivery.state === 'succeeded') && all;
        },
        { deadline_ms: 60_000, every_ms: 200, what: `the outcomes of ${slug}` },
      );
      assert.equal(deliveries.length, slugs.indexOf(slug) < webhook_count % slugs.length ? Math.ceil(webhook_count / 3) : Math.floor(webhook_count / 3));
      await in_parallel(deliveries, 8, async ({ id, event_id, attempt_count }) => {
        const { attempts } = await api.get(`/v1/tenants/${slug}/deliveries/${id}`);
        assert.deepEqual(attempts.map((a) => a.number), Array.from({ length: attempt_count }, (_, i) => i + 1), id);
        assert.equal(attempts.at(-1).outcome, 'succeeded', id);

        const seen = requests.get(event_id).map((r) => r.attempt);
        assert.equal(new Set(seen).size, seen.length, `${id}: an attempt number was sent twice`);
        for (const number of seen) assert.ok(number >= 1 && number <= attempt_count, `${id}: request ${number} has no row`);

        const interrupted = attempts.filter((a) => a.outcome === 'interrupted');
        interrupted_count += interrupted.length;
        for (const attempt of attempts)
          if (attempt.outcome !== 'interrupted') assert.ok(seen.includes(attempt.number), `${id}: attempt ${attempt.number} was never sent`);
        const successes = receiver.successes().get(event_id).length;
        assert.ok(successes <= 1 + interrupted.length, `${id}: ${successes} successes, ${interrupted.length} interrupted`);
        assert.ok(interrupted.length <= 1, `${id}: interrupted ${interrupted.length} times by one kill`);
        if (interrupted.length > 0) assert.ok(time_of(event_id) <= killed_at, `${id}: accepted after the kill, and interrupted`);
      });
    }
    const duplicates = [...receiver.successes().values()].filter((all) => all.length > 1).length;
    t.diagnostic(`${interrupted_count} attempts were interrupted by the kill, ${duplicates} events delivered twice`);
    assert.ok(duplicates <= interrupted_count);
  });

  test('200 parallel posts of one provider event id make one event, and all answers carry its id', async () => {
    const { ingest_path } = tenants.get('amber');
    const webhook = { secret: source_secret, body: '{"number":1}', id: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 200 }, () => post_webhook(daemon.public_url + ingest_path, webhook)));
    for (const answer of answers) assert.equal(answer.status, 200, JSON.stringify(answer.body));
    const ids = new Set(answers.map((answer) => answer.body.event_id));
    assert.equal(ids.size, 1);
    assert.equal(answers.filter((answer) => !answer.body.duplicate).length, 1);
    const api = new Api(daemon.operator_url, key);
    assert.equal((await api.get(`/v1/tenants/amber/deliveries?event=${[...ids][0]}`)).data.length, 1);
  });
});

/** Milliseconds since 1970 inside an id, a UUIDv7. */
function time_of(id) {
  return Number.parseInt(id.slice(id.indexOf('_') + 1).replaceAll('-', '').slice(0, 12), 16);
}

/** All requests of each event. */
function by_webhook_id(requests) {
  const out = new Map();
  for (const request of requests) out.set(request.webhook_id, [...(out.get(request.webhook_id) ?? []), request]);
  return out;
}
