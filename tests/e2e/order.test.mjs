// Endpoints that take their events in order, by key or altogether: over failures, kill -9, and everything that makes deliveries.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CheckedApi, Contract } from './support/contract.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { in_parallel, until } from './support/until.mjs';

const secret = 'the secret of the source';
const quick = {
  retry: { base_ms: 100, factor: 1, max_ms: 100, max_attempts: 5, jitter: 0 },
  breaker: { failures: 1_000, failure_rate: 1, min_requests: 10_000 },
};

describe('order', () => {
  let workspace, daemon, receiver, api, ingest;
  const tenant = '/v1/tenants/acme';
  const rules = new Map(); // path of the receiver: ({ number, nth, customer }) => status

  const at = (path) => receiver.requests.filter((request) => request.path === path);
  const answered = (path) => at(path).filter((request) => request.status !== null);
  const make_endpoint = (path, more) =>
    api.create(`${tenant}/endpoints`, { url: receiver.url + path, event_types: [path.slice(1)], ...quick, ...more });
  const post = async (path, content) => {
    const send = () => post_webhook(daemon.public_url + ingest, { secret, event: path.slice(1), id: content.id, body: JSON.stringify(content) });
    return until(async () => {
      const answer = await send().catch(() => null); // no answer: the daemon died
      return answer?.status === 200 && answer.body.event_id;
    }, { what: `the acknowledgement of ${content.id}`, deadline_ms: 60_000 });
  };
  const deliveries_of = (endpoint) => api.all(`${tenant}/deliveries?endpoint=${endpoint.id}`);
  const all_final = (endpoint, count) => until(async () => {
    const all = await deliveries_of(endpoint);
    return all.length === count && all.every((each) => ['succeeded', 'dead', 'cancelled'].includes(each.state)) && all;
  }, { what: `the end of ${count} deliveries`, deadline_ms: 60_000 });

  /** Among these deliveries, in their order, no request comes before the last of the one ahead was answered. */
  function assert_in_turn(path, deliveries) {
    const place = new Map(deliveries.toSorted((a, b) => a.order - b.order).map((each, index) => [each.event_id, index]));
    let reached = -1;
    for (const request of at(path)) {
      const index = place.get(request.webhook_id);
      if (index === undefined) continue;
      assert.ok(index >= reached, `${path}: number ${index} was sent after number ${reached}`);
      assert.ok(index <= reached + 1, `${path}: number ${index} was sent while number ${reached} was the last`);
      reached = index;
    }
  }

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(({ path, webhook_id, nth }) => {
      const request = receiver.requests.findLast((each) => each.webhook_id === webhook_id && each.path === path);
      return rules.get(path)?.({ ...JSON.parse(request.body), nth }) ?? 200;
    });
    daemon = await workspace.start();
    api = new CheckedApi(daemon.public_url, await workspace.operator_key(), Contract.load());
    await api.create('/v1/tenants', { slug: 'acme', name: 'Acme' });
    ingest = (await api.create(`${tenant}/sources`, { name: 'github', provider: 'github', secrets: [secret] })).ingest_path;
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  test('FIFO: each comes after the one ahead is final, also where that fails', async () => {
    rules.set('/fifo', ({ number, nth }) => (number % 4 === 0 && nth <= 2 ? 500 : number === 7 ? 404 : 200));
    const endpoint = await make_endpoint('/fifo', { ordering: 'fifo' });
    assert.equal(endpoint.ordering, 'fifo');
    for (let number = 0; number < 30; ++number) await post('/fifo', { id: randomUUID(), number });
    const all = await all_final(endpoint, 30);
    assert.deepEqual(all.map((each) => each.order).toSorted((a, b) => a - b), Array.from({ length: 30 }, (_, index) => index + 1));
    assert.deepEqual(all.filter((each) => each.state === 'dead').map((each) => [each.order, each.reason]), [[8, 'exhausted']]);
    const numbers = answered('/fifo').map((request) => JSON.parse(request.body).number);
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
    assert_in_turn('/fifo', all);
    const parallel = await make_endpoint('/parallel');
    await post('/parallel', { id: randomUUID(), number: 1 });
    assert.equal((await all_final(parallel, 1))[0].order, null);
  });

  test('by key: who is blocked holds up nobody else, and explain names whom he waits for', async () => {
    let broken = true;
    rules.set('/keyed', ({ customer }) => (customer?.id === 3 && broken ? 500 : 200));
    const endpoint = await make_endpoint('/keyed', { ordering: { key: 'json:/customer/id' }, retry: { base_ms: 300, factor: 1, max_ms: 300, max_attempts: 100 } });
    assert.deepEqual(endpoint.ordering, { key: 'json:/customer/id' });
    const contents = Array.from({ length: 60 }, (_, number) => ({ id: randomUUID(), number, ...(number % 6 === 5 ? {} : { customer: { id: number % 6 } }) }));
    for (const each of contents) await post('/keyed', each);
    const others = contents.filter((each) => each.customer?.id !== 3).length;
    await until(() => new Set(at('/keyed').filter((request) => request.status === 200).map((request) => request.webhook_id)).size === others, { what: 'all others' });
    const waiting = (await deliveries_of(endpoint)).filter((each) => each.state !== 'succeeded').toSorted((a, b) => a.order - b.order);
    assert.equal(waiting.length, 10);
    const second = await api.get(`${tenant}/deliveries/${waiting[1].id}`);
    assert.equal(second.explain.waiting_for, 'predecessor');
    assert.match(second.explain.detail, new RegExp(waiting[0].id));
    assert.deepEqual([second.attempt_count, second.attempts], [0, []]);
    broken = false;
    const all = await all_final(endpoint, 60);
    for (const customer of [0, 1, 2, 3, 4, undefined]) {
      const ids = new Set(contents.filter((each) => each.customer?.id === customer).map((each) => each.number));
      const events = new Set(at('/keyed').filter((request) => ids.has(JSON.parse(request.body).number)).map((request) => request.webhook_id));
      assert_in_turn('/keyed', all.filter((each) => events.has(each.event_id)));
    }
  });

  test('what is cancelled lets the next one go; what a person retries comes first', async () => {
    let broken = true;
    rules.set('/person', () => (broken ? 500 : 200));
    const endpoint = await make_endpoint('/person', { ordering: 'fifo', retry: { base_ms: 600_000, factor: 1, max_ms: 600_000, max_attempts: 5 } });
    for (let number = 0; number < 3; ++number) await post('/person', { id: randomUUID(), number });
    await until(() => answered('/person').length === 1, { what: 'the first request' });
    const first = await until(async () => (await deliveries_of(endpoint)).find((each) => each.order === 1 && each.state === 'retry_wait'), { what: 'its backoff' });
    assert.equal(answered('/person').length, 1);
    broken = false;
    await api.expect(200, 'POST', `${tenant}/deliveries/${first.id}/cancel`);
    await until(async () => (await deliveries_of(endpoint)).filter((each) => each.state === 'succeeded').length === 2, { what: 'those behind it' });
    await api.expect(200, 'POST', `${tenant}/deliveries/${first.id}/retry`);
    await until(() => answered('/person').length === 4, { what: 'the retried one' });
    assert.deepEqual(answered('/person').map((request) => JSON.parse(request.body).number), [0, 1, 2, 0]);
  });

  test('published events and tests take their places too; what would hold up the rest is refused', async () => {
    const endpoint = await make_endpoint('/published', { ordering: { key: 'header:X-Customer' } });
    await api.expect(202, 'POST', `${tenant}/events`, { events: [1, 2, 3].map((number) => ({ type: 'published', payload: { number } })) });
    await api.expect(202, 'POST', `${tenant}/endpoints/${endpoint.id}/test`);
    const all = await all_final(endpoint, 4);
    assert.deepEqual(all.map((each) => each.order).toSorted(), [1, 2, 3, 4]);
    assert.deepEqual(answered('/published').map((request) => JSON.parse(request.body).number), [1, 2, 3, undefined]);
    const later = await api.ask('POST', `${tenant}/events`, { type: 'published', payload: 1, deliver_at: new Date(Date.now() + 60_000).toISOString() });
    assert.deepEqual([later.status, later.body.errors.map((each) => [each.pointer, each.code])], [422, [['/deliver_at', 'endpoint-ordered']]]);
    for (const [ordering, pointer] of [['random', '/ordering'], [{ key: 'body' }, '/ordering/key'], [{ key: 'json:/a~2' }, '/ordering/key'], [{ key: 'header:a', more: 1 }, '/ordering/more']]) {
      const wrong = await api.ask('PATCH', `${tenant}/endpoints/${endpoint.id}`, { ordering });
      assert.deepEqual([wrong.status, wrong.body.errors?.map((each) => each.pointer)], [422, [pointer]], JSON.stringify(wrong.body));
    }
    assert.equal((await api.expect(200, 'PATCH', `${tenant}/endpoints/${endpoint.id}`, { ordering: null })).ordering, 'parallel');
    await api.expect(202, 'POST', `${tenant}/events`, { type: 'published', payload: { number: 5 } });
    assert.deepEqual((await all_final(endpoint, 5)).map((each) => each.order).filter((order) => order === null).length, 1);
  });

  test('kill -9 in the middle: nothing is lost, and the order stays', { timeout: 180_000 }, async () => {
    rules.set('/killed', ({ number, nth }) => (number % 5 === 0 && nth === 1 ? 503 : 200));
    const endpoint = await make_endpoint('/killed', { ordering: { key: 'json:/customer/id' } });
    const contents = Array.from({ length: 200 }, (_, number) => ({ id: randomUUID(), number, customer: { id: number % 3 } }));
    const event_of = new Map();
    const posting = in_parallel(contents, 8, async (each) => event_of.set(each.number, await post('/killed', each)));
    await until(() => at('/killed').length >= 30, { what: '30 requests' });
    await daemon.kill();
    daemon = await workspace.start();
    api.url = daemon.public_url;
    await posting;
    const all = await all_final(endpoint, 200);
    assert.ok(all.every((each) => each.state === 'succeeded'));
    assert.deepEqual(all.map((each) => each.order).toSorted((a, b) => a - b), Array.from({ length: 200 }, (_, index) => index + 1));
    for (let customer = 0; customer < 3; ++customer) {
      const events = new Set(contents.filter((each) => each.customer.id === customer).map((each) => event_of.get(each.number)));
      assert_in_turn('/killed', all.filter((each) => events.has(each.event_id)));
    }
  });
});
