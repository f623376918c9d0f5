// What people ask of endpoints, deliveries and events while the node runs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CheckedApi, Contract } from './support/contract.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const secret = 'the secret of the source';

describe('operations', () => {
  let workspace, daemon, receiver, api, hold;
  const statuses = new Map(); // path of the receiver: what it answers
  const tenant = '/v1/tenants/acme';

  const at = (path) => receiver.requests.filter((request) => request.path === path);
  const make_endpoint = async (path, more = {}) => (await api.create(`${tenant}/endpoints`, { url: receiver.url + path, event_types: [path.slice(1)], ...more })).id;
  const publish = async (type, more = {}) => (await api.expect(202, 'POST', `${tenant}/events`, { type, payload: { type }, ...more })).event_id;
  const only = async (query) => {
    const { data } = await api.get(`${tenant}/deliveries?${query}`);
    assert.equal(data.length, 1, JSON.stringify(data));
    return data[0];
  };
  const in_state = (id, state) => until(async () => {
    const now = await api.get(`${tenant}/deliveries/${id}`);
    return now.state === state && now;
  }, { what: `${id} ${state}` });
  const finished = (job) => until(async () => {
    const now = await api.get(`${tenant}/jobs/${job.id}`);
    return now.state !== 'running' && now;
  }, { what: 'the end of the job' });
  const refused = async (status, code, method, path, body) => {
    const answer = await api.ask(method, path, body);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
  };

  before(async () => {
    workspace = new Workspace();
    let release;
    hold = { until: new Promise((resolve) => (release = resolve)), release: () => release() };
    receiver = await Receiver.start(async ({ path }) => {
      if (path === '/slow') await hold.until;
      return statuses.get(path) ?? 200;
    });
    daemon = await workspace.start();
    api = new CheckedApi(daemon.public_url, await workspace.operator_key(), Contract.load());
    await api.create('/v1/tenants', { slug: 'acme', name: 'Acme' });
    await api.create(`${tenant}/sources`, { name: 'github', provider: 'github', secrets: [secret] });
  });
  after(async () => {
    hold.release();
    await workspace.close();
    await receiver.close();
  });

  test('a published event goes out byte for byte, once for each id', async () => {
    await make_endpoint('/order.made');
    const payload = '{ "price" : 1.10, "name":"\\u00e4" }';
    const send = (body) => fetch(`${daemon.public_url}${tenant}/events`, { method: 'POST', headers: { authorization: `Bearer ${api.key}`, 'content-type': 'application/json' }, body });
    const first = await send(`{"type":"order.made","id":"o-1","payload":${payload}}`);
    assert.equal(first.status, 202);
    const { event_id, duplicate } = await first.json();
    assert.equal(duplicate, false);
    await until(() => at('/order.made').length === 1, { what: 'the event' });
    const [got] = at('/order.made');
    assert.deepEqual([got.body, got.webhook_id, got.headers['content-type'], got.headers['x-postrider-source']], [payload, event_id, 'application/json', 'api']);
    assert.deepEqual(await (await send('{"type":"order.made","id":"o-1","payload":null}')).json(), { event_id, duplicate: true });
    const batch = await api.expect(202, 'POST', `${tenant}/events`, {
      events: [{ type: 'order.made', id: 'o-1', payload: 1 }, { type: 'order.made', payload_base64: Buffer.from('%PDF').toString('base64'), content_type: 'application/pdf' }],
    });
    assert.deepEqual(batch.data.map((one) => one.duplicate), [true, false]);
    await until(() => at('/order.made').some((request) => request.body === '%PDF'), { what: 'the second event' });
    const wrong = await api.ask('POST', `${tenant}/events`, { type: 'a b', payload: 1, content_type: 'x', deliver_at: 'soon', priority: 'top', more: 1 });
    assert.deepEqual(wrong.body.errors.map((error) => error.pointer).sort(), ['/content_type', '/deliver_at', '/more', '/priority', '/type']);
    assert.equal(at('/order.made').length, 2);
  });

  test('what is to be delivered later waits, and can be cancelled', async () => {
    const endpoint = await make_endpoint('/later');
    await publish('later', { deliver_at: new Date(Date.now() + 3_600_000).toISOString() });
    const waiting = await only(`endpoint=${endpoint}`);
    assert.equal((await api.get(`${tenant}/deliveries/${waiting.id}`)).explain.waiting_for, 'scheduled');
    const cancelled = await api.expect(200, 'POST', `${tenant}/deliveries/${waiting.id}/cancel`);
    assert.deepEqual([cancelled.state, cancelled.reason, cancelled.next_attempt_at], ['cancelled', 'cancelled_by_user', null]);
    await refused(409, 'delivery-final', 'POST', `${tenant}/deliveries/${waiting.id}/cancel`);
    const again = await api.expect(200, 'POST', `${tenant}/deliveries/${waiting.id}/retry`);
    assert.deepEqual([again.state, again.generation], ['pending', 2]);
    await in_state(waiting.id, 'succeeded'); // now: a person asked
  });

  test('a paused endpoint keeps what it has until it is resumed; a test event is for it alone', async () => {
    const endpoint = await make_endpoint('/paused');
    assert.equal((await api.expect(200, 'POST', `${tenant}/endpoints/${endpoint}/pause`)).status, 'paused');
    const { event_id } = await api.expect(202, 'POST', `${tenant}/endpoints/${endpoint}/test`);
    const { id } = await only(`event=${event_id}`);
    assert.equal((await api.get(`${tenant}/deliveries/${id}`)).explain.waiting_for, 'paused');
    assert.equal((await api.expect(200, 'POST', `${tenant}/endpoints/${endpoint}/resume`, {})).status, 'active');
    await in_state(id, 'succeeded');
    assert.equal(at('/paused')[0].headers['x-postrider-event-type'], 'postrider.test');
    await api.expect(200, 'PATCH', `${tenant}/endpoints/${endpoint}`, { enabled: false });
    await refused(409, 'endpoint-disabled', 'POST', `${tenant}/endpoints/${endpoint}/resume`);
  });

  test('a breaker that is reset lets its endpoint be tried at once', async () => {
    statuses.set('/broken', 500);
    const endpoint = await make_endpoint('/broken', { breaker: { failures: 1, cool_down_ms: 600_000, cool_down_max_ms: 600_000 }, retry: { schedule_s: [0, 0], jitter: 0 } });
    await publish('broken');
    await until(async () => (await api.get(`${tenant}/endpoints/${endpoint}`)).breaker.state === 'open', { what: 'the open breaker' });
    statuses.delete('/broken');
    assert.equal((await api.expect(200, 'POST', `${tenant}/endpoints/${endpoint}/reset-breaker`)).breaker.state, 'closed');
    await until(() => at('/broken').some((request) => request.status === 200), { what: 'the next attempt' });
    await in_state((await only(`endpoint=${endpoint}`)).id, 'succeeded');
  });

  test('of a cancelled delivery in flight the running attempt decides; what waited for its turn is not sent', async () => {
    const endpoint = await make_endpoint('/slow', { max_in_flight: 1, timeout_ms: 60_000 });
    await publish('slow');
    await until(() => at('/slow').length === 1, { what: 'the first request' });
    const running = await only(`endpoint=${endpoint}`);
    const others = [];
    const events = [];
    for (let i = 0; i < 3; ++i) {
      events.push(await publish('slow'));
      others.push((await api.get(`${tenant}/deliveries?endpoint=${endpoint}&limit=1`)).data[0].id);
    }
    assert.equal((await api.expect(202, 'POST', `${tenant}/deliveries/${running.id}/cancel`)).state, 'in_flight');
    for (const id of others) assert.equal((await api.expect(200, 'POST', `${tenant}/deliveries/${id}/cancel`)).state, 'cancelled');
    statuses.set('/slow', 500);
    hold.release();
    const ended = await in_state(running.id, 'cancelled');
    assert.deepEqual([ended.reason, ended.attempts.length, ended.attempts[0].http_status], ['cancelled_by_user', 1, 500]);
    await publish('slow'); // whatever was left in front of it would have come first
    await until(() => at('/slow').length === 2, { what: 'the next request' });
    assert.ok(!events.includes(at('/slow')[1].webhook_id));
    for (const id of others) assert.equal((await api.get(`${tenant}/deliveries/${id}`)).attempt_count, 0);
  });

  test('the dead are replayed, and a new endpoint gets what came before it', async () => {
    statuses.set('/replayed', 500);
    const endpoint = await make_endpoint('/replayed', { retry: { schedule_s: [0], jitter: 0 }, breaker: { failures: 1000, failure_rate: 1, min_requests: 1000 } });
    for (let i = 0; i < 3; ++i) await publish('replayed');
    const counts = async (query) => (await api.all(`${tenant}/deliveries?${query}`)).length;
    await until(async () => (await counts(`endpoint=${endpoint}&state=dead`)) === 3, { what: 'three dead ones' });
    statuses.delete('/replayed');
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const job = await api.expect(202, 'POST', `${tenant}/endpoints/${endpoint}/replay`, { since });
    const done = await finished(job);
    assert.deepEqual([done.state, done.replayed, done.total], ['done', 3, 3]);
    await until(async () => (await counts(`endpoint=${endpoint}&state=succeeded`)) === 3, { what: 'three that succeeded' });

    const late = await make_endpoint('/replayed/late', { event_types: ['replayed'] });
    const made = await finished(await api.expect(202, 'POST', `${tenant}/endpoints/${late}/replay`, { since, missing: true }));
    assert.deepEqual([made.replayed, made.total], [3, 3]);
    await until(() => at('/replayed/late').length === 3, { what: 'three events of before' });
    const bodies = await api.ask('POST', `${tenant}/endpoints/${late}/replay`, { states: ['pending'], event_types: ['a b'] });
    assert.deepEqual(bodies.body.errors.map((error) => error.pointer), ['/since', '/states/0', '/event_types/0']);
    await refused(404, 'not-found', 'GET', `${tenant}/jobs/job_01985a3e-7c1a-7b3e-9d52-0c4f6a1b2c3d`);
  });

  test('in bulk: what waits is cancelled, what is cancelled is retried', async () => {
    const endpoint = await make_endpoint('/bulk');
    await api.expect(200, 'POST', `${tenant}/endpoints/${endpoint}/pause`);
    for (let i = 0; i < 5; ++i) await publish('bulk');
    const key = { 'idempotency-key': randomUUID() };
    const first = await api.ask('POST', `${tenant}/deliveries/cancel`, { endpoint, event_type: 'bulk' }, key);
    const again = await api.ask('POST', `${tenant}/deliveries/cancel`, { endpoint, event_type: 'bulk' }, key);
    assert.deepEqual([first.status, again.status, again.body.id], [202, 202, first.body.id]);
    assert.equal((await finished(first.body)).cancelled, 5);
    await refused(422, 'validation-failed', 'POST', `${tenant}/deliveries/retry`, { state: 'pending' });
    await api.expect(200, 'POST', `${tenant}/endpoints/${endpoint}/resume`);
    assert.equal((await finished(await api.expect(202, 'POST', `${tenant}/deliveries/retry`, { state: 'cancelled', endpoint }))).retried, 5);
    await until(() => at('/bulk').length === 5, { what: 'all five' });
  });

  test('an erased event is gone, its record stays', async () => {
    const endpoint = await make_endpoint('/erased', { event_types: ['push'] });
    await api.expect(200, 'POST', `${tenant}/endpoints/${endpoint}/pause`);
    const answer = await post_webhook(`${daemon.public_url}/in/acme/github`, { secret, body: '{"private":true}', id: randomUUID() });
    assert.equal(answer.status, 200);
    const { id: delivery, event_id } = await only(`endpoint=${endpoint}`);
    assert.equal((await api.ask('GET', `${tenant}/events/${event_id}/payload`)).status, 200);
    const erased = await api.expect(200, 'POST', `${tenant}/events/${event_id}/erase`);
    assert.deepEqual([erased.status, erased.size, erased.headers, erased.deliveries], ['erased', 0, {}, { cancelled: 1 }]);
    await refused(410, 'payload-erased', 'GET', `${tenant}/events/${event_id}/payload`);
    assert.equal((await api.get(`${tenant}/deliveries/${delivery}`)).reason, 'erased');
    await refused(409, 'payload-erased', 'POST', `${tenant}/deliveries/${delivery}/retry`);
  });

  test('the sums add up, and viewers only read', async () => {
    const { accounting, latency, success_rate } = await api.get(`${tenant}/stats`);
    const { accepted, ...states } = accounting;
    assert.equal(accepted, Object.values(states).reduce((sum, count) => sum + count, 0));
    assert.ok(accounting.succeeded > 10 && latency.p99_ms >= latency.p50_ms && success_rate > 0.5);
    assert.deepEqual((await api.get(`${tenant}/stats?since=2026-01-01T00:00:00Z`)).accounting, accounting);
    await refused(400, 'parameter-invalid', 'GET', `${tenant}/stats?since=yesterday`);
    const { key } = await api.create(`${tenant}/api-keys`, { name: 'viewer', role: 'tenant_viewer' });
    const viewer = new CheckedApi(daemon.public_url, key, Contract.load());
    await viewer.get(`${tenant}/stats`);
    for (const path of ['events', 'deliveries/retry', 'deliveries/cancel'])
      assert.equal((await viewer.ask('POST', `${tenant}/${path}`, {})).status, 403);
  });
});
