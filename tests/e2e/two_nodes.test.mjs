// Two nodes on one database: what is changed through one of them is in force on the other.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { Api } from './support/api.mjs';
import { Daemon, Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const source_secret = 'the secret of the source on two nodes';

describe('on another node', () => {
  let workspace, receiver, other, api, there;
  before(async () => {
    const env = { POSTRIDER_SECRETS__MASTER_KEY: 'env:THE_KEY', THE_KEY: randomBytes(32).toString('base64'), ...Workspace.environment };
    workspace = new Workspace(env);
    receiver = await Receiver.start();
    const daemon = await workspace.start();
    const flags = ['--database-url', workspace.database_url, '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0', '--node', 'n2', '--dev'];
    other = await Daemon.start(flags, { env });
    const key = await workspace.operator_key();
    api = new Api(daemon.public_url, key);
    there = new Api(other.public_url, key);
  });
  after(async () => {
    await other?.kill();
    await workspace.close();
    await receiver.close();
  });
  const soon = { deadline_ms: 3_000, every_ms: 50 }; // a second, and room for a busy machine

  test('a tenant that is disabled, and a key that is revoked, are so soon', async () => {
    const { ingest_path } = await api.tenant_with_endpoint('acme', { source_secret, url: `${receiver.url}/acme` });
    const send = async () => (await post_webhook(other.public_url + ingest_path, { secret: source_secret, body: '{}', id: randomUUID() })).status;
    const made = await api.create('/v1/tenants/acme/api-keys', { name: 'viewer', role: 'tenant_viewer' });
    const look = async () => (await new Api(other.public_url, made.key).ask('GET', '/v1/tenants/acme')).status;
    assert.equal(await send(), 200);
    assert.equal(await look(), 200);
    await api.expect(200, 'PATCH', '/v1/tenants/acme', { enabled: false });
    await until(async () => (await send()) === 404 && (await look()) === 403, { ...soon, what: '404 and 403 of the disabled tenant' });
    await api.expect(200, 'PATCH', '/v1/tenants/acme', { enabled: true });
    await until(async () => (await send()) === 200 && (await look()) === 200, { ...soon, what: '200 of the enabled tenant' });
    await api.expect(204, 'DELETE', `/v1/tenants/acme/api-keys/${made.id}`);
    await until(async () => (await look()) === 401, { ...soon, what: '401 of the revoked key' });
  });

  test('an Idempotency-Key is the same key: sent to both at once the change is made once', async () => {
    const body = { url: `${receiver.url}/both`, description: 'both' };
    const post = (on) => on.ask('POST', '/v1/tenants/acme/endpoints', body, { 'idempotency-key': 'both' });
    const answers = await Promise.all([api, there, api, there, api, there].map(post));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
    assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    assert.equal((await there.all('/v1/tenants/acme/endpoints')).filter(({ description }) => description === 'both').length, 1);
  });
});
