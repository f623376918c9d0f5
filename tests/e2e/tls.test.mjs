// TLS in both directions on the real daemon: the listeners' certificates, the operators' own, and those of endpoints.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { ask_over_tls, Authority } from './support/certificates.mjs';
import { run, Workspace } from './support/daemon.mjs';
import { github_headers } from './support/github.mjs';
import { until } from './support/until.mjs';

const source_secret = 'It\'s a Secret to Everybody';

/** The management API behind TLS. */
class TlsApi extends Api {
  constructor(url, key, tls) {
    super(url, key);
    this.tls = tls;
  }
  async ask(method, path, body) {
    const headers = { ...(this.key ? { authorization: `Bearer ${this.key}` } : {}) };
    if (body !== undefined) headers['content-type'] = 'application/json';
    return ask_over_tls(this.url + path, { ...this.tls, method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  }
}

/** An endpoint over TLS: what came, and from whom. */
class TlsReceiver {
  requests = [];
  static async start(options) {
    const receiver = new TlsReceiver();
    receiver.server = createServer(options, (request, response) => {
      request.resume();
      receiver.requests.push({ id: request.headers['webhook-id'], client: request.socket.getPeerCertificate()?.serialNumber });
      request.on('end', () => response.writeHead(200).end('ok'));
    });
    await new Promise((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }
  get url() {
    return `https://127.0.0.1:${this.server.address().port}/hook`;
  }
  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe('files of certificates that are no good', () => {
  let workspace, authority, own;
  before(() => {
    workspace = new Workspace();
    authority = new Authority(join(workspace.directory, 'ca'));
    own = authority.issue();
  });
  after(() => workspace.close());

  /** Writes a configuration of these lines and answers its path. */
  function configuration(...lines) {
    const path = join(workspace.directory, 'postrider.toml');
    writeFileSync(path, lines.join('\n'));
    return path;
  }

  test('check-config names each with its key and line, and no secret', async () => {
    const other = authority.issue();
    const path = configuration('[public]', `tls_certificate = '${own.certificate_file}'`, `tls_key = '${other.key_file}'`,
      '[operator]', `tls_certificate = '/nonexistent.pem'`, `tls_key = '${own.key_file}'`, `client_ca = '${own.key_file}'`,
      '[delivery]', `ca_bundle = '${own.key_file}'`);
    const { status, stdout, stderr } = await run(['check-config', '--config', path]);
    assert.equal(status, 1);
    assert.equal(stdout, '');
    for (const part of [
      `${path}:3: public.tls_key ${other.key_file} does not belong to the certificate`,
      `${path}:5: operator.tls_certificate /nonexistent.pem cannot be read: No such file or directory`,
      `${path}:7: operator.client_ca ${own.key_file} holds no certificate`,
      `${path}:9: delivery.ca_bundle ${own.key_file} holds no certificate`,
    ])
      assert.ok(stderr.includes(part), `${part}\n${stderr}`);
    assert.ok(!stderr.includes(other.key.split('\n')[1]), stderr);
  });

  test('check-config takes good ones, and warns of one that has expired', async () => {
    const expired = authority.issue('IP:127.0.0.1', -1);
    const lines = (pair) => ['[public]', `tls_certificate = '${pair.certificate_file}'`, `tls_key = '${pair.key_file}'`];
    const good = await run(['check-config', '--config', configuration(...lines(own))]);
    assert.deepEqual([good.status, good.stderr], [0, '']);
    const { status, stderr } = await run(['check-config', '--config', configuration(...lines(expired))]);
    assert.equal(status, 0);
    assert.match(stderr, /warning: .*postrider\.toml:2: public\.tls_certificate .* holds a certificate that expired on/);
  });

  test('serve ends with 1 before it starts anything', async () => {
    const path = configuration('[public]', `tls_certificate = '${own.certificate_file}'`, `tls_key = '${own.certificate_file}'`);
    const { status, stdout, stderr } = await run(['serve', '--dev', ...workspace.database_flags, '--config', path,
      '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0']);
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.ok(stderr.includes(`${path}:3: public.tls_key`), stderr);
    assert.equal(workspace.postmaster(), null);
  });
});

describe('a node with TLS on both listeners', () => {
  let workspace, authority, operators, elsewhere, operator, server_files, daemon, api, public_url, operator_url, receivers;

  before(async () => {
    workspace = new Workspace();
    authority = new Authority(join(workspace.directory, 'ca'));
    operators = new Authority(join(workspace.directory, 'operators'), 'operators');
    elsewhere = new Authority(join(workspace.directory, 'elsewhere'), 'elsewhere');
    operator = operators.issue('DNS:operator');
    const own = authority.issue();
    server_files = { certificate: join(workspace.directory, 'own.pem'), key: join(workspace.directory, 'own.key') };
    copyFileSync(own.certificate_file, server_files.certificate);
    copyFileSync(own.key_file, server_files.key);
    daemon = await workspace.start({
      env: {
        POSTRIDER_PUBLIC__TLS_CERTIFICATE: server_files.certificate,
        POSTRIDER_PUBLIC__TLS_KEY: server_files.key,
        POSTRIDER_PUBLIC__TRUSTED_PROXIES: '127.0.0.1/32',
        POSTRIDER_OPERATOR__TLS_CERTIFICATE: server_files.certificate,
        POSTRIDER_OPERATOR__TLS_KEY: server_files.key,
        POSTRIDER_OPERATOR__CLIENT_CA: operators.file,
        POSTRIDER_DELIVERY__CA_BUNDLE: authority.file,
      },
    });
    public_url = `https://${daemon.ready.public}`;
    operator_url = `https://${daemon.ready.operator}`;
    api = new TlsApi(operator_url, await workspace.operator_key(), { ca: authority.pem, cert: operator.certificate, key: operator.key });
    const of_the_bundle = authority.issue();
    const of_its_own = elsewhere.issue();
    receivers = {
      bundle: await TlsReceiver.start({ cert: of_the_bundle.certificate, key: of_the_bundle.key }),
      own: await TlsReceiver.start({ cert: of_its_own.certificate, key: of_its_own.key }),
      demanding: await TlsReceiver.start({
        cert: of_the_bundle.certificate, key: of_the_bundle.key, ca: elsewhere.pem, requestCert: true, rejectUnauthorized: true,
      }),
      wrong_name: await (() => {
        const named = authority.issue('DNS:elsewhere.test');
        return TlsReceiver.start({ cert: named.certificate, key: named.key });
      })(),
      expired: await (() => {
        const old = authority.issue('IP:127.0.0.1', -1);
        return TlsReceiver.start({ cert: old.certificate, key: old.key });
      })(),
    };
  });
  after(async () => {
    for (const receiver of Object.values(receivers ?? {})) await receiver.close();
    await workspace.close();
  });

  /** A tenant with a GitHub source and these endpoints. */
  async function tenant(slug, ...endpoints) {
    await api.create('/v1/tenants', { slug, name: slug });
    const source = await api.create(`/v1/tenants/${slug}/sources`, { name: 'github', provider: 'github', secrets: [source_secret] });
    const made = [];
    for (const endpoint of endpoints) made.push(await api.create(`/v1/tenants/${slug}/endpoints`, endpoint));
    return { ingest_path: source.ingest_path, endpoints: made };
  }

  async function post(ingest_path, options = {}) {
    const body = '{"number":1}';
    const headers = github_headers(source_secret, body, { id: randomUUID() });
    const answer = await ask_over_tls(public_url + ingest_path, { method: 'POST', headers, body, ca: authority.pem, ...options });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer;
  }

  /** The outcome of the first attempt for that endpoint. */
  async function first_attempt(slug, event_id, endpoint) {
    return until(async () => {
      const [delivery] = (await api.get(`/v1/tenants/${slug}/deliveries?event=${event_id}&endpoint=${endpoint.id}`)).data;
      const [attempt] = (await api.get(`/v1/tenants/${slug}/deliveries/${delivery.id}`)).attempts;
      return attempt?.outcome ? attempt : null;
    }, { what: `the first attempt for ${endpoint.url}` });
  }

  test('the operator listener wants a certificate of its authority for every path', async () => {
    const trusted = { ca: authority.pem };
    const good = await ask_over_tls(`${operator_url}/healthz`, { ...trusted, cert: operator.certificate, key: operator.key });
    assert.equal(good.status, 200);
    assert.ok(good.headers['x-request-id']);
    const foreign = elsewhere.issue('DNS:operator');
    for (const who of [{}, { cert: foreign.certificate, key: foreign.key }])
      await assert.rejects(ask_over_tls(`${operator_url}/healthz`, { ...trusted, ...who }));
  });

  test('plain HTTP gets no answer on either', async () => {
    for (const address of [daemon.ready.public, daemon.ready.operator])
      // Closed, not left to wait: `fetch` ends as TypeError where the connection does, as TimeoutError at the signal.
      await assert.rejects(fetch(`http://${address}/healthz`, { signal: AbortSignal.timeout(10_000) }), { name: 'TypeError' });
  });

  test('a webhook is taken over TLS and delivered over TLS, by the bundle and by an endpoint\'s own authority', async () => {
    const client = elsewhere.issue('DNS:postrider');
    const { ingest_path, endpoints } = await tenant('amber',
      { url: receivers.bundle.url },
      { url: receivers.own.url, tls: { ca_pem: elsewhere.pem } },
      { url: receivers.demanding.url, tls: { client_certificate_pem: client.certificate, client_key_pem: client.key } });
    for (const endpoint of endpoints) assert.ok(!JSON.stringify(endpoint).includes('PRIVATE KEY'));
    assert.deepEqual(endpoints[2].tls.client_key_pem, { set: true });
    assert.deepEqual((await api.get(`/v1/tenants/amber/endpoints/${endpoints[1].id}`)).tls,
      { ca_pem: elsewhere.pem, client_certificate_pem: null, client_key_pem: null });
    assert.ok(!JSON.stringify(await api.get('/v1/tenants/amber/endpoints')).includes('PRIVATE KEY'));
    const { event_id } = (await post(ingest_path)).body;
    for (const endpoint of endpoints)
      assert.equal((await first_attempt('amber', event_id, endpoint)).outcome, 'succeeded', endpoint.url);
    for (const name of ['bundle', 'own', 'demanding']) assert.ok(receivers[name].requests.some((one) => one.id === event_id), name);
    assert.ok(receivers.demanding.requests[0].client, 'no client certificate came');
  });

  test('what does not verify fails as tls_certificate, what is refused as tls_handshake', async () => {
    const self_signed = new Authority(join(workspace.directory, 'self'), 'self');
    const { ingest_path, endpoints } = await tenant('birch',
      { url: receivers.own.url },
      { url: receivers.bundle.url, tls: { ca_pem: self_signed.pem } },
      { url: receivers.wrong_name.url },
      { url: receivers.expired.url },
      { url: receivers.demanding.url });
    const { event_id } = (await post(ingest_path)).body;
    const reasons = [];
    for (const endpoint of endpoints) reasons.push((await first_attempt('birch', event_id, endpoint)).reason);
    assert.deepEqual(reasons.slice(0, 4), Array(4).fill('tls_certificate'));
    assert.equal(reasons[4], 'tls_handshake');
  });

  test('tls of an endpoint that cannot be used is refused, with every mistake named', async () => {
    await api.create('/v1/tenants', { slug: 'cedar', name: 'cedar' });
    const pair = authority.issue();
    const answer = await api.ask('POST', '/v1/tenants/cedar/endpoints', {
      url: receivers.own.url,
      tls: { ca_pem: 'no PEM', client_certificate_pem: pair.certificate, client_key_pem: operator.key },
    });
    assert.equal(answer.status, 422);
    assert.deepEqual(answer.body.errors.map((error) => `${error.pointer} ${error.code}`),
      ['/tls/ca_pem pem-invalid', '/tls/client_key_pem key-mismatch']);
  });

  test('a trusted proxy tells how the provider called', async () => {
    await api.create('/v1/tenants', { slug: 'dogwood', name: 'dogwood' });
    const { ingest_path } = await api.create('/v1/tenants/dogwood/sources', {
      name: 'twilio', provider: 'twilio', scheme: 'twilio-form', secrets: ['token'],
    });
    const called = async (url, headers) => {
      const signature = createHmac('sha1', 'token').update(`${url}BodyHelloMessageSidSM${headers['x-id'] ?? 1}`).digest('base64');
      return (await ask_over_tls(public_url + ingest_path, {
        method: 'POST', ca: authority.pem, body: `MessageSid=SM${headers['x-id'] ?? 1}&Body=Hello`,
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature, ...headers },
      })).status;
    };
    assert.equal(await called(public_url + ingest_path, {}), 200);
    assert.equal(await called(`http://hooks.example.com${ingest_path}`,
      { 'x-id': 2, 'x-forwarded-proto': 'http', 'x-forwarded-host': 'hooks.example.com' }), 200);
    assert.equal(await called(public_url + ingest_path, { 'x-id': 3, 'x-forwarded-host': 'hooks.example.com' }), 401);
  });

  test('SIGHUP takes new files for new connections, keeps the old ones where they are no good, and loses no connection', async () => {
    const { ingest_path } = await tenant('elder');
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.pem });
    const before_reload = await post(ingest_path, { agent });

    writeFileSync(server_files.key, 'no key at all');
    daemon.send('SIGHUP');
    await until(() => daemon.stderr.includes('the certificates stay as they were'), { what: 'the error in the log' });
    assert.match(daemon.stderr, /public\.tls_key .*own\.key holds no private key/);
    assert.equal((await post(ingest_path)).serial, before_reload.serial);

    const renewed = authority.issue();
    copyFileSync(renewed.certificate_file, server_files.certificate);
    copyFileSync(renewed.key_file, server_files.key);
    daemon.send('SIGHUP');
    await until(async () => (await post(ingest_path)).serial !== before_reload.serial, { what: 'the new certificate' });
    assert.equal((await post(ingest_path, { agent })).serial, before_reload.serial); // the same connection as at first
    agent.destroy();
  });

  test('it stops in order, and has logged no key', async () => {
    assert.deepEqual(await daemon.stop(), { status: 0, signal: null });
    assert.ok(!daemon.stderr.includes('-----BEGIN'));
  });
});
