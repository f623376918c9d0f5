// How fast an endpoint is served: its rate limit, its own Retry-After, and what happens when its breaker closes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const source_secret = 'pacing';

describe('an endpoint at its own pace', () => {
  let workspace, receiver, daemon, api;
  const scripts = {}; // by path

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start((request) => scripts[request.path](request));
    daemon = await workspace.start();
    api = new Api(daemon.operator_url, await workspace.operator_key());
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  const make = async (slug, script, endpoint) => {
    scripts[`/${slug}`] = script;
    const tenant = await api.tenant_with_endpoint(slug, { source_secret, url: `${receiver.url}/${slug}`, endpoint });
    let posted = 0;
    const post = async () => {
      posted += 1;
      const body = `{"n":${posted}}`;
      const id = `${slug}-${posted}`;
      const answer = await post_webhook(daemon.public_url + tenant.ingest_path, { secret: source_secret, body, id });
      assert.equal(answer.status, 200);
    };
    return {
      post,
      requests: () => receiver.requests.filter((each) => each.path === `/${slug}`),
      deliveries: (query = '') => api.all(`/v1/tenants/${slug}/deliveries${query}`),
      delivery: (id) => api.get(`/v1/tenants/${slug}/deliveries/${id}`),
      actor: () => api.get(`/actors/node/n1/tenants/${slug}/deliveries/${tenant.endpoint}`),
      endpoint: await api.get(`/v1/tenants/${slug}/endpoints/${tenant.endpoint}`),
    };
  };

  test('no more is sent than rate_limit_per_s allows; what waits for it burns no attempt and says so', async () => {
    const rated = await make('rated', () => 200, { rate_limit_per_s: 2 });
    assert.equal(rated.endpoint.rate_limit_per_s, 2);
    for (let i = 0; i < 8; ++i) await rated.post();
    const waiting = await until(
      async () => {
        for (const each of await rated.deliveries()) {
          const shown = await rated.delivery(each.id);
          if (shown.explain.waiting_for === 'rate_limit') return shown;
        }
        return null;
      },
      { what: 'a delivery that waits for the rate' },
    );
    assert.equal(waiting.attempt_count, 0);
    assert.match(waiting.explain.detail, /rate limit/);
    await until(async () => (await rated.deliveries('?state=succeeded')).length === 8, { what: 'all of them' });
    const times = rated.requests().map((each) => each.at);
    assert.equal(times.length, 8);
    // A burst of two, then one each half second: the last comes three seconds after the first at the earliest. The
    // receiver's clock is read a little after the request was sent, each time.
    assert.ok(times.at(-1) - times[0] >= 2_500, `8 requests within ${times.at(-1) - times[0]} ms`);
    for (const each of await rated.deliveries()) assert.equal(each.attempt_count, 1);
  });

  test('a Retry-After holds the whole endpoint, and the window is halved', async () => {
    let answered_at = null;
    const busy = await make(
      'busy',
      () => {
        if (answered_at !== null) return 200;
        answered_at = Date.now();
        return { status: 429, headers: { 'retry-after': '3' } };
      },
      { max_in_flight: 8, retry: { schedule_s: [1, 1, 1] } },
    );
    await busy.post();
    await until(async () => (await busy.deliveries('?state=retry_wait')).length === 1, { what: 'the refusal' });
    for (let i = 0; i < 3; ++i) await busy.post();
    const actor = await busy.actor();
    assert.equal(actor.window, 4);
    const held = await until(
      async () => {
        for (const each of await busy.deliveries('?state=pending')) {
          const shown = await busy.delivery(each.id);
          if (shown.explain.waiting_for === 'rate_limit') return shown;
        }
        return null;
      },
      { what: 'a delivery that waits for the hold' },
    );
    assert.match(held.explain.detail, /asked to be sent nothing before/);
    await until(async () => (await busy.deliveries('?state=succeeded')).length === 4, { what: 'all of them' });
    const later = busy.requests().filter((each) => each.status === 200);
    assert.equal(later.length, 4);
    for (const each of later) assert.ok(each.at - answered_at >= 2_900, `after ${each.at - answered_at} ms`);
  });

  test('when the breaker closes, what waited on backoff goes on, and not at its own time', async () => {
    let healthy = false;
    const hour = 3_600;
    const broken = await make('broken', () => (healthy ? 200 : 500), {
      retry: { schedule_s: [hour, hour, hour] },
      breaker: { failures: 3, cool_down_ms: 500, cool_down_max_ms: 500 },
    });
    for (let i = 0; i < 6; ++i) await broken.post();
    await until(async () => (await broken.actor()).breaker.state !== 'closed', { what: 'the breaker to open' });
    const waiting = await until(async () => (await broken.deliveries('?state=retry_wait'))[0], { what: 'a failure' });
    assert.ok(Date.parse(waiting.next_attempt_at) - Date.now() > 600_000); // by itself it would wait long
    healthy = true;
    await until(async () => (await broken.deliveries('?state=succeeded')).length === 6, { what: 'all of them' });
    assert.equal((await broken.actor()).breaker.state, 'closed');
  });

  test('a rate that cannot be is refused, and null takes it away', async () => {
    const plain = await make('plain', () => 200, { rate_limit_per_s: 0.5 });
    const path = `/v1/tenants/plain/endpoints/${plain.endpoint.id}`;
    for (const rate_limit_per_s of [0, -1, 1e9, 'fast']) {
      const answer = await api.ask('PATCH', path, { rate_limit_per_s });
      assert.equal(answer.status, 422);
      assert.equal(answer.body.errors[0].pointer, '/rate_limit_per_s');
    }
    assert.equal((await api.expect(200, 'PATCH', path, { rate_limit_per_s: null })).rate_limit_per_s, null);
    assert.equal((await api.expect(200, 'PATCH', path, { rate_limit_per_s: 7.5 })).rate_limit_per_s, 7.5);
  });
});
