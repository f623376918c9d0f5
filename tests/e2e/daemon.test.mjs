// The daemon as its operator meets it: starting, refusing to start, taking and forwarding a webhook, being killed, stopping.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { Daemon, is_alive, readiness, run, Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const source_secret = 'It\'s a Secret to Everybody';

/** Runs `work('127.0.0.1:port')` while something else listens there. */
async function with_taken_address(work) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`127.0.0.1:${server.address().port}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('the command line', () => {
  test('version prints the version', async () => {
    const { status, stdout, stderr } = await run(['version']);
    assert.equal(status, 0);
    assert.match(stdout, /\d+\.\d+\.\d+/);
    assert.equal(stderr, '');
  });

  for (const args of [[], ['fly'], ['serve', '--fly'], ['keys', 'create'], ['keys', 'create', '--role', 'king']])
    test(`wrong usage ends with 2: postrider ${args.join(' ')}`, async () => {
      const { status, stdout, stderr } = await run(args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.notEqual(stderr, '');
    });

  test('check-config names every mistake at once', async () => {
    const { status, stderr } = await run(['check-config'], {
      env: { POSTRIDER_LOG__LEVEL: 'loud', POSTRIDER_NODE__IO_THREADS: 'many', POSTRIDER_SECRETS__MASTER_KEY: 'hunter2' },
    });
    assert.equal(status, 1);
    for (const part of ['POSTRIDER_LOG__LEVEL: log.level', 'node.io_threads', 'secrets.master_key'])
      assert.ok(stderr.includes(part), stderr);
    assert.ok(!stderr.includes('hunter2'), stderr);
  });

  test('check-config --example prints a configuration that is valid', async () => {
    const { status, stdout } = await run(['check-config', '--example']);
    assert.equal(status, 0);
    assert.match(stdout, /^\[database\]$/m);
  });
});

describe('serve without what it needs', () => {
  let workspace;
  before(() => (workspace = new Workspace()));
  after(() => workspace.close());

  test('no master key: ends with 1, names the key, and opens no port', async () => {
    // Had it opened a port before it looked for the key, it would have met one that is taken, and said so.
    await with_taken_address(async (taken) => {
      const flags = ['serve', ...workspace.database_flags, '--public', taken, '--operator', '127.0.0.1:0'];
      const { status, stdout, stderr } = await run(flags);
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /secrets\.master_key/);
      assert.ok(!stderr.includes(taken), stderr);
    });
    assert.equal(workspace.postmaster(), null);
  });

  test('no database: ends with 1 and names the key', async () => {
    const { status, stderr } = await run(['serve', '--dev', '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0']);
    assert.equal(status, 1);
    assert.match(stderr, /database\.url/);
  });

  test('a port that is taken: ends with 1 and names the listener', async () => {
    await with_taken_address(async (taken) => {
      const { status, stderr } = await run(['serve', ...workspace.database_flags, '--dev', '--public', taken, '--operator', '127.0.0.1:0']);
      assert.equal(status, 1);
      assert.ok(stderr.includes(taken), stderr);
    });
    assert.equal(workspace.postmaster(), null);
  });

  test('a cluster listener: refused, as not supported yet', async () => {
    const { status, stderr } = await run(['serve', ...workspace.database_flags, '--dev', '--cluster', '127.0.0.1:0']);
    assert.notEqual(status, 0);
    assert.match(stderr, /cluster\.listen is not supported/);
  });
});

describe('a node with its private PostgreSQL', () => {
  let workspace, receiver, daemon, key, tenant;
  const api = () => new Api(daemon.public_url, key);
  const ingest_url = () => daemon.public_url + tenant.ingest_path;

  before(async () => {
    workspace = new Workspace({ POSTRIDER_LOG__LEVEL: 'trace' });
    receiver = await Receiver.start();
    daemon = await workspace.start();
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  test('prints the ready line and nothing else on standard output', async () => {
    assert.deepEqual(Object.keys(daemon.ready), ['ready', 'node', 'public', 'operator', 'pid']);
    assert.equal(daemon.ready.ready, true);
    assert.equal(daemon.ready.node, 'n1');
    assert.match(daemon.ready.public, /^127\.0\.0\.1:[1-9]\d*$/);
    assert.match(daemon.ready.operator, /^127\.0\.0\.1:[1-9]\d*$/);
    assert.equal(daemon.ready.pid, daemon.pid);
    assert.equal(daemon.stdout.split('\n').length, 2);
  });

  test('warns of everything that --dev allows', async () => {
    const warnings = daemon.logs().filter((line) => line.level === 'warn').map((line) => line.message).join('\n');
    for (const part of [/master key/, /http:\/\//, /loopback/]) assert.match(warnings, part);
  });

  test('becomes ready, and is alive', async () => {
    await until(async () => (await readiness(daemon)).status === 200, { what: 'readiness' });
    const { body } = await readiness(daemon);
    assert.equal(body.ready, true);
    assert.equal(body.dependencies.database.ok, true);
    assert.equal((await fetch(`${daemon.operator_url}/healthz`)).status, 200);
  });

  test('keys create works beside the running daemon; keys list shows it, never the key; revoke ends it', async () => {
    key = await workspace.operator_key();
    assert.match(key, /^prk_/);
    await api().get('/v1/tenants');
    const second = JSON.parse((await workspace.run(['keys', 'create', '--role', 'operator', '--name', 'second', '-o', 'json'])).stdout);
    const listed = await workspace.run(['keys', 'list', '-o', 'json']);
    assert.equal(listed.status, 0, listed.stderr);
    assert.ok(JSON.parse(listed.stdout).some((entry) => entry.id === second.id && entry.name === 'second'));
    assert.ok(!listed.stdout.includes('prk_'));
    assert.equal((await workspace.run(['keys', 'revoke', second.id])).status, 0);
    const stranger = new Api(daemon.public_url, second.key);
    await until(async () => (await stranger.ask('GET', '/v1/tenants')).status === 401, { deadline_ms: 5_000, what: 'the revoked key refused' });
    assert.equal((await workspace.run(['keys', 'revoke', second.id.replace(/.$/, (c) => (c === '0' ? '1' : '0'))])).status, 1);
  });

  test('a signed webhook is acknowledged with its id, forwarded with a valid signature, and its attempt recorded', async () => {
    tenant = await api().tenant_with_endpoint('acme', { source_secret, url: `${receiver.url}/acme` });
    receiver.expect_signed_by('/acme', tenant.secret);
    const body = JSON.stringify({ ref: 'refs/heads/main', text: 'Zażółć' });
    const answer = await post_webhook(ingest_url(), { secret: source_secret, body, id: randomUUID() });
    assert.equal(answer.status, 200);
    assert.match(answer.body.event_id, /^evt_/);
    assert.equal(answer.body.duplicate, false);

    const request = await until(() => receiver.requests.find((r) => r.webhook_id === answer.body.event_id), { what: 'the delivery' });
    assert.equal(request.signature, 'valid');
    assert.equal(request.body, body);
    assert.equal(request.attempt, 1);
    assert.equal(request.headers['x-postrider-event-type'], 'push');
    assert.equal(request.headers['x-postrider-source'], 'github');

    const delivery = await until(
      async () => (await api().get(`/v1/tenants/acme/deliveries?event=${answer.body.event_id}`)).data.find((d) => d.state === 'succeeded'),
      { what: 'the recorded outcome' },
    );
    const { attempts } = await api().get(`/v1/tenants/acme/deliveries/${delivery.id}`);
    assert.equal(attempts.length, 1);
    assert.equal(attempts[0].number, 1);
    assert.equal(attempts[0].outcome, 'succeeded');
    assert.equal(attempts[0].http_status, 200);
  });

  test('the actors of the tenant are seen', async () => {
    const { data } = await new Api(daemon.operator_url, key).get('/actors');
    for (const kind of ['node', 'tenant_supervisor', 'delivery']) assert.ok(data.some((actor) => actor.kind === kind), kind);
  });

  test('the same webhook again is the same event', async () => {
    const webhook = { secret: source_secret, body: '{"again":true}', id: randomUUID() };
    const first = await post_webhook(ingest_url(), webhook);
    const second = await post_webhook(ingest_url(), webhook);
    assert.deepEqual(second.body, { event_id: first.body.event_id, duplicate: true });
  });

  test('not signed: 401 with the reason; wrongly signed: 401; unknown: 404', async () => {
    const body = '{}';
    const unsigned = await fetch(ingest_url(), { method: 'POST', body, headers: { 'x-github-event': 'push', 'x-github-delivery': randomUUID() } });
    assert.equal(unsigned.status, 401);
    assert.equal(unsigned.headers.get('content-type'), 'application/problem+json');
    assert.equal((await unsigned.json()).code, 'signature-missing');

    const forged = await post_webhook(ingest_url(), { secret: 'another', body, id: randomUUID() });
    assert.equal(forged.status, 401);
    assert.equal(forged.body.code, 'signature-mismatch');

    for (const path of ['/in/nobody/github', '/in/acme/stripe']) {
      const unknown = await post_webhook(daemon.public_url + path, { secret: source_secret, body, id: randomUUID() });
      assert.equal(unknown.status, 404, path);
    }
  });

  test('a second process of the same node name is refused within 10 seconds and says so', async () => {
    const flags = ['serve', '--database-url', workspace.database_url, '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0', '--node', 'n1', '--dev'];
    const { status, stdout, stderr } = await run(flags, { deadline_ms: 10_000 });
    assert.equal(status, 1, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /n1/);
    assert.equal((await readiness(daemon)).status, 200);
  });

  test('kill -9 of PostgreSQL: readiness says so within 5 seconds, and all recovers by itself', async () => {
    const server = workspace.postmaster();
    process.kill(server, 'SIGKILL');
    await until(async () => (await readiness(daemon)).status === 503, { deadline_ms: 5_000, what: '503 of /readyz' });
    assert.equal((await fetch(`${daemon.operator_url}/healthz`)).status, 200);
    await until(async () => (await readiness(daemon)).status === 200, { deadline_ms: 60_000, what: 'readiness' });
    assert.notEqual(workspace.postmaster(), server);
    const answer = await until(
      async () => {
        const posted = await post_webhook(ingest_url(), { secret: source_secret, body: '{"after":"crash"}', id: randomUUID() });
        return posted.status === 200 && posted;
      },
      { what: 'an accepted webhook' },
    );
    await until(() => receiver.successes().has(answer.body.event_id), { what: 'its delivery' });
  });

  test('kill -9 of the daemon: the next one adopts the running PostgreSQL and goes on', async () => {
    const server = workspace.postmaster();
    await daemon.kill();
    assert.equal(workspace.postmaster(), server);
    daemon = await workspace.start();
    assert.equal(workspace.postmaster(), server);
    await until(async () => (await readiness(daemon)).status === 200, { deadline_ms: 20_000, what: 'readiness' });
    const answer = await post_webhook(ingest_url(), { secret: source_secret, body: '{"after":"kill"}', id: randomUUID() });
    assert.equal(answer.status, 200);
    await until(() => receiver.successes().has(answer.body.event_id), { what: 'its delivery' });
  });

  test('SIGTERM: not ready at once, ends with 0, PostgreSQL as well; a restart has kept the data', async () => {
    const server = workspace.postmaster();
    const { status, signal } = await daemon.stop();
    assert.deepEqual({ status, signal }, { status: 0, signal: null }, daemon.stderr);
    assert.equal(is_alive(server), false);
    assert.equal(daemon.stdout.split('\n').length, 2);

    daemon = await workspace.start();
    const tenants = await api().get('/v1/tenants');
    assert.deepEqual(tenants.data.map((entry) => entry.slug), ['acme']);
    await until(async () => (await readiness(daemon)).status === 200, { what: 'readiness' });
  });

  test('while it lingers it answers, is not ready, and closes connections', async () => {
    await daemon.stop();
    daemon = await workspace.start({ env: { POSTRIDER_SHUTDOWN__LINGER_MS: '5000' } });
    await until(async () => (await readiness(daemon)).status === 200, { what: 'readiness' });
    daemon.send('SIGTERM');
    await until(async () => (await readiness(daemon)).status === 503, { deadline_ms: 3_000, what: '503 of /readyz' });
    const { body } = await readiness(daemon);
    assert.equal(body.dependencies.draining.ok, false);
    const answer = await post_webhook(ingest_url(), { secret: source_secret, body: '{"late":1}', id: randomUUID() });
    assert.equal(answer.status, 200);
    assert.equal((await daemon.end()).status, 0);
    await until(() => receiver.successes().has(answer.body.event_id), { deadline_ms: 1_000, what: 'its delivery, before the end' });
  });

  test('no log line of any daemon holds a secret, at the finest level', async () => {
    const logs = workspace.logs();
    assert.ok(logs.length >= 4, `${logs.length} daemons`);
    for (const log of logs) {
      assert.match(log, /"message":"starting"/);
      for (const secret of [source_secret, tenant.secret, key]) assert.ok(!log.includes(secret));
    }
  });
});

describe('a node with a master key of its own', () => {
  let workspace;
  before(() => (workspace = new Workspace()));
  after(() => workspace.close());

  test('needs no --dev, refuses http:// endpoints, and ends at once at the second signal', async () => {
    const env = { POSTRIDER_SECRETS__MASTER_KEY: 'env:THE_KEY', THE_KEY: randomBytes(32).toString('base64'), POSTRIDER_SHUTDOWN__LINGER_MS: '60000' };
    const daemon = await workspace.start({ dev: false, env });
    const api = new Api(daemon.operator_url, await workspace.operator_key());
    await api.create('/v1/tenants', { slug: 'acme', name: 'Acme' });
    const refused = await api.ask('POST', '/v1/tenants/acme/endpoints', { url: 'http://example.com/' });
    assert.equal(refused.status, 422);
    daemon.send('SIGTERM');
    await until(async () => (await readiness(daemon)).status === 503, { deadline_ms: 5_000, what: '503 of /readyz' });
    daemon.send('SIGTERM');
    assert.notEqual((await daemon.end(5_000)).status, 0);
    assert.ok(!daemon.stderr.includes(env.THE_KEY));
  });
});

describe('a node whose database is away at the start', () => {
  let workspace, receiver, daemon;
  const flags = () => ['--database-url', workspace.database_url, '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0', '--lease-ttl-ms', '2000', '--dev'];
  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start();
  });
  after(async () => {
    await daemon?.kill();
    await workspace.close();
    await receiver.close();
  });

  test('comes up all the same, alive and not ready, and answers 503 with Retry-After', async () => {
    daemon = await Daemon.start([...flags(), '--node', 'patient'], { env: Workspace.environment });
    const { status, body } = await readiness(daemon);
    assert.equal(status, 503);
    assert.equal(body.dependencies.database.ok, false);
    assert.equal((await fetch(`${daemon.operator_url}/healthz`)).status, 200);
    for (const [method, url] of [['POST', `${daemon.public_url}/in/acme/github`], ['GET', `${daemon.public_url}/v1/tenants`]]) {
      const response = await fetch(url, { method, headers: { authorization: 'Bearer prk_x' }, signal: AbortSignal.timeout(6_000) });
      assert.equal(response.status, 503, url);
      assert.ok(Number(response.headers.get('retry-after')) > 0, url);
    }
  });

  test('ends with 0 on SIGTERM as it is', async () => {
    const other = await Daemon.start([...flags(), '--node', 'brief'], { env: Workspace.environment });
    assert.equal((await other.stop(20_000)).status, 0, other.stderr);
  });

  test('migrates and goes to work by itself once the database is there', async () => {
    // Another node brings the PostgreSQL up, and dies: the server stays, and its shards are free.
    const other = await workspace.start({ node: 'bringer', args: ['--lease-ttl-ms', '2000'] });
    await other.kill();
    await until(async () => (await readiness(daemon)).status === 200, { deadline_ms: 30_000, what: 'readiness' });
    const key = JSON.parse((await run(['keys', 'create', '--role', 'operator', '-o', 'json', '--database-url', workspace.database_url])).stdout).key;
    const api = new Api(daemon.public_url, key);
    const tenant = await api.tenant_with_endpoint('acme', { source_secret, url: `${receiver.url}/acme` });
    receiver.expect_signed_by('/acme', tenant.secret);
    const answer = await post_webhook(daemon.public_url + tenant.ingest_path, { secret: source_secret, body: '{}', id: randomUUID() });
    assert.equal(answer.status, 200);
    const request = await until(() => receiver.requests.find((r) => r.webhook_id === answer.body.event_id), { what: 'the delivery' });
    assert.equal(request.signature, 'valid');
  });
});

describe('a graceful stop', () => {
  let workspace, receiver, release;
  before(async () => {
    workspace = new Workspace();
    const released = new Promise((resolve) => (release = resolve));
    receiver = await Receiver.start(({ path }) => (path === '/slow' ? released.then(() => 200) : 200));
  });
  after(async () => {
    release();
    await workspace.close();
    await receiver.close();
  });

  test('readiness 503, the listener closed, what is in flight ended and recorded, and exit 0, in that order', async () => {
    let daemon = await workspace.start();
    const key = await workspace.operator_key();
    const tenant = await new Api(daemon.public_url, key).tenant_with_endpoint('acme', { source_secret, url: `${receiver.url}/slow` });
    receiver.expect_signed_by('/slow', tenant.secret);
    const answer = await post_webhook(daemon.public_url + tenant.ingest_path, { secret: source_secret, body: '{}', id: randomUUID() });
    assert.equal(answer.status, 200);
    await until(() => receiver.requests.length === 1, { what: 'the request at the receiver' });

    daemon.send('SIGTERM');
    await until(async () => (await readiness(daemon)).status === 503, { deadline_ms: 1_000, what: '503 of /readyz' });
    const refused = () => fetch(`${daemon.public_url}/in/acme/github`, { method: 'POST' }).then(() => false, () => true);
    await until(refused, { deadline_ms: 10_000, what: 'the end of the public listener' });
    assert.equal((await readiness(daemon)).status, 503); // the operator listener goes last
    assert.equal(daemon.ended, undefined);
    release();
    assert.deepEqual(await daemon.end(20_000), { status: 0, signal: null });
    assert.equal(receiver.requests.length, 1);

    daemon = await workspace.start();
    await until(async () => (await readiness(daemon)).status === 200, { what: 'readiness' });
    const api = new Api(daemon.public_url, key);
    const { data } = await api.get(`/v1/tenants/acme/deliveries?event=${answer.body.event_id}`);
    assert.equal(data.length, 1);
    assert.equal(data[0].state, 'succeeded');
    const { attempts } = await api.get(`/v1/tenants/acme/deliveries/${data[0].id}`);
    assert.deepEqual(attempts.map((attempt) => [attempt.number, attempt.outcome]), [[1, 'succeeded']]);
    assert.equal(receiver.requests.length, 1);
  });
});
