// Who goes first where not all can: priorities, replays beside live traffic, tenants beside each other.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const secret = 'fairness';
const priority_of = (request) => JSON.parse(request.body).priority;
const count = (list, wanted) => list.filter(wanted).length;

describe('fairness', () => {
  let workspace, receiver, daemon, api;
  let takes_ms = 0; // the receiver's answers

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(async () => {
      if (takes_ms > 0) await new Promise((resolve) => setTimeout(resolve, takes_ms));
      return 200;
    });
    daemon = await workspace.start();
    api = new Api(daemon.operator_url, await workspace.operator_key());
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  const make = async (slug, endpoint = {}) => {
    const made = await api.tenant_with_endpoint(slug, { source_secret: secret, url: `${receiver.url}/${slug}`, endpoint });
    const path = `/v1/tenants/${slug}/endpoints/${made.endpoint}`;
    return {
      ...made,
      path,
      arrived: () => receiver.requests.filter((each) => each.path === `/${slug}`),
      act: (what) => api.expect(200, 'POST', `${path}/${what}`),
      publish: (how_many, priority) =>
        api.expect(202, 'POST', `/v1/tenants/${slug}/events`, {
          events: Array.from({ length: how_many }, () => ({ type: 'a', payload: { priority }, ...(priority ? { priority } : {}) })),
        }),
    };
  };

  test('an endpoint shows its priority, and null restores the default', async () => {
    const made = await make('words', { priority: 'high' });
    assert.equal((await api.get(made.path)).priority, 'high');
    assert.equal((await api.expect(200, 'PATCH', made.path, { priority: 'low' })).priority, 'low');
    assert.equal((await api.expect(200, 'PATCH', made.path, { priority: null })).priority, 'medium');
    const wrong = await api.ask('PATCH', made.path, { priority: 'urgent' });
    assert.deepEqual([wrong.status, wrong.body.errors[0].code], [422, 'bad-format']);
  });

  test('high goes ahead of low by its weight, and low is not starved', async () => {
    const made = await make('weights', { max_in_flight: 1 });
    await made.act('pause');
    for (const priority of ['low', 'medium', 'high']) await made.publish(84, priority); // the lightest are the oldest
    await until(async () => (await api.all('/v1/tenants/weights/deliveries?state=pending')).length === 252, { what: 'the backlog' });
    await made.act('resume');
    await until(() => made.arrived().length >= 84, { what: 'six rounds of the weights' });
    const first = made.arrived().slice(0, 84).map(priority_of);
    const got = Object.fromEntries(['high', 'medium', 'low'].map((each) => [each, count(first, (one) => one === each)]));
    // 8 + 4 + 2 parts: 48, 24 and 12 of 84. A few places either way: a claim's rows were chosen before the next one's.
    assert.ok(Math.abs(got.high - 48) <= 8 && Math.abs(got.medium - 24) <= 6 && Math.abs(got.low - 12) <= 4, JSON.stringify(got));
    await until(() => made.arrived().length === 252, { what: 'all of them, once each' });
  });

  test('what comes in goes ahead of a backlog of replays, which goes on beside it', async () => {
    const made = await make('replays', { max_in_flight: 4 });
    for (let i = 0; i < 2; ++i) await made.publish(400);
    await until(() => made.arrived().length === 800, { what: 'the first time' });
    await until(async () => (await api.all('/v1/tenants/replays/deliveries?state=succeeded')).length === 800, { what: 'them recorded' });
    await made.act('pause');
    const job = await api.expect(202, 'POST', `${made.path}/replay`, { since: new Date(Date.now() - 3_600_000).toISOString(), states: ['succeeded'] });
    await until(async () => (await api.get(`/v1/tenants/replays/jobs/${job.id}`)).state === 'done', { what: 'the job' });
    const shown = await until(
      async () => {
        const now = await api.get(`/actors/node/n1/tenants/replays/deliveries/${made.endpoint}`);
        return now.counters.scheduled_replay === 800 ? now : null;
      },
      { what: 'the backlog at rest, by lane', deadline_ms: 60_000 },
    );
    assert.equal(shown.counters.scheduled, 800);
    takes_ms = 20;
    await made.act('resume');
    for (let live = 0; live < 5; ++live) {
      await until(() => made.arrived().length >= 850 + 50 * live, { what: 'replays' });
      const before = made.arrived().length;
      const answer = await post_webhook(daemon.public_url + made.ingest_path, { secret, body: `{"live":${live}}`, id: `live-${live}` });
      assert.equal(answer.status, 200);
      const at = await until(() => made.arrived().findIndex((each) => String(each.body) === `{"live":${live}}`) + 1, { what: 'the live one' });
      assert.ok(at - before <= 40, `${at - before} replays went ahead of it`);
    }
    takes_ms = 0;
    await until(() => made.arrived().length === 1_605, { what: 'the replays', deadline_ms: 30_000 });
  });

  test('a tenant that floods delays nobody else', async () => {
    const flood = await make('flood', { max_in_flight: 2 });
    const other = await make('other');
    takes_ms = 20;
    for (let i = 0; i < 4; ++i) await flood.publish(400);
    await until(() => flood.arrived().length > 0, { what: 'the flood' });
    for (let i = 0; i < 20; ++i) {
      const answer = await post_webhook(daemon.public_url + other.ingest_path, { secret, body: `{"n":${i}}`, id: `other-${i}` });
      assert.equal(answer.status, 200);
    }
    await until(() => other.arrived().length === 20, { what: 'the others' });
    assert.ok(flood.arrived().length < 1_600, 'the flood was over before');
    takes_ms = 0;
    await until(() => flood.arrived().length === 1_600, { what: 'the rest of the flood', deadline_ms: 30_000 });
  });
});
