// Tenants, their API keys, their events, quotas and Idempotency-Key: every route of them on the real daemon, success and failure.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const source_secret = 'the secret of the source in tenants_api';
const github = (name = 'github') => ({ name, provider: 'github', secrets: [source_secret] });

/** `pointer code` of each error. */
const errors_of = (answer) => answer.body.errors.map(({ pointer, code }) => `${pointer} ${code}`);

function check_problem(answer, status, code) {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.body.code, code);
  assert.match(answer.headers.get('content-type'), /^application\/problem\+json/);
  assert.equal(answer.body.instance, answer.headers.get('x-request-id'));
}

describe('tenants over the API', () => {
  let workspace, receiver, daemon, key, api, config;
  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start();
    config = `${workspace.directory}/postrider.toml`;
    writeFileSync(config, '[plans.tiny]\nsources = 1\nendpoints = 2\n');
    daemon = await workspace.start({ args: ['--config', config] });
    key = await workspace.operator_key();
    api = new Api(daemon.public_url, key);
  });
  after(async () => {
    await daemon?.kill();
    await workspace.close();
    await receiver.close();
  });

  const tenant = async (slug, more = {}) => api.create('/v1/tenants', { slug, name: slug, ...more });
  const key_of = async (slug, role, more = {}) => {
    const made = await api.create(`/v1/tenants/${slug}/api-keys`, { name: role, role, ...more });
    return { ...made, api: new Api(daemon.public_url, made.key) };
  };
  const send = (path, { id = randomUUID(), event = 'push', body = '{}' } = {}) =>
    post_webhook(daemon.public_url + path, { secret: source_secret, body, id, event });

  describe('PATCH', () => {
    test('changes what it names, restores the default for null, and leaves the rest', async () => {
      const made = await tenant('patched', { plan: 'tiny', quotas: { sources: 3, backlog: 10 } });
      const patch = (body) => api.expect(200, 'PATCH', '/v1/tenants/patched', body);
      const renamed = await patch({ name: 'Another', quotas: { sources: 4, endpoints: 7 } });
      assert.deepEqual([renamed.name, renamed.plan, renamed.quotas.sources, renamed.quotas.endpoints, renamed.quotas.backlog], ['Another', 'tiny', 4, 7, 10]);
      assert.ok(renamed.updated_at >= made.updated_at);
      assert.equal(renamed.created_at, made.created_at);
      assert.equal((await patch({ quotas: { sources: null } })).quotas.sources, null);
      assert.equal((await patch({ plan: null })).plan, null);
      assert.deepEqual(new Set(Object.values((await patch({ quotas: null })).quotas)), new Set([null]));
      assert.deepEqual(await patch({}), await api.get(`/v1/tenants/${made.id}`));
    });

    test('names everything that is wrong at once, and changes nothing', async () => {
      const before = await tenant('unpatched');
      const answer = await api.ask('PATCH', '/v1/tenants/unpatched', {
        slug: 'other', name: null, plan: 'unknown', quotas: { sources: -1, rows: 1 }, enabled: 'no', id: 'x',
      });
      check_problem(answer, 422, 'validation-failed');
      assert.deepEqual(errors_of(answer).sort(), [
        '/enabled wrong-type', '/id unknown-field', '/name required', '/plan plan-unknown', '/quotas/rows unknown-field', '/quotas/sources out-of-range', '/slug immutable',
      ]);
      assert.deepEqual(await api.get('/v1/tenants/unpatched'), before);
      check_problem(await api.ask('PATCH', '/v1/tenants/nobody', { name: 'x' }), 404, 'not-found');
      check_problem(await api.ask('PATCH', '/v1/tenants/unpatched', []), 422, 'validation-failed');
      const admin = await key_of('unpatched', 'tenant_admin');
      check_problem(await admin.api.ask('PATCH', '/v1/tenants/unpatched', { name: 'x' }), 403, 'forbidden');
      check_problem(await new Api(daemon.public_url).ask('PATCH', '/v1/tenants/unpatched', {}), 401, 'unauthorized');
    });

    test('a disabled tenant takes no webhook, sends nothing, and its keys may do nothing; enabled again it goes on', async () => {
      let status = 503;
      const slow = await Receiver.start(() => status);
      try {
        const { ingest_path, endpoint, secret } = await api.tenant_with_endpoint('stopped', {
          source_secret, url: `${slow.url}/stopped`, endpoint: { retry: { schedule_s: [1, 1, 1, 1, 1, 1, 1, 1, 1] } },
        });
        slow.expect_signed_by('/stopped', secret);
        const viewer = await key_of('stopped', 'tenant_viewer');
        const first = await send(ingest_path);
        assert.equal(first.status, 200);
        await until(() => slow.requests.length > 0, { what: 'a first attempt' });

        const disabled = await api.expect(200, 'PATCH', '/v1/tenants/stopped', { enabled: false });
        assert.equal(disabled.enabled, false);
        check_problem(await viewer.api.ask('GET', '/v1/tenants/stopped'), 403, 'tenant-disabled');
        assert.equal((await send(ingest_path)).status, 404); // at once
        status = 200;
        const waiting = await until(
          async () => {
            const { data } = await api.get(`/v1/tenants/stopped/deliveries?endpoint=${endpoint}`);
            const one = await api.get(`/v1/tenants/stopped/deliveries/${data[0].id}`);
            return one.state === 'retry_wait' && one.explain.waiting_for === 'paused' && one;
          },
          { what: 'a delivery that waits for its tenant' },
        );
        assert.match(waiting.explain.detail, /tenant is disabled/);
        const seen = slow.requests.length;
        // Its retry was due after a second: let that time pass, and more.
        await until(() => Date.now() > Date.parse(waiting.next_attempt_at) + 1_500, { deadline_ms: 10_000, what: 'the time of the retry' });
        assert.equal(slow.requests.length, seen, 'an attempt was made for a disabled tenant');

        assert.equal((await api.expect(200, 'PATCH', '/v1/tenants/stopped', { enabled: null })).enabled, true);
        await until(() => slow.successes().has(first.body.event_id), { deadline_ms: 20_000, what: 'the delivery that waited' });
        assert.equal((await viewer.api.ask('GET', '/v1/tenants/stopped')).status, 200);
        assert.equal((await send(ingest_path)).status, 200);
      } finally {
        await slow.close();
      }
    });
  });

  describe('the rest of a tenant', () => {
    test('its own keys may GET it, and nothing of another', async () => {
      const made = await tenant('own');
      await tenant('foreign');
      const viewer = await key_of('own', 'tenant_viewer');
      for (const name of ['own', made.id]) assert.equal((await viewer.api.get(`/v1/tenants/${name}`)).id, made.id);
      const told = async (path) => {
        const answer = await viewer.api.ask('GET', path);
        check_problem(answer, 404, 'not-found');
        const headers = Object.fromEntries([...answer.headers].filter(([name]) => !['x-request-id', 'date'].includes(name)));
        return { body: { ...answer.body, instance: undefined }, headers };
      };
      for (const rest of ['', '/sources', '/events'])
        assert.deepEqual(await told(`/v1/tenants/foreign${rest}`), await told(`/v1/tenants/nobody-ever${rest}`));
      check_problem(await viewer.api.ask('GET', '/v1/tenants'), 403, 'forbidden');
      check_problem(await viewer.api.ask('DELETE', '/v1/tenants/own'), 403, 'forbidden');
    });

    test('a batch is made whole or not at all', async () => {
      const batch = (...slugs) => ({ tenants: slugs.map((slug) => ({ slug, name: slug })) });
      const made = await api.create('/v1/tenants', batch('batch-a', 'batch-b'));
      assert.deepEqual(made.data.map(({ slug }) => slug), ['batch-a', 'batch-b']);
      check_problem(await api.ask('POST', '/v1/tenants', batch('batch-c', 'batch-a')), 409, 'slug-taken');
      check_problem(await api.ask('GET', '/v1/tenants/batch-c'), 404, 'not-found');
    });

    test('deleted, its keys get 401 and its ingest URL 404', async () => {
      await tenant('deleted');
      const source = await api.create('/v1/tenants/deleted/sources', github());
      const admin = await key_of('deleted', 'tenant_admin');
      assert.equal((await send(source.ingest_path)).status, 200);
      await api.expect(204, 'DELETE', '/v1/tenants/deleted');
      check_problem(await admin.api.ask('GET', '/v1/tenants/deleted'), 401, 'unauthorized');
      assert.equal((await send(source.ingest_path)).status, 404); // at once
      check_problem(await api.ask('DELETE', '/v1/tenants/deleted'), 404, 'not-found');
    });
  });

  describe('API keys', () => {
    before(() => tenant('keys'));

    test('the key is shown at its making alone, works at once, and not after its revocation', async () => {
      const expires_at = new Date(Date.now() + 3_600_000).toISOString();
      const made = await key_of('keys', 'tenant_viewer', { expires_at });
      assert.match(made.key, /^prk_/);
      assert.equal((await made.api.ask('GET', '/v1/tenants/keys')).status, 200);
      const listed = (await api.all('/v1/tenants/keys/api-keys')).find(({ id }) => id === made.id);
      assert.deepEqual(Object.keys(listed).sort(), ['created_at', 'expires_at', 'id', 'last_used_at', 'name', 'role']);
      assert.equal(listed.expires_at, expires_at);
      assert.equal(listed.role, 'tenant_viewer');
      await api.expect(204, 'DELETE', `/v1/tenants/keys/api-keys/${made.id}`);
      check_problem(await made.api.ask('GET', '/v1/tenants/keys'), 401, 'unauthorized');
      check_problem(await api.ask('DELETE', `/v1/tenants/keys/api-keys/${made.id}`), 404, 'not-found');
      assert.equal((await api.all('/v1/tenants/keys/api-keys')).some(({ id }) => id === made.id), false);
    });

    test('an admin makes, lists and revokes; a viewer only lists', async () => {
      const admin = await key_of('keys', 'tenant_admin');
      const made = await admin.api.create('/v1/tenants/keys/api-keys', { name: 'by admin', role: 'tenant_viewer' });
      const viewer = new Api(daemon.public_url, made.key);
      assert.ok((await viewer.get('/v1/tenants/keys/api-keys')).data.length >= 2);
      check_problem(await viewer.ask('POST', '/v1/tenants/keys/api-keys', { name: 'x', role: 'tenant_viewer' }), 403, 'forbidden');
      check_problem(await viewer.ask('DELETE', `/v1/tenants/keys/api-keys/${admin.id}`), 403, 'forbidden');
      await admin.api.expect(204, 'DELETE', `/v1/tenants/keys/api-keys/${made.id}`);
      await tenant('keyless');
      check_problem(await admin.api.ask('POST', '/v1/tenants/keyless/api-keys', { name: 'x', role: 'tenant_admin' }), 404, 'not-found');
      check_problem(await api.ask('DELETE', `/v1/tenants/keyless/api-keys/${admin.id}`), 404, 'not-found');
      check_problem(await api.ask('DELETE', '/v1/tenants/keys/api-keys/key_nonsense'), 404, 'not-found');
    });

    test('everything that is wrong is named at once', async () => {
      const answer = await api.ask('POST', '/v1/tenants/keys/api-keys', { role: 'operator', expires_at: '2001-01-01T00:00:00Z', tenant: 'keys' });
      check_problem(answer, 422, 'validation-failed');
      assert.deepEqual(errors_of(answer).sort(), ['/expires_at not-in-future', '/name required', '/role bad-format', '/tenant unknown-field']);
      const unreadable = await api.ask('POST', '/v1/tenants/keys/api-keys', { name: 'x', role: 'tenant_admin', expires_at: 'soon' });
      assert.deepEqual(errors_of(unreadable), ['/expires_at bad-format']);
      check_problem(await api.ask('POST', '/v1/tenants/nobody/api-keys', { name: 'x', role: 'tenant_admin' }), 404, 'not-found');
    });

    test('the list is paged, newest first', async () => {
      await tenant('many-keys');
      const made = [];
      for (let i = 0; i < 3; ++i) made.unshift((await key_of('many-keys', 'tenant_viewer')).id);
      const first = await api.get('/v1/tenants/many-keys/api-keys?limit=2');
      const second = await api.get(`/v1/tenants/many-keys/api-keys?limit=2&cursor=${first.next_cursor}`);
      assert.deepEqual([...first.data, ...second.data].map(({ id }) => id), made);
      assert.equal(second.next_cursor, null);
      check_problem(await api.ask('GET', `/v1/tenants/keys/api-keys?cursor=${first.next_cursor}`), 400, 'parameter-invalid');
      check_problem(await api.ask('GET', '/v1/tenants/keys/api-keys?limit=0'), 400, 'parameter-invalid');
    });
  });

  describe('the list of events', () => {
    let events, viewer;
    before(async () => {
      await api.tenant_with_endpoint('listed', { source_secret, url: `${receiver.url}/listed` });
      await api.create('/v1/tenants/listed/sources', github('second'));
      viewer = (await key_of('listed', 'tenant_viewer')).api;
      const ids = [];
      for (const [source, event] of [['github', 'push'], ['github', 'issues'], ['second', 'push'], ['github', 'push']])
        ids.unshift((await send(`/in/listed/${source}`, { event })).body.event_id);
      events = ids;
    });
    const ids = async (query) => (await viewer.all(`/v1/tenants/listed/events${query}`)).map(({ id }) => id);

    test('newest first, filtered by type, source and time, with its deliveries', async () => {
      assert.deepEqual(await ids(''), events);
      assert.deepEqual(await ids('?type=issues'), [events[2]]);
      assert.deepEqual(await ids('?type=issue'), []);
      assert.deepEqual(await ids('?source=second'), [events[1]]);
      const source = await viewer.get('/v1/tenants/listed/sources/second');
      assert.deepEqual(await ids(`?source=${source.id}&type=push`), [events[1]]);
      assert.deepEqual(await ids('?source=unknown'), []);
      const { data } = await viewer.get('/v1/tenants/listed/events');
      const third = data[1];
      assert.deepEqual(await ids(`?since=${third.received_at}`), events.slice(0, 2));
      assert.deepEqual(await ids(`?until=${third.received_at}`), events.slice(2));
      assert.deepEqual(await ids(`?since=${data[3].received_at}&until=${third.received_at}&type=issues`), [events[2]]);
      await until(async () => (await viewer.get('/v1/tenants/listed/events')).data.every((e) => e.deliveries.succeeded === 1), { what: 'deliveries of all' });
      assert.deepEqual((await viewer.get('/v1/tenants/listed/events')).data[0], await viewer.get(`/v1/tenants/listed/events/${events[0]}`));
    });

    test('paged by a cursor of its own', async () => {
      const first = await viewer.get('/v1/tenants/listed/events?limit=3');
      const second = await viewer.get(`/v1/tenants/listed/events?limit=3&cursor=${first.next_cursor}`);
      assert.deepEqual([...first.data, ...second.data].map(({ id }) => id), events);
      assert.equal(second.next_cursor, null);
      check_problem(await viewer.ask('GET', `/v1/tenants/listed/deliveries?cursor=${first.next_cursor}`), 400, 'parameter-invalid');
    });

    test('what cannot be read is 400, what is another tenant\'s 404', async () => {
      for (const query of ['since=yesterday', 'until=1', 'type=', 'type=a%20b', 'source=', 'limit=x', 'cursor=x'])
        check_problem(await viewer.ask('GET', `/v1/tenants/listed/events?${query}`), 400, 'parameter-invalid');
      check_problem(await viewer.ask('GET', '/v1/tenants/keys/events'), 404, 'not-found');
    });
  });

  describe('quotas of what may be created', () => {
    test('the tenant\'s own, else its plan\'s; a batch over it is refused whole, and told where', async () => {
      await tenant('small', { plan: 'tiny' });
      await api.create('/v1/tenants/small/sources', github('one'));
      const single = await api.ask('POST', '/v1/tenants/small/sources', github('two'));
      check_problem(single, 422, 'quota-exceeded');
      assert.deepEqual(errors_of(single), [' quota-exceeded']);
      const url = `${receiver.url}/small`;
      const batch = await api.ask('POST', '/v1/tenants/small/endpoints', { endpoints: [{ url }, { url }, { url }, { url }] });
      check_problem(batch, 422, 'quota-exceeded');
      assert.deepEqual(errors_of(batch), ['/endpoints/2 quota-exceeded', '/endpoints/3 quota-exceeded']);
      assert.deepEqual((await api.get('/v1/tenants/small/endpoints')).data, []);

      await api.expect(200, 'PATCH', '/v1/tenants/small', { quotas: { sources: 2 } });
      await api.create('/v1/tenants/small/sources', github('two'));
      check_problem(await api.ask('POST', '/v1/tenants/small/sources', github('three')), 422, 'quota-exceeded');
      await api.expect(204, 'DELETE', '/v1/tenants/small/sources/one');
      await api.create('/v1/tenants/small/sources', github('three'));
    });

    test('of many who create at once no more get in than have room', async () => {
      await tenant('crowd', { quotas: { sources: 3 } });
      const answers = await Promise.all([...Array(12).keys()].map((i) => api.ask('POST', '/v1/tenants/crowd/sources', github(`s${i}`))));
      assert.equal(answers.filter(({ status }) => status === 201).length, 3);
      assert.equal(answers.filter(({ body }) => body.code === 'quota-exceeded').length, 9);
      assert.equal((await api.all('/v1/tenants/crowd/sources')).length, 3);
    });
  });

  describe('Idempotency-Key', () => {
    const post = (who, path, body, key) => who.ask('POST', path, body, { 'idempotency-key': key });
    before(() => tenant('once'));

    test('the same request again has the same answer, without its secret, and changes nothing', async () => {
      const make = [
        ['/v1/tenants', { slug: 'once-made', name: 'x' }, null],
        ['/v1/tenants/once/sources', github('made'), null],
        ['/v1/tenants/once/endpoints', { url: `${receiver.url}/once` }, 'secret'],
        ['/v1/tenants/once/api-keys', { name: 'x', role: 'tenant_admin' }, 'key'],
      ];
      for (const [path, body, shown_once] of make) {
        const key = randomUUID();
        const first = await post(api, path, body, key);
        assert.equal(first.status, 201, JSON.stringify(first.body));
        const again = await post(api, path, body, key);
        assert.equal(again.status, 201, path);
        assert.equal(again.headers.get('idempotent-replayed'), 'true');
        const { [shown_once]: secret, ...rest } = first.body;
        assert.equal(secret !== undefined, shown_once !== null);
        assert.deepEqual(again.body, rest);
      }
      assert.equal((await api.all('/v1/tenants/once/endpoints')).length, 1);
      assert.equal((await api.all('/v1/tenants/once/api-keys')).length, 1);
    });

    test('a batch likewise; the tenant may be named by slug or id', async () => {
      const { id } = await api.get('/v1/tenants/once');
      const body = { endpoints: [{ url: `${receiver.url}/a` }, { url: `${receiver.url}/b` }] };
      const first = await post(api, '/v1/tenants/once/endpoints', body, 'batch');
      const again = await post(api, `/v1/tenants/${id}/endpoints`, body, 'batch');
      assert.equal(again.status, 201);
      assert.deepEqual(again.body.data, first.body.data.map(({ secret, ...rest }) => rest));
    });

    test('another body or another path is another request: 422', async () => {
      assert.equal((await post(api, '/v1/tenants/once/sources', github('first'), 'reused')).status, 201);
      check_problem(await post(api, '/v1/tenants/once/sources', github('second'), 'reused'), 422, 'idempotency-key-reused');
      check_problem(await post(api, '/v1/tenants/once/endpoints', { url: `${receiver.url}/` }, 'reused'), 422, 'idempotency-key-reused');
      check_problem(await api.ask('GET', '/v1/tenants/once/sources/second'), 404, 'not-found');
    });

    test('keys are those of a tenant, or the operators\' outside of one', async () => {
      await tenant('once-too');
      for (const path of ['/v1/tenants/once/sources', '/v1/tenants/once-too/sources'])
        assert.equal((await post(api, path, github('shared'), 'shared')).status, 201);
      assert.equal((await post(api, '/v1/tenants', { slug: 'once-three', name: 'x' }, 'shared')).status, 201);
    });

    test('a failure is not kept: the request can be mended under the same key', async () => {
      check_problem(await post(api, '/v1/tenants/once/sources', { name: 'mended' }, 'mended'), 422, 'validation-failed');
      assert.equal((await post(api, '/v1/tenants/once/sources', github('mended'), 'mended')).status, 201);
      check_problem(await post(api, '/v1/tenants/once/sources', github('mended'), 'taken'), 409, 'name-taken');
      await api.expect(204, 'DELETE', '/v1/tenants/once/sources/mended');
      assert.equal((await post(api, '/v1/tenants/once/sources', github('mended'), 'taken')).status, 201);
    });

    test('at most 255 bytes of text, of which a viewer gets none', async () => {
      assert.equal((await post(api, '/v1/tenants/once/sources', github('longest'), 'k'.repeat(255))).status, 201);
      check_problem(await post(api, '/v1/tenants/once/sources', github('longer'), 'k'.repeat(256)), 400, 'idempotency-key-invalid');
      check_problem(await post(api, '/v1/tenants/once/sources', github('empty'), ''), 400, 'idempotency-key-invalid');
      const viewer = await key_of('once', 'tenant_viewer');
      check_problem(await post(viewer.api, '/v1/tenants/once/sources', github('longest'), 'k'.repeat(255)), 403, 'forbidden');
      assert.equal((await api.ask('GET', '/v1/tenants/once', undefined, { 'idempotency-key': 'k'.repeat(256) })).status, 200);
    });

    test('what changes nothing takes a key and needs none', async () => {
      const sample = { headers: {}, body_base64: '' };
      for (let i = 0; i < 2; ++i) {
        const answer = await post(api, '/v1/tenants/once/sources/longest/verify-sample', sample, 'sample');
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get('idempotent-replayed'), null);
      }
    });

    test('sent many times at once it is made once, and all are told the same', async () => {
      const body = { url: `${receiver.url}/at-once`, description: 'at once' };
      const answers = await Promise.all([...Array(16)].map(() => post(api, '/v1/tenants/once/endpoints', body, 'at-once')));
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
      assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
      assert.equal(answers.filter(({ body }) => body.secret !== undefined).length, 1);
      assert.equal((await api.all('/v1/tenants/once/endpoints')).filter(({ description }) => description === 'at once').length, 1);
    });

    test('a node killed in the middle leaves no key running: sent again it is made once', async () => {
      const body = (i) => ({ url: `${receiver.url}/killed`, description: `killed ${i}` });
      const under_way = [...Array(40).keys()].map((i) => post(api, '/v1/tenants/once/endpoints', body(i), `killed ${i}`).catch(() => null));
      await Promise.race(under_way); // some are answered, some run, some wait
      await daemon.kill();
      const told = await Promise.all(under_way);
      daemon = await workspace.start({ args: ['--config', config] });
      api = new Api(daemon.public_url, key);
      for (let i = 0; i < 40; ++i) {
        const again = await until(async () => {
          const answer = await post(api, '/v1/tenants/once/endpoints', body(i), `killed ${i}`);
          return answer.status !== 503 && answer;
        }, { what: 'an answer' });
        assert.equal(again.status, 201, JSON.stringify(again.body));
        if (told[i]?.status === 201) assert.equal(again.body.id, told[i].body.id);
      }
      const made = (await api.all('/v1/tenants/once/endpoints')).filter(({ description }) => description?.startsWith('killed'));
      assert.equal(made.length, 40);
      assert.equal(new Set(made.map(({ description }) => description)).size, 40);
    });
  });
});
