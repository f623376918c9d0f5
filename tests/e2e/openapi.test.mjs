// The contract: served, valid, true of its own examples, and kept by every operation of the daemon, success and failure.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { CheckedApi, Contract, document_path } from './support/contract.mjs';
import { run, Workspace } from './support/daemon.mjs';
import { github_headers } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const source_secret = 'the secret of the sources in openapi';
const id_of_nothing = (prefix) => `${prefix}_01985a3e-7c1a-7b3e-9d52-0c4f6a1b2c3d`;

describe('the document', () => {
  const contract = Contract.load();

  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(contract.document));
    assert.ok(valid, JSON.stringify(errors, null, 2));
    assert.match(contract.document.openapi, /^3\.1\./);
  });

  test('is of the version of the program', async () => {
    const { stdout } = await run(['version']);
    assert.ok(stdout.includes(contract.document.info.version), stdout);
  });

  test('has examples that keep to their schemas', () => {
    let count = 0;
    const check = (content, where, open) => {
      for (const [type, media] of Object.entries(content ?? {}))
        for (const [name, example] of Object.entries(media.examples ?? {})) {
          count += 1;
          assert.equal(contract.errors_of(media.schema, example.value, { open }), null, `${where} ${type} ${name}`);
        }
    };
    for (const { name, operation } of contract.operations()) {
      check(operation.requestBody?.content, `${name} request`, true);
      for (const [status, response] of Object.entries(operation.responses)) check(response.content, `${name} ${status}`, false);
    }
    for (const [name, response] of Object.entries(contract.document.components.responses)) check(response.content, name, false);
    assert.ok(count > 30, `${count} examples`);
  });

  test('would not let a wrong answer pass', () => {
    const good = { status: 200, headers: new Headers({ 'x-request-id': '0123456789abcdef', 'content-type': 'application/json' }), body: { status: 'ok' } };
    const healthz = (change) => () => contract.check({ method: 'GET', path: '/healthz', ...good, ...change });
    healthz({})();
    assert.throws(healthz({ body: { status: 'ill' } }), /must be equal to constant/);
    assert.throws(healthz({ body: { status: 'ok', more: 1 } }), /unevaluated/);
    assert.throws(healthz({ body: {} }), /required/);
    assert.throws(healthz({ status: 201 }), /no such answer/);
    assert.throws(healthz({ headers: new Headers({ 'content-type': 'application/json' }) }), /x-request-id is missing/);
    assert.throws(healthz({ headers: new Headers({ 'x-request-id': '0123456789abcdef', 'content-type': 'text/html' }) }), /knows no text\/html/);
    assert.throws(healthz({ path: '/nowhere' }), /no such answer/);
  });
});

describe('the daemon keeps to the document', () => {
  let workspace, receiver, daemon, contract, api, operators;
  const acme = '/v1/tenants/acme';

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(({ path }) => (path === '/fails' ? 500 : 200));
    daemon = await workspace.start();
    contract = Contract.load();
    const key = await workspace.operator_key();
    api = new CheckedApi(daemon.public_url, key, contract);
    operators = new CheckedApi(daemon.operator_url, key, contract);
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  /** A request as it is, its answer checked: for what `api` does not send. */
  const raw = async (method, path, { headers = {}, body, url = daemon.public_url } = {}) => {
    const response = await fetch(url + path, { method, headers, body, signal: AbortSignal.timeout(15_000) });
    const text = await response.text();
    const is_json = /json/.test(response.headers.get('content-type') ?? '');
    const answer = { status: response.status, headers: response.headers, body: is_json && text ? JSON.parse(text) : text };
    contract.check({ method, path, ...answer });
    return answer;
  };
  const bearer = (who = api) => ({ authorization: `Bearer ${who.key}` });
  const as = (key) => new CheckedApi(daemon.public_url, key, contract);
  const made = new Map(); // what OPTIONS said of a path
  /** Whether the daemon has that operation. */
  const has = async (method, path) => {
    if (!made.has(path)) {
      const response = await fetch(daemon.operator_url + path, { method: 'OPTIONS', signal: AbortSignal.timeout(15_000) });
      made.set(path, (response.headers.get('allow') ?? '').split(', '));
    }
    return made.get(path).includes(method);
  };
  const refuses = async (status, code, ...call) => {
    const answer = await api.ask(...call);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
    return answer;
  };

  test('serves it without a key on both listeners, and tells who has it already', async () => {
    const file = readFileSync(document_path, 'utf8');
    for (const url of [daemon.public_url, daemon.operator_url]) {
      const response = await fetch(`${url}/openapi.json`);
      assert.ok((await response.text()) === file, 'it is another one than docs/openapi.json: was the daemon built of this tree?');
      const again = await raw('GET', '/openapi.json', { url, headers: { 'if-none-match': response.headers.get('etag') } });
      assert.equal(again.status, 304);
    }
    await raw('GET', '/openapi.json');
    assert.equal((await raw('POST', '/openapi.json')).status, 405);
  });

  test('tenants', async () => {
    const tenant = await api.create('/v1/tenants', { slug: 'acme', name: 'Acme Inc.', quotas: { retention_days: 30, backlog: null } });
    assert.deepEqual(await api.get(`/v1/tenants/${tenant.id}`), tenant);
    const { data } = await api.create('/v1/tenants', { tenants: [{ slug: 'globex', name: 'Globex' }, { slug: 'initech', name: 'Initech' }] });
    assert.equal(data.length, 2);
    assert.equal((await api.get('/v1/tenants?limit=2')).data.length, 2);
    assert.equal((await api.all('/v1/tenants')).length, 3);
    await refuses(409, 'slug-taken', 'POST', '/v1/tenants', { slug: 'acme', name: 'Another' });
    await refuses(404, 'not-found', 'GET', '/v1/tenants/nobody');
    await api.expect(204, 'DELETE', '/v1/tenants/initech');
    await refuses(404, 'not-found', 'DELETE', '/v1/tenants/initech');
    if (await has('PATCH', acme)) {
      const changed = await api.expect(200, 'PATCH', acme, { name: 'Acme', quotas: { backlog: 100_000 } });
      assert.deepEqual([changed.name, changed.quotas.backlog], ['Acme', 100_000]);
      await refuses(422, 'validation-failed', 'PATCH', acme, { slug: 'other', colour: 'red' });
    }
  });

  test('sources and providers', async () => {
    const path = `${acme}/sources`;
    const github = await api.create(path, { name: 'github', provider: 'github', secrets: [source_secret] });
    await api.create(path, { sources: [{ name: 'zendesk', provider: 'zendesk', secrets: [source_secret] }, { name: 'dropbox', provider: 'dropbox', secrets: [source_secret], dedupe: 'off' }] });
    await api.create(path, { name: 'meta', provider: 'meta', secrets: [source_secret], config: { verify_token: 'hush', public_url: 'https://in.acme.example/meta' } });
    await api.create(path, { name: 'own', provider: 'custom', secrets: [source_secret], config: { family: 'hmac', sig: { header: 'X-Sig' }, signed: '{body}' } });
    assert.deepEqual((await api.get(`${path}/meta`)).config, { public_url: 'https://in.acme.example/meta', verify_token: { set: true } });
    assert.deepEqual(await api.get(`${path}/${github.id}`), github);
    assert.equal((await api.all(path)).length, 5);
    await refuses(409, 'name-taken', 'POST', path, { name: 'github', provider: 'github', secrets: ['x'] });
    const { body } = await refuses(422, 'validation-failed', 'POST', path, { name: 'a b', provider: 'nobody', secrets: [], colour: 'red' });
    assert.ok(body.errors.length >= 3, JSON.stringify(body));
    assert.ok((await api.get('/v1/providers')).data.some(({ name }) => name === 'github'));

    if (await has('PATCH', `${path}/own`)) {
      assert.equal((await api.expect(200, 'PATCH', `${path}/own`, { enabled: false })).enabled, false);
      await refuses(422, 'validation-failed', 'PATCH', `${path}/own`, { secrets: ['x'], provider: 'github' });
      await refuses(409, 'name-taken', 'PATCH', `${path}/own`, { name: 'github' });
    }
    if (await has('POST', `${path}/own/rotate-secret`)) {
      await api.expect(200, 'POST', `${path}/own/rotate-secret`, { secret: 'another', overlap_s: 60 });
      await refuses(422, 'validation-failed', 'POST', `${path}/own/rotate-secret`, { secret: '' });
    }
    await api.expect(204, 'DELETE', `${path}/own`);
  });

  test('verify-sample', async () => {
    const path = `${acme}/sources`;
    const sample = { headers: github_headers(source_secret, '{}', { id: randomUUID() }), body_base64: 'e30=' };
    assert.equal((await api.expect(200, 'POST', `${path}/github/verify-sample`, sample)).verdict, 'accept');
    assert.equal((await api.expect(200, 'POST', `${path}/github/verify-sample`, { ...sample, body_base64: '' })).reason, 'signature-mismatch');
    const challenge = { method: 'GET', url: 'https://x.example/in?challenge=abc', headers: {}, body_base64: '' };
    assert.equal((await api.expect(200, 'POST', `${path}/dropbox/verify-sample`, challenge)).verdict, 'handshake');
    await refuses(422, 'validation-failed', 'POST', `${path}/github/verify-sample`, { headers: { 'a b': 'x' }, body_base64: '%' });
    await refuses(404, 'not-found', 'POST', `${path}/none/verify-sample`, sample);
  });

  test('endpoints', async () => {
    const path = `${acme}/endpoints`;
    const endpoint = await api.create(path, { url: `${receiver.url}/hooks`, description: 'all of it', headers: { 'x-env': 'test' }, event_types: ['**'] });
    receiver.expect_signed_by('/hooks', endpoint.secret);
    const [failing] = (await api.create(path, { endpoints: [{ url: `${receiver.url}/fails`, sources: ['github'], retry: { schedule_s: [0, 3600], jitter: 0 }, breaker: { failures: 1000, min_requests: 1000 } }] })).data;
    receiver.expect_signed_by('/fails', failing.secret);
    const { secret, ...shown } = endpoint;
    assert.deepEqual(await api.get(`${path}/${endpoint.id}`), shown);
    assert.deepEqual(await api.get(`${path}/${endpoint.id}/secret`), { secret });
    assert.equal((await api.all(path)).length, 2);
    await refuses(404, 'not-found', 'GET', `${path}/${id_of_nothing('ep')}`);
    const wrong = { url: 'https://user@x.example', headers: { Host: 'x' }, timeout_ms: 1, retry: { base_ms: 0 }, secret: 'whsec_%', sources: [7], filter: {} };
    const { body } = await refuses(422, 'validation-failed', 'POST', path, wrong);
    assert.equal(new Set(body.errors.map(({ pointer }) => pointer)).size, 7, JSON.stringify(body));
    await refuses(422, 'validation-failed', 'POST', path, { url: `${receiver.url}/x`, sources: ['nobody'] });

    const spare = await api.create(path, { url: `${receiver.url}/spare`, enabled: false, secret: 'C2FVsBQIhrscChlQIMV+b5sSYspob7oD' });
    const one = `${path}/${spare.id}`;
    if (await has('PATCH', one)) {
      assert.equal((await api.expect(200, 'PATCH', one, { retry: { schedule_s: [1, 2] }, breaker: { failures: 3 } })).breaker.failures, 3);
      await refuses(422, 'validation-failed', 'PATCH', one, { secret: 'x', id: id_of_nothing('ep'), colour: 'red' });
    }
    if (await has('POST', `${one}/rotate-secret`)) {
      await api.expect(200, 'POST', `${one}/rotate-secret`, { overlap_s: 0 });
      await refuses(422, 'validation-failed', 'POST', `${one}/rotate-secret`, { overlap_s: -1 });
    }
    await api.expect(204, 'DELETE', one);
  });

  test('ingest', async () => {
    const body = JSON.stringify({ hello: 'world' });
    const headers = github_headers(source_secret, body, { id: randomUUID() });
    const post = (path, more = {}) => raw('POST', path, { headers, body, ...more });
    const first = await post('/in/acme/github');
    assert.deepEqual([first.status, first.body.duplicate], [200, false]);
    assert.deepEqual((await post('/in/acme/github')).body, { ...first.body, duplicate: true });
    const rejected = await post('/in/acme/github', { body: '{}' });
    assert.deepEqual([rejected.status, rejected.body.code], [401, 'signature-mismatch']);
    assert.deepEqual((await post('/in/acme/github', { headers: {} })).body.code, 'signature-missing');
    for (const path of ['/in/acme/none', '/in/nobody/github']) assert.equal((await post(path)).body.code, 'source-unknown');
    assert.equal((await raw('PUT', '/in/acme/github', { headers, body })).headers.get('allow'), 'POST');
    assert.equal((await raw('GET', '/in/acme/dropbox?challenge=abc')).body, 'abc');
    const large = await post('/in/acme/github', { body: Buffer.alloc(1_100_000) });
    assert.deepEqual([large.status, large.body.code], [413, 'body-too-large']);
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const at = new Date().toISOString();
      const signed = createHmac('sha256', source_secret).update(at + body).digest('base64');
      const zendesk = { 'x-zendesk-webhook-signature': signed, 'x-zendesk-webhook-signature-timestamp': at, 'x-zendesk-webhook-invocation-id': randomUUID() };
      assert.equal((await raw(method, '/in/acme/zendesk', { headers: zendesk, body })).status, 200);
    }
  });

  test('events and deliveries', async () => {
    const path = `${acme}/deliveries`;
    const [failed] = await until(async () => {
      const retried = (await api.get(`${path}?state=retry_wait`)).data;
      return retried.length > 0 && retried[0].attempt_count === 2 && retried;
    }, { what: 'two attempts of the delivery that fails' });
    await until(async () => (await api.get(`${path}?state=succeeded`)).data.length === 4, { what: 'four deliveries' });
    const detail = await api.get(`${path}/${failed.id}`);
    assert.deepEqual([detail.attempts.length, detail.attempts[0].http_status, detail.explain.waiting_for], [2, 500, 'backoff']);
    assert.equal((await api.get(`${path}?event=${failed.event_id}&endpoint=${failed.endpoint_id}&since=2026-01-01T00:00:00Z`)).data.length, 1);
    assert.equal((await api.get(`${path}?limit=1`)).data.length, 1);
    await refuses(400, 'parameter-invalid', 'GET', `${path}?state=lost`);
    await refuses(404, 'not-found', 'GET', `${path}/${id_of_nothing('dlv')}`);

    const event = await api.get(`${acme}/events/${failed.event_id}`);
    assert.deepEqual([event.source, event.type, event.deliveries], ['github', 'push', { retry_wait: 1, succeeded: 1 }]);
    assert.deepEqual((await api.ask('GET', `${acme}/events/${event.id}/payload`)).body, { hello: 'world' });
    await refuses(404, 'not-found', 'GET', `${acme}/events/${id_of_nothing('evt')}`);
    await refuses(404, 'not-found', 'GET', `${acme}/events/${id_of_nothing('evt')}/payload`);
    if (await has('GET', `${acme}/events`)) {
      assert.equal((await api.all(`${acme}/events`)).length, 4);
      assert.equal((await api.all(`${acme}/events?type=push&source=github&since=2026-01-01T00:00:00Z`)).length, 1);
      await refuses(400, 'parameter-invalid', 'GET', `${acme}/events?since=yesterday`);
    }
  });

  test('operations', async () => {
    const endpoint = await api.create(`${acme}/endpoints`, { url: `${receiver.url}/operated`, event_types: ['operated'] });
    const path = `${acme}/endpoints/${endpoint.id}`;
    for (const word of ['pause', 'resume', 'reset-breaker']) await api.expect(200, 'POST', `${path}/${word}`);
    const { event_id } = await api.expect(202, 'POST', `${path}/test`, {});
    const delivery = await until(async () => (await api.get(`${acme}/deliveries?event=${event_id}&state=succeeded`)).data[0], { what: 'the test' });
    await api.expect(200, 'POST', `${path}/pause`);
    await api.expect(200, 'POST', `${acme}/deliveries/${delivery.id}/retry`);
    await refuses(409, 'delivery-live', 'POST', `${acme}/deliveries/${delivery.id}/retry`);
    await api.expect(200, 'POST', `${acme}/deliveries/${delivery.id}/cancel`);
    await refuses(409, 'delivery-final', 'POST', `${acme}/deliveries/${delivery.id}/cancel`);
    await api.expect(202, 'POST', `${path}/replay`, { since: '2999-01-01T00:00:00Z' });
    await api.expect(202, 'POST', `${acme}/deliveries/retry`, { endpoint: endpoint.id, until: '2026-01-01T00:00:00Z' });
    const job = await api.expect(202, 'POST', `${acme}/deliveries/cancel`, { endpoint: endpoint.id });
    assert.equal((await api.get(`${acme}/jobs/${job.id}`)).id, job.id);
    await refuses(404, 'not-found', 'GET', `${acme}/jobs/${id_of_nothing('job')}`);
    const published = await api.expect(202, 'POST', `${acme}/events`, { type: 'operated.not', payload: null });
    await refuses(422, 'validation-failed', 'POST', `${acme}/events`, { events: [] });
    assert.equal((await api.expect(200, 'POST', `${acme}/events/${published.event_id}/erase`)).status, 'erased');
    await refuses(410, 'payload-erased', 'GET', `${acme}/events/${published.event_id}/payload`);
    await api.get(`${acme}/stats`);
    await api.expect(204, 'DELETE', path);
  });

  test('keys and roles', async (t) => {
    const path = `${acme}/api-keys`;
    if (!(await has('POST', path))) return t.skip('this version does not know them yet');
    const viewer = as((await api.create(path, { name: 'viewer', role: 'tenant_viewer', expires_at: '2999-01-01T00:00:00Z' })).key);
    await viewer.get(acme);
    assert.equal((await viewer.ask('DELETE', `${acme}/sources/github`)).body.code, 'forbidden');
    assert.equal((await viewer.ask('GET', '/v1/tenants')).status, 403);
    assert.equal((await viewer.ask('GET', '/v1/tenants/globex')).status, 404);
    const key = await api.create(path, { name: 'deploy', role: 'tenant_admin' });
    await as(key.key).get(`${acme}/sources`);
    assert.equal((await api.all(path)).length, 2);
    await refuses(422, 'validation-failed', 'POST', path, { role: 'operator', expires_at: '2001-01-01T00:00:00Z' });
    await api.expect(204, 'DELETE', `${path}/${key.id}`);
    assert.equal((await as(key.key).ask('GET', acme)).status, 401);
    await refuses(404, 'not-found', 'DELETE', `${path}/${id_of_nothing('key')}`);
  });

  /** Says that a body of so many bytes comes, and sends none: the answer must not wait for it. */
  const announce = (path, bytes) =>
    new Promise((resolve, reject) => {
      const headers = { ...bearer(), 'content-type': 'application/json', 'content-length': bytes };
      const sent = request(daemon.public_url + path, { method: 'POST', headers, timeout: 10_000 });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer')));
      sent.on('response', async (response) => {
        const body = JSON.parse(Buffer.concat(await response.toArray()).toString());
        sent.destroy();
        resolve({ method: 'POST', path, status: response.statusCode, headers: new Headers(response.headers), body });
      });
      sent.flushHeaders();
    });

  test('requests that cannot be read', async () => {
    const large = await announce('/v1/tenants', 9_000_000);
    contract.check(large);
    assert.deepEqual([large.status, large.body.code], [413, 'body-too-large']);
    const send = (body, type = 'application/json') => raw('POST', '/v1/tenants', { headers: { ...bearer(), 'content-type': type }, body });
    const codes = [];
    for (const answer of [await send('{'), await send(`{"a":${'['.repeat(70)}${']'.repeat(70)}}`), await send('[]'), await send('{}', 'text/plain')])
      codes.push(`${answer.status} ${answer.body.code}`);
    assert.deepEqual(codes, ['400 json-invalid', '400 json-too-deep', '422 validation-failed', '415 unsupported-media-type']);
    for (const query of ['limit=0', 'limit=x', 'cursor=x', 'cursor=%ff']) await refuses(400, 'parameter-invalid', 'GET', `/v1/tenants?${query}`);
    await refuses(405, 'method-not-allowed', 'PUT', acme, {});
    await refuses(404, 'not-found', 'GET', '/v1/nothing');
    await refuses(404, 'not-found', 'GET', '/healthz'); // not on the public listener
  });

  test('Idempotency-Key', async (t) => {
    const send = (key, slug) => raw('POST', '/v1/tenants', { headers: { ...bearer(), 'content-type': 'application/json', 'idempotency-key': key }, body: JSON.stringify({ slug, name: slug }) });
    if ((await send('k'.repeat(256), 'hooli')).status !== 400) return t.skip('this version does not know it yet');
    const first = await send('one', 'umbrella');
    const again = await send('one', 'umbrella');
    assert.deepEqual([again.status, again.body, again.headers.get('idempotent-replayed')], [201, first.body, 'true']);
    assert.equal((await send('one', 'hooli')).body.code, 'idempotency-key-reused');
  });

  test('the operators’ pages', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal((await raw('GET', path, { url: daemon.operator_url })).status, 200);
    const { nodes, data } = await operators.get('/actors?limit=250');
    assert.deepEqual(nodes, [{ name: 'n1', answered: true, error: null }]);
    for (const kind of ['node', 'tenant_supervisor', 'provider_verifier', 'delivery']) {
      const one = data.find((actor) => actor.kind === kind);
      assert.ok(one, `${kind}: ${JSON.stringify(data)}`);
      const { transitions } = await operators.get(one.path.replace(/^\/node/, '/actors/node'));
      assert.ok(Array.isArray(transitions));
    }
    assert.ok((await operators.all('/actors?kind=tenant_supervisor&depth=1')).every(({ kind }) => kind === 'tenant_supervisor'));
    assert.equal((await operators.ask('GET', '/actors/node/nobody')).body.code, 'actor-unknown');
    assert.equal((await operators.ask('GET', '/actors?depth=x')).body.code, 'parameter-invalid');
    assert.equal((await raw('GET', '/actors', { url: daemon.operator_url })).status, 401);
    if (await has('GET', '/cluster')) assert.equal((await operators.get('/cluster')).data[0].name, 'n1');
    await operators.get('/v1/tenants');
  });

  test('every operation that the daemon has was asked for, with success', async () => {
    const missed = [];
    for (const { name, operation, path } of contract.operations()) {
      const there = path.startsWith('/in/') || (await has(name.split(' ')[0], path.replace(/\{\w+\}/g, 'x')));
      const good = Object.keys(operation.responses).filter((status) => status.startsWith('2'));
      if (there && !good.some((status) => contract.seen.has(`${name} ${status}`))) missed.push(name);
    }
    assert.deepEqual(missed, []);
  });

  test('without a valid key: 401 for a while, then 429', async () => {
    const stranger = as('prk_nobody');
    const statuses = new Set();
    for (let i = 0; i < 25; ++i) statuses.add((await stranger.ask('GET', '/v1/tenants')).status);
    assert.deepEqual([...statuses], [401, 429]);
    await api.get('/v1/tenants');
  });
});
