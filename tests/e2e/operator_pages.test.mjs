// What an operator sees of a node: the tree of actors, alive and at rest, the cluster, readiness, metrics; also while the database is away.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { readiness, Workspace } from './support/daemon.mjs';
import { post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { in_parallel, until } from './support/until.mjs';

const source_secret = 'operators';
const tenant_count = 60;
const endpoints_each = 4;
const awake = ['t-00', 't-07', 't-59'];
const slugs = Array.from({ length: tenant_count }, (_, i) => `t-${String(i).padStart(2, '0')}`);
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('the pages of operators', () => {
  let workspace, receiver, daemon, key, api;
  const endpoints = new Map(); // slug -> ids
  const ingest = (slug, secret = source_secret) =>
    post_webhook(`${daemon.public_url}/in/${slug}/github`, { secret, body: '{"a":1}', id: randomUUID() });
  const metric = async (line) => {
    const text = await (await fetch(`${daemon.operator_url}/metrics`)).text();
    const found = text.split('\n').find((each) => each.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  };

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(({ path }) => (path === '/broken' ? 500 : 200));
    daemon = await workspace.start();
    key = await workspace.operator_key();
    api = new Api(daemon.operator_url, key);
    await api.create('/v1/tenants', { tenants: slugs.map((slug) => ({ slug, name: slug })) });
    await in_parallel(slugs, 4, async (slug) => {
      await api.create(`/v1/tenants/${slug}/sources`, { name: 'github', provider: 'github', secrets: [source_secret] });
      const made = await api.create(`/v1/tenants/${slug}/endpoints`, {
        endpoints: Array.from({ length: endpoints_each }, (_, i) => ({
          url: `${receiver.url}${slug === 't-07' && i === 0 ? '/broken' : '/ok'}`,
          breaker: { failures: 2, cool_down_ms: 60_000, cool_down_max_ms: 60_000 },
        })),
      });
      endpoints.set(slug, made.data.map((endpoint) => endpoint.id));
    });
    await until(async () => (await readiness(daemon)).status === 200, { what: 'readiness' });
    for (const slug of awake) for (let i = 0; i < 3; ++i) assert.equal((await ingest(slug)).status, 200);
  }, { timeout: 180_000 });
  after(async () => {
    if (workspace.postmaster()) workspace.signal_database('SIGCONT');
    await workspace.close();
    await receiver.close();
  });

  test('a tree of more than 250 actors is read in pages: each once, parents first', async () => {
    const seen = [];
    let cursor = null;
    do {
      const page = await api.get(`/actors?limit=50${cursor ? `&cursor=${cursor}` : ''}`);
      assert.ok(page.data.length <= 50);
      assert.deepEqual(page.nodes, [{ name: 'n1', answered: true, error: null }]);
      seen.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor);
    const paths = seen.map((actor) => actor.path);
    assert.equal(new Set(paths).size, paths.length);
    assert.equal(paths.length, 1 + tenant_count * (2 + endpoints_each));
    assert.ok(paths.length > 250);
    assert.equal(paths[0], '/node/n1');
    const known = new Set();
    for (const path of paths) {
      const parent = path.replace(/\/[^/]+\/[^/]+$/, '');
      assert.ok(parent === '' || known.has(parent), path);
      known.add(path);
    }
    for (const actor of seen) {
      assert.deepEqual(Object.keys(actor).sort(), ['children', 'epoch', 'kind', 'mailbox', 'node', 'path', 'restarts', 'since', 'state']);
      assert.match(actor.since, time);
      assert.equal(actor.node, 'n1');
      if (actor.kind !== 'node') assert.ok(actor.epoch >= 1, actor.path);
    }
  });

  test('those with something to do are alive, the others passive', async () => {
    const of = async (query) => api.all(`/actors?${query}`);
    const deliveries = await of('kind=delivery');
    assert.equal(deliveries.length, tenant_count * endpoints_each);
    const alive = deliveries.filter((actor) => actor.state !== 'passive').map((actor) => actor.path);
    for (const slug of awake)
      for (const id of endpoints.get(slug)) assert.ok(alive.includes(`/node/n1/tenants/${slug}/deliveries/${id}`));
    assert.equal(alive.length, awake.length * endpoints_each);
    assert.equal((await of('kind=delivery&state=passive')).length, deliveries.length - alive.length);
    assert.equal((await of('kind=provider_verifier&state=verifying')).length, awake.length);
    assert.equal((await of('kind=tenant_supervisor&state=passive')).length, tenant_count - awake.length);
  });

  test('filters, depth and limits', async () => {
    assert.equal((await api.all('/actors?depth=1')).length, 1 + tenant_count);
    assert.equal((await api.all('/actors?depth=0')).length, 1);
    assert.deepEqual(await api.get('/actors?node=other'), { nodes: [], data: [], next_cursor: null });
    assert.equal((await api.get('/actors?limit=1000')).data.length, 250);
    assert.equal((await api.get('/actors')).data.length, 50);
    for (const query of ['limit=0', 'limit=x', 'depth=x', 'kind=thing', 'cursor=x']) {
      const { status, body } = await api.ask('GET', `/actors?${query}`);
      assert.equal(status, 400, query);
      assert.equal(body.code, 'parameter-invalid', query);
    }
  });

  test('a cursor holds while tenants come and go', async () => {
    const first = await api.get('/actors?kind=tenant_supervisor&limit=10');
    await api.create('/v1/tenants', { slug: 't-00-new', name: 'before the cursor' });
    await api.create('/v1/tenants', { slug: 't-09-new', name: 'behind the cursor' });
    await api.expect(204, 'DELETE', '/v1/tenants/t-09'); // the cursor's own place
    const rest = await api.all(`/actors?kind=tenant_supervisor&cursor=${first.next_cursor}`);
    assert.deepEqual(
      [...first.data, ...rest].map((actor) => actor.path.split('/').pop()),
      [...slugs.slice(0, 10), 't-09-new', ...slugs.slice(10)],
    );
  });

  test('the node, a supervisor and a verifier describe themselves', async () => {
    const node = await api.get('/actors/node/n1');
    assert.equal(node.kind, 'node');
    assert.equal(node.state, 'owner');
    assert.equal(node.epoch, null);
    assert.equal(node.counters.shards_owned, 64);
    assert.ok(node.transitions.some((each) => each.to === 'owner'));
    assert.match(node.next_wake_at, time);

    const supervisor = await api.get('/actors/node/n1/tenants/t-00');
    assert.equal(supervisor.kind, 'tenant_supervisor');
    assert.equal(supervisor.state, 'owner');
    assert.equal(supervisor.children, 1 + endpoints_each);
    assert.equal(supervisor.counters.deliveries, endpoints_each);
    assert.equal(supervisor.counters.crashes, 0);
    assert.match(supervisor.next_wake_at, time);

    assert.equal((await ingest('t-00', 'another secret')).status, 401);
    const verifier = await api.get('/actors/node/n1/tenants/t-00/sources/github');
    assert.equal(verifier.kind, 'provider_verifier');
    assert.equal(verifier.state, 'verifying');
    assert.equal(verifier.counters.accepted, 3);
    assert.equal(verifier.counters.rejected, 1);
    assert.equal(verifier.counters['rejected:signature-mismatch'], 1);
    assert.ok((await metric('postrider_ingest_refusals_total{reason="signature-mismatch"}')) >= 1);
  });

  test('a delivery shows its breaker, what it does and how its attempts ended', async () => {
    const [broken, healthy] = endpoints.get('t-07').map((id) => `/actors/node/n1/tenants/t-07/deliveries/${id}`);
    const opened = await until(async () => {
      const found = await api.get(broken);
      return found.breaker.state === 'open' && found.in_flight === 0 && found;
    }, { what: 'an open breaker' });
    assert.equal(opened.state, 'open');
    assert.ok(opened.epoch >= 1);
    assert.match(opened.breaker.since, time);
    assert.match(opened.breaker.next_probe_at, time);
    assert.match(opened.next_wake_at, time);
    assert.equal(opened.window, 32);
    assert.equal(opened.tokens, null); // its rate is not limited
    assert.equal(opened.counters.send_credits, 0); // none are lent while it is open
    assert.equal(opened.backlog, 0);
    assert.ok(opened.counters.attempts_failed >= 2);
    assert.equal(opened.counters.attempts_succeeded, 0);
    assert.ok(opened.last_outcomes.includes('failed:http_status:500'));
    const change = opened.transitions.find((each) => each.to === 'open');
    assert.equal(change.from, 'closed');
    assert.match(change.at, time);
    assert.equal(await metric('postrider_breakers_open'), 1);
    assert.ok((await metric('postrider_attempt_failures_total{reason="http_status"}')) >= 2);

    const well = await until(async () => {
      const found = await api.get(healthy);
      return found.counters.attempts_succeeded === 3 && found;
    }, { what: 'three successes' });
    assert.equal(well.breaker.state, 'closed');
    assert.equal(well.counters.attempts_failed, 0);
    assert.deepEqual(well.last_outcomes, ['succeeded:200', 'succeeded:200', 'succeeded:200']);
  });

  test('those at rest are described from the database', async () => {
    const id = endpoints.get('t-20')[0];
    const delivery = await api.get(`/actors/node/n1/tenants/t-20/deliveries/${id}`);
    assert.equal(delivery.state, 'passive');
    assert.equal(delivery.kind, 'delivery');
    assert.equal(delivery.breaker.state, 'closed');
    assert.equal(delivery.in_flight, 0);
    assert.equal(delivery.window, 32);
    assert.equal(delivery.next_wake_at, null);
    assert.deepEqual(delivery.last_outcomes, []);
    assert.deepEqual(delivery.transitions, []);
    assert.equal((await api.get('/actors/node/n1/tenants/t-20')).counters.endpoints, endpoints_each);
    assert.equal((await api.get('/actors/node/n1/tenants/t-20/sources/github')).state, 'passive');
  });

  test('unknown actors are 404; a key is needed, and an operator\'s', async () => {
    for (const path of ['/actors/node/n2', '/actors/node/n1/tenants/nobody', '/actors/node/n1/tenants/t-00/sources/none',
      '/actors/node/n1/tenants/t-00/deliveries/ep_0', `/actors/node/n1/tenants/t-01/deliveries/${endpoints.get('t-02')[0]}`, '/actors/what']) {
      const { status, body } = await api.ask('GET', path);
      assert.equal(status, 404, path);
      assert.equal(body.code, 'actor-unknown', path);
    }
    for (const path of ['/actors', '/actors/node/n1', '/cluster']) {
      assert.equal((await new Api(daemon.operator_url).ask('GET', path)).status, 401, path);
      assert.equal((await new Api(daemon.public_url, key).ask('GET', path)).status, 404, path);
    }
  });

  test('the cluster is this one node with all shards', async () => {
    const cluster = await api.get('/cluster');
    assert.deepEqual(Object.keys(cluster), ['node', 'shards', 'data']);
    assert.equal(cluster.node, 'n1');
    assert.equal(cluster.shards, 64);
    assert.equal(cluster.data.length, 1);
    const [node] = cluster.data;
    assert.deepEqual(Object.keys(node), ['name', 'incarnation', 'address', 'state', 'heartbeat_age_ms', 'shards']);
    assert.equal(node.name, 'n1');
    assert.match(node.incarnation, /^[0-9a-f-]{36}$/);
    assert.equal(node.state, 'live');
    assert.ok(node.heartbeat_age_ms < 6_000);
    assert.deepEqual(node.shards.map((each) => each.shard), Array.from({ length: 64 }, (_, i) => i));
    for (const each of node.shards) assert.ok(each.epoch >= 1);
  });

  test('every part of readiness is told, and as a metric', async () => {
    const { status, body } = await readiness(daemon);
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body.dependencies).sort(), ['database', 'delivery', 'draining', 'leases']);
    for (const name of Object.keys(body.dependencies)) assert.equal(await metric(`postrider_ready{dependency="${name}"}`), 1, name);
    assert.equal(await metric('postrider_store_connections{user="engine"}'), await metric('postrider_store_connections_wanted'));
    assert.equal(await metric('postrider_shards_owned'), 64);
  });

  test('with the database away: what lives is shown and the rest said to be missing; /cluster is 503 within 6 s', { timeout: 90_000 }, async () => {
    await api.get('/actors'); // the database confirms the key
    workspace.signal_database('SIGSTOP');
    try {
      await until(async () => (await readiness(daemon)).status === 503, { deadline_ms: 5_000, what: '503 of /readyz' });
      const page = await until(async () => {
        const { status, body } = await api.ask('GET', '/actors?limit=250');
        return status === 200 && body;
      }, { deadline_ms: 15_000, what: 'the actors' });
      assert.equal(page.nodes[0].answered, true);
      assert.match(page.nodes[0].error, /database/);
      assert.ok(page.data.every((actor) => actor.state !== 'passive'));
      assert.ok(page.data.some((actor) => actor.kind === 'delivery'));
      assert.equal((await api.ask('GET', '/actors?limit=250')).status, 200);
      assert.ok(['owner', 'not_owner'].includes((await api.get('/actors/node/n1/tenants/t-00')).state)); // its lease has run out, or does soon
      assert.equal((await api.ask('GET', `/actors/node/n1/tenants/t-20/deliveries/${endpoints.get('t-20')[0]}`)).status, 503);
      const cluster = await api.ask('GET', '/cluster');
      assert.equal(cluster.status, 503);
      assert.ok(cluster.headers.get('retry-after'));
      assert.equal(await metric('postrider_ready{dependency="database"}'), 0);
    } finally {
      workspace.signal_database('SIGCONT');
    }
    await until(async () => (await readiness(daemon)).status === 200, { deadline_ms: 30_000, what: 'readiness' });
    const page = await until(async () => {
      const { status, body } = await api.ask('GET', '/actors?limit=250');
      return status === 200 && body.nodes[0].error === null && body;
    }, { what: 'all actors' });
    assert.ok(page.data.some((actor) => actor.state === 'passive'));
  });

  test('draining: not ready at once', async () => {
    const other = new Workspace({ POSTRIDER_SHUTDOWN__LINGER_MS: '3000' });
    try {
      const node = await other.start();
      const ready = async () => (await fetch(`${node.operator_url}/readyz`)).json();
      await until(async () => (await ready()).ready, { what: 'readiness' });
      node.send('SIGTERM');
      const answer = await until(async () => {
        const body = await ready();
        return !body.ready && body;
      }, { deadline_ms: 1_000, what: '503 of /readyz' });
      assert.equal(answer.dependencies.draining.ok, false);
      assert.equal((await node.end()).status, 0);
    } finally {
      await other.close();
    }
  });
});
