// Sources and endpoints as they change while the node runs: PATCH, rotation of secrets, enabling and disabling.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { CheckedApi, Contract } from './support/contract.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { post_box, post_stripe } from './support/providers.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const { Webhook } = createRequire(import.meta.url)('standardwebhooks');
const in_force = { deadline_ms: 10_000 }; // a second is promised; this machine may be busy

/** `pointer code` of each error of a 422. */
const errors_of = (answer) => answer.body.errors.map((error) => `${error.pointer} ${error.code}`);

function is_signed_by(request, secret) {
  try {
    new Webhook(secret).verify(request.body, request.headers);
    return true;
  } catch {
    return false;
  }
}

describe('sources and endpoints that change', () => {
  let workspace, daemon, receiver, operator;
  const statuses = new Map(); // path of the receiver: what it answers
  const tenant = '/v1/tenants/acme';
  const sources = `${tenant}/sources`;
  const endpoints = `${tenant}/endpoints`;

  const github = (name, secret) => post_webhook(`${daemon.public_url}/in/acme/${name}`, { secret, body: '{"a":1}', id: randomUUID() });
  const make_source = (name, provider, more) => operator.create(sources, { name, provider, ...more });
  const make_endpoint = (path, more = {}) => operator.create(endpoints, { url: receiver.url + path, ...more });
  const at = (path) => receiver.requests.filter((request) => request.path === path);
  const refused = async (method, path, body) => {
    const answer = await operator.ask(method, path, body);
    assert.equal(answer.status, 422, JSON.stringify(answer.body));
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.equal(answer.body.code, 'validation-failed');
    return errors_of(answer);
  };

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(({ path }) => statuses.get(path) ?? 200);
    daemon = await workspace.start();
    operator = new CheckedApi(daemon.public_url, await workspace.operator_key(), Contract.load());
    await operator.create('/v1/tenants', { slug: 'acme', name: 'Acme' });
    await operator.create('/v1/tenants', { slug: 'other', name: 'Other' });
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  describe('PATCH of a source', () => {
    test('a new name is a new ingest path; the old one is unknown', async () => {
      const made = await make_source('first', 'github', { secrets: ['s'] });
      assert.equal((await github('first', 's')).status, 200);
      const changed = await operator.expect(200, 'PATCH', `${sources}/first`, { name: 'second' });
      assert.deepEqual(changed, { ...made, name: 'second', ingest_path: '/in/acme/second', updated_at: changed.updated_at });
      await until(async () => (await github('second', 's')).status === 200, in_force);
      await until(async () => (await github('first', 's')).status === 404, in_force);
      assert.deepEqual(await operator.get(`${sources}/${made.id}`), changed);
    });

    test('disabled it is answered 404, enabled again 200; null restores the default', async () => {
      await make_source('switched', 'github', { secrets: ['s'] });
      assert.equal((await github('switched', 's')).status, 200);
      assert.equal((await operator.expect(200, 'PATCH', `${sources}/switched`, { enabled: false })).enabled, false);
      await until(async () => (await github('switched', 's')).status === 404, in_force);
      assert.equal((await operator.expect(200, 'PATCH', `${sources}/switched`, { enabled: null })).enabled, true);
      await until(async () => (await github('switched', 's')).status === 200, in_force);
      const made = await make_source('off', 'github', { secrets: ['s'], enabled: false });
      assert.equal(made.enabled, false);
      assert.equal((await github('off', 's')).status, 404);
    });

    test('dedupe off: the same webhook is two events', async () => {
      await make_source('counted', 'github', { secrets: ['s'] });
      const webhook = { secret: 's', body: '{}', id: randomUUID() };
      const url = `${daemon.public_url}/in/acme/counted`;
      assert.equal((await post_webhook(url, webhook)).body.duplicate, false);
      assert.equal((await post_webhook(url, webhook)).body.duplicate, true);
      await operator.expect(200, 'PATCH', `${sources}/counted`, { dedupe: 'off' });
      await until(async () => (await post_webhook(url, webhook)).body.duplicate === false, in_force);
    });

    test('keys of the config never come back, survive being written back, and change alone', async () => {
      await make_source('box', 'box', { secrets: [], config: { primary_key: 'first-key', secondary_key: 'second-key' } });
      const url = `${daemon.public_url}/in/acme/box`;
      assert.equal((await post_box(url, { primary: 'first-key' })).status, 200);
      const whole = await operator.get(`${sources}/box`);
      assert.deepEqual(whole.config, { primary_key: { set: true }, secondary_key: { set: true } });
      const edited = { ...whole, config: { ...whole.config, public_url: 'https://hooks.example.com/in/acme/box' } };
      const changed = await operator.expect(200, 'PATCH', `${sources}/box`, edited);
      assert.deepEqual(changed.config, edited.config);
      await operator.expect(200, 'PATCH', `${sources}/box`, { config: { public_url: null, primary_key: 'third-key', secondary_key: { set: true } } });
      await until(async () => (await post_box(url, { primary: 'third-key' })).status === 200, in_force);
      assert.equal((await post_box(url, { secondary: 'second-key' })).status, 200);
      await until(async () => (await post_box(url, { primary: 'first-key' })).status === 401, in_force);
      const one = await operator.expect(200, 'PATCH', `${sources}/box`, { config: { primary_key: null } });
      assert.deepEqual(one.config, { secondary_key: { set: true } });
      assert.deepEqual(await refused('PATCH', `${sources}/box`, { config: { primary_key: { set: true } } }), ['/config/primary_key bad-format']);
      assert.deepEqual(await refused('PATCH', `${sources}/box`, { config: { secondary_key: null } }), ['/config/primary_key bad-format']);
      assert.deepEqual(await refused('PATCH', `${sources}/box`, { config: { verify_token: { set: true } } }), ['/config/verify_token bad-format']);
      assert.equal((await post_box(url, { secondary: 'second-key' })).status, 200);
    });

    test('what cannot be is refused, all of it at once', async () => {
      await make_source('strict', 'github', { secrets: ['s'] });
      assert.deepEqual(
        await refused('PATCH', `${sources}/strict`, { name: 'a b', provider: 'stripe', secrets: ['t'], dedupe: 'x', enabled: 'yes', colour: 1, config: { odd: 1 } }),
        ['/provider read-only', '/secrets read-only', '/colour unknown-field', '/name bad-format', '/config/odd bad-format', '/dedupe bad-format', '/enabled wrong-type'],
      );
      assert.equal((await github('strict', 's')).status, 200);
      const taken = await operator.ask('PATCH', `${sources}/strict`, { name: 'box' });
      assert.deepEqual([taken.status, taken.body.code], [409, 'name-taken']);
      for (const path of [`${sources}/nobody`, '/v1/tenants/other/sources/strict', '/v1/tenants/nobody/sources/strict'])
        assert.equal((await operator.ask('PATCH', path, {})).status, 404, path);
      assert.equal((await new Api(daemon.public_url).ask('PATCH', `${sources}/strict`, {})).status, 401);
    });
  });

  describe('rotate-secret of a source', () => {
    for (const [provider, post] of [
      ['github', (url, secret) => post_webhook(url, { secret, body: '{}', id: randomUUID() })],
      ['stripe', (url, secret) => post_stripe(url, secret)],
    ])
      test(`${provider}: both secrets verify during the overlap, then the new one alone`, async () => {
        const name = `rotated-${provider}`;
        await make_source(name, provider, { secrets: ['old secret'] });
        const url = `${daemon.public_url}/in/acme/${name}`;
        assert.equal((await post(url, 'old secret')).status, 200);
        assert.equal((await post(url, 'new secret')).status, 401);

        const asked_at = performance.now();
        const rotated = await operator.expect(200, 'POST', `${sources}/${name}/rotate-secret`, { secret: 'new secret', overlap_s: 6 });
        assert.equal(rotated.secret_count, 2);
        assert.ok(!JSON.stringify(rotated).includes('new secret'));
        await until(async () => (await post(url, 'new secret')).status === 200, in_force);
        const old = await post(url, 'old secret');
        if (performance.now() - asked_at < 6_000) assert.equal(old.status, 200); // else the machine slept over it
        await until(async () => (await post(url, 'old secret')).status === 401, { deadline_ms: 20_000 });
        assert.ok(performance.now() - asked_at >= 6_000, 'not before the overlap was over');
        assert.equal((await post(url, 'new secret')).status, 200);
        assert.equal((await operator.get(`${sources}/${name}`)).secret_count, 1);

        await operator.expect(200, 'POST', `${sources}/${name}/rotate-secret`, { secret: 'third', overlap_s: 0 });
        await until(async () => (await post(url, 'new secret')).status === 401, in_force);
        assert.equal((await post(url, 'third')).status, 200);
      });

    test('what cannot be is refused', async () => {
      const path = `${sources}/rotated-github/rotate-secret`;
      assert.deepEqual(await refused('POST', path, {}), ['/secret required', '/overlap_s required']);
      assert.deepEqual(await refused('POST', path, { secret: 7, overlap_s: -1, more: 1 }), ['/secret wrong-type', '/overlap_s out-of-range', '/more unknown-field']);
      assert.deepEqual(await refused('POST', `${sources}/box/rotate-secret`, { secret: 'x', overlap_s: 0 }), ['/secret scheme-without-secrets']);
      await make_source('standard', 'standard-webhooks', { secrets: ['whsec_MDEyMzQ1Njc4OWFiY2RlZg=='] });
      assert.deepEqual(await refused('POST', `${sources}/standard/rotate-secret`, { secret: 'not base64!', overlap_s: 0 }), ['/secret bad-format']);
      assert.equal((await operator.ask('POST', `${sources}/nobody/rotate-secret`, { secret: 'x', overlap_s: 0 })).status, 404);
      const many = (length) => ({ name: 'many', provider: 'github', secrets: Array.from({ length }, (_, i) => `s${i}`) });
      assert.deepEqual(await refused('POST', sources, many(10)), ['/secrets too-long']); // none of them would ever end
      await operator.create(sources, many(9));
      await operator.expect(200, 'POST', `${sources}/many/rotate-secret`, { secret: 'w', overlap_s: 60 });
      const full = await operator.ask('POST', `${sources}/many/rotate-secret`, { secret: 'x', overlap_s: 60 });
      assert.deepEqual([full.status, full.body.code], [409, 'too-many-secrets']);
    });
  });

  describe('PATCH of an endpoint', () => {
    test('the next event goes to the new URL, with the new headers, of the new types alone', async () => {
      await make_source('moving', 'github', { secrets: ['s'] });
      const made = await make_endpoint('/before', { sources: ['moving'], headers: { 'X-A': '1', 'X-B': '2' } });
      await github('moving', 's');
      await until(() => at('/before').length === 1, { what: 'the first delivery' });
      const changed = await operator.expect(200, 'PATCH', `${endpoints}/${made.id}`, {
        url: `${receiver.url}/after`,
        headers: { 'X-B': null, 'X-C': '3' },
        event_types: ['push'],
        max_in_flight: 3,
        breaker: { failures: 4 },
      });
      assert.deepEqual(changed.headers, { 'X-A': '1', 'X-C': '3' });
      assert.equal(changed.breaker.failures, 4);
      assert.equal(changed.breaker.probes, 1);
      assert.equal(changed.secret, undefined);
      await until(
        async () => {
          await github('moving', 's');
          return at('/after').length > 0;
        },
        { ...in_force, every_ms: 100, what: 'a delivery to the new URL' },
      );
      const [request] = at('/after');
      assert.equal(request.headers['x-a'], '1');
      assert.equal(request.headers['x-b'], undefined);
      assert.equal(request.headers['x-c'], '3');
      assert.ok(is_signed_by(request, made.secret));

      const whole = await operator.get(`${endpoints}/${made.id}`);
      const same = await operator.expect(200, 'PATCH', `${endpoints}/${made.id}`, whole);
      assert.deepEqual(same, { ...whole, updated_at: same.updated_at });
      const restored = await operator.expect(200, 'PATCH', `${endpoints}/${made.id}`, { headers: null, max_in_flight: null, breaker: null, event_types: null });
      assert.deepEqual([restored.headers, restored.max_in_flight, restored.breaker.failures, restored.event_types], [{}, 32, 10, []]);
    });

    test('what cannot be is refused, all of it at once', async () => {
      const made = await make_endpoint('/strict', { sources: ['moving'] });
      const path = `${endpoints}/${made.id}`;
      assert.deepEqual(
        await refused('PATCH', path, {
          url: 'http://169.254.169.254/',
          secret: 'whsec_MDEyMzQ1Njc4OWFiY2RlZg==',
          status: 'paused',
          colour: 1,
          headers: { 'webhook-id': 'x', 'Content-Type': 'x' },
          timeout_ms: 99,
          retry: { schedule_s: [1], base_ms: 1 },
          breaker: { cool_down_ms: 70_000 },
          filter: { all: [] },
        }),
        ['/secret read-only', '/status read-only', '/colour unknown-field', '/url endpoint-address-blocked', '/headers/webhook-id header-reserved',
         '/headers/Content-Type header-reserved', '/timeout_ms out-of-range', '/retry/schedule_s bad-format', '/breaker/cool_down_max_ms out-of-range', '/filter not-supported-yet'],
      );
      assert.deepEqual(await refused('PATCH', path, { sources: ['moving', 'nobody'] }), ['/sources/1 source-unknown']);
      assert.equal((await operator.get(path)).url, `${receiver.url}/strict`);
      for (const unknown of [`${endpoints}/ep_0`, `/v1/tenants/other/endpoints/${made.id}`]) assert.equal((await operator.ask('PATCH', unknown, {})).status, 404);
      const text = await fetch(daemon.public_url + path, { method: 'PATCH', headers: { authorization: `Bearer ${operator.key}`, 'content-type': 'text/plain' }, body: '{}' });
      assert.equal(text.status, 415);
      await operator.expect(204, 'DELETE', path);
      assert.equal((await operator.ask('PATCH', path, {})).status, 404);
    });

    test('a disabled endpoint matches nothing; what it has waits as paused, burns no attempt, and goes on when it is enabled', async () => {
      statuses.set('/waiting', 500);
      await make_source('waiting', 'github', { secrets: ['s'] });
      const made = await make_endpoint('/waiting', { sources: ['waiting'], retry: { schedule_s: [2, 1, 1, 1, 1, 1, 1, 1], jitter: 0 } });
      const { body } = await github('waiting', 's');
      const delivery = await until(
        async () => (await operator.get(`${tenant}/deliveries?event=${body.event_id}`)).data.find((one) => one.state === 'retry_wait'),
        { what: 'the first failure' },
      );
      const disabled = await operator.expect(200, 'PATCH', `${endpoints}/${made.id}`, { enabled: false });
      assert.deepEqual([disabled.enabled, disabled.status, disabled.disabled_reason], [false, 'disabled', 'disabled_by_user']);
      statuses.delete('/waiting');
      await until(
        async () => {
          const posted = await github('waiting', 's');
          return (await operator.get(`${tenant}/deliveries?event=${posted.body.event_id}`)).data.length === 0;
        },
        { ...in_force, what: 'an event that matches nothing' },
      );
      // Its time comes, and passes.
      await until(() => Date.now() > Date.parse(delivery.next_attempt_at) + 1_500);
      const waiting = await operator.get(`${tenant}/deliveries/${delivery.id}`);
      assert.equal(waiting.state, 'retry_wait');
      assert.equal(waiting.attempt_count, 1);
      assert.equal(waiting.explain.waiting_for, 'paused');
      assert.equal(at('/waiting').filter((request) => request.webhook_id === body.event_id).length, 1);

      const enabled = await operator.expect(200, 'PATCH', `${endpoints}/${made.id}`, { enabled: true });
      assert.deepEqual([enabled.status, enabled.disabled_reason], ['active', null]);
      const done = await until(
        async () => {
          const now = await operator.get(`${tenant}/deliveries/${delivery.id}`);
          return now.state === 'succeeded' && now;
        },
        { ...in_force, what: 'the delivery that waited' },
      );
      assert.equal(done.attempt_count, 2);
    });
  });

  describe('rotate-secret of an endpoint', () => {
    test('both secrets sign during the overlap, newest first, then the new one alone', async () => {
      await make_source('signing', 'github', { secrets: ['s'] });
      const made = await make_endpoint('/signed', { sources: ['signing'] });
      const next = async () => {
        const { body } = await github('signing', 's');
        return until(() => at('/signed').find((request) => request.webhook_id === body.event_id), { what: 'the delivery' });
      };
      assert.ok(is_signed_by(await next(), made.secret));

      const asked_at = performance.now();
      const answer = await operator.ask('POST', `${endpoints}/${made.id}/rotate-secret`, { overlap_s: 6 });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.deepEqual(Object.keys(answer.body), ['secret']);
      const { secret } = answer.body;
      assert.deepEqual(await operator.get(`${endpoints}/${made.id}/secret`), { secret });
      const both = await until(
        async () => {
          const request = await next();
          return is_signed_by(request, secret) && request;
        },
        { ...in_force, what: 'the new signature' },
      );
      const signatures = both.headers['webhook-signature'].split(' ');
      if (performance.now() - asked_at < 6_000) {
        assert.equal(signatures.length, 2);
        assert.ok(is_signed_by(both, made.secret));
      }
      const newest = { ...both, headers: { ...both.headers, 'webhook-signature': signatures[0] } };
      assert.ok(is_signed_by(newest, secret), 'newest first');

      const alone = await until(
        async () => {
          const request = await next();
          return !is_signed_by(request, made.secret) && request;
        },
        { deadline_ms: 20_000, every_ms: 200, what: 'the end of the old secret' },
      );
      assert.ok(performance.now() - asked_at >= 6_000, 'not before the overlap was over');
      assert.ok(is_signed_by(alone, secret));
      assert.equal(alone.headers['webhook-signature'].split(' ').length, 1);

      const given = 'whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3A=';
      assert.deepEqual(await operator.expect(200, 'POST', `${endpoints}/${made.id}/rotate-secret`, { overlap_s: 0, secret: given }), { secret: given });
      const last = await until(
        async () => {
          const request = await next();
          return is_signed_by(request, given) && request;
        },
        { ...in_force, what: 'the given secret' },
      );
      assert.ok(!is_signed_by(last, secret));
    });

    test('asked twice under one Idempotency-Key it is done once, and the secret shown once', async () => {
      const made = await make_endpoint('/keyed', { sources: ['signing'] });
      const rotate = () => operator.ask('POST', `${endpoints}/${made.id}/rotate-secret`, { overlap_s: 60 }, { 'idempotency-key': 'rotate once' });
      const first = await rotate();
      assert.equal(first.status, 200);
      const again = await rotate();
      assert.deepEqual([again.status, again.headers.get('idempotent-replayed'), again.body], [200, 'true', {}]);
      assert.deepEqual(await operator.get(`${endpoints}/${made.id}/secret`), first.body);
    });

    test('what cannot be is refused', async () => {
      const made = await make_endpoint('/rotated', { sources: ['signing'] });
      const path = `${endpoints}/${made.id}/rotate-secret`;
      assert.deepEqual(await refused('POST', path, { secret: 'abc!', more: 1 }), ['/overlap_s required', '/secret secret-malformed', '/more unknown-field']);
      assert.deepEqual(await operator.get(`${endpoints}/${made.id}/secret`), { secret: made.secret });
      assert.equal((await operator.ask('POST', `${endpoints}/ep_0/rotate-secret`, { overlap_s: 0 })).status, 404);
      assert.equal((await operator.ask('POST', `/v1/tenants/other/endpoints/${made.id}/rotate-secret`, { overlap_s: 0 })).status, 404);
      for (let i = 0; i < 9; ++i) await operator.expect(200, 'POST', path, { overlap_s: 600 });
      const full = await operator.ask('POST', path, { overlap_s: 600 });
      assert.deepEqual([full.status, full.body.code], [409, 'too-many-secrets']);
    });
  });

  describe('batches', () => {
    test('all or none', async () => {
      const count = async (list) => (await operator.all(list)).length;
      const before_sources = await count(sources);
      const taken = await operator.ask('POST', sources, { sources: [{ name: 'fresh', provider: 'github', secrets: ['s'] }, { name: 'box', provider: 'github', secrets: ['s'] }] });
      assert.deepEqual([taken.status, taken.body.code], [409, 'name-taken']);
      assert.equal(await count(sources), before_sources);
      const before_endpoints = await count(endpoints);
      const url = `${receiver.url}/batch`;
      assert.deepEqual(await refused('POST', endpoints, { endpoints: [{ url }, { url, headers: { Host: 'x' } }, { url, sources: ['box'] }] }), ['/endpoints/1/headers/Host header-reserved']);
      assert.deepEqual(await refused('POST', endpoints, { endpoints: [{ url }, { url, sources: ['nobody'] }] }), ['/endpoints/1/sources/0 source-unknown']);
      assert.equal(await count(endpoints), before_endpoints);
      const { data } = await operator.create(endpoints, { endpoints: [{ url, sources: ['off'] }, { url, sources: ['off'], enabled: false }] });
      assert.deepEqual(data.map((one) => one.status), ['active', 'disabled']);
      assert.equal(data[1].disabled_reason, 'disabled_by_user');
    });
  });

  test('no secret in the log', () => {
    for (const text of workspace.logs()) for (const secret of ['old secret', 'new secret', 'second-key', 'third-key', 'whsec_']) assert.ok(!text.includes(secret), secret);
  });
});
