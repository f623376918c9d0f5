// What a tenant may take in: 429 with Retry-After beyond its rate or its backlog, and all is well again afterwards.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';
import { github_headers, post_webhook } from './support/github.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const source_secret = 'quotas';

describe('quotas of ingest', () => {
  let workspace, receiver, daemon, api;
  let failing = true;
  let posted = 0;

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(() => (failing ? 500 : 200));
    const file = join(workspace.directory, 'quotas.toml');
    writeFileSync(file, '[plans.brief]\ningest_per_s = 2\n\n[retention]\ndays = 20\n');
    daemon = await workspace.start({ args: ['--config', file] });
    api = new Api(daemon.operator_url, await workspace.operator_key());
  });
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  const make_tenant = async (slug, quotas, plan) => {
    await api.create('/v1/tenants', { slug, name: slug, quotas, ...(plan ? { plan } : {}) });
    const source = await api.create(`/v1/tenants/${slug}/sources`, {
      name: 'github',
      provider: 'github',
      secrets: [source_secret],
    });
    await api.create(`/v1/tenants/${slug}/endpoints`, {
      url: `${receiver.url}/${slug}`,
      retry: { base_ms: 200, factor: 1, max_ms: 200, max_attempts: 100 },
      breaker: { failures: 1000, failure_rate: 1, min_requests: 100_000 },
    });
    return daemon.public_url + source.ingest_path;
  };
  const post = (url, { secret = source_secret, body = '{"a":1}' } = {}) => {
    posted += 1;
    return fetch(url, {
      method: 'POST',
      headers: github_headers(secret, body, { id: `quota-${posted}` }),
      body,
      signal: AbortSignal.timeout(15_000),
    });
  };
  /** A refusal as a provider needs it. */
  const check_refused = async (response, code) => {
    assert.equal(response.status, 429);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const wait = response.headers.get('retry-after');
    assert.match(wait, /^[1-9][0-9]*$/);
    const problem = await response.json();
    assert.equal(problem.code, code);
    assert.equal(problem.status, 429);
    return Number(wait);
  };
  const metric = async (result) => {
    const page = await (await fetch(`${daemon.operator_url}/metrics`)).text();
    return Number(new RegExp(`postrider_ingest_requests_total\\{result="${result}"\\} (\\d+)`).exec(page)[1]);
  };

  test('beyond its rate a tenant gets 429 with Retry-After, and is taken in again after that', async () => {
    const url = await make_tenant('rated', {}, 'brief');
    const neighbour = await make_tenant('neighbour', {});
    // More within a second than two seconds' worth: some are taken, some are not, whatever the machine's speed.
    const answers = await Promise.all(Array.from({ length: 40 }, () => post(url)));
    const taken = answers.filter((each) => each.status === 200);
    const refused = answers.filter((each) => each.status === 429);
    assert.equal(taken.length + refused.length, 40);
    assert.ok(taken.length >= 2 && refused.length >= 1, `${taken.length} taken, ${refused.length} refused`);
    let wait = 0;
    for (const each of refused) wait = Math.max(wait, await check_refused(each, 'rate-limited'));
    assert.equal(wait, 1);
    assert.equal((await post(neighbour)).status, 200);
    assert.equal(await metric('rate_limited'), refused.length);
    await until(async () => (await post(url)).status === 200, { every_ms: 250, what: 'taken in again' });
  });

  test('requests that nobody signed use up nothing, and get 401', async () => {
    const url = await make_tenant('attacked', { ingest_per_s: 1 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(url, { secret: 'guessed' })));
    assert.deepEqual(new Set(answers.map((each) => each.status)), new Set([401]));
    assert.equal((await post(url)).status, 200);
  });

  test('bytes a second are limited likewise; a body above a second\'s worth is taken when nothing was', async () => {
    const url = await make_tenant('heavy', { ingest_bytes_per_s: 1000 });
    const body = JSON.stringify({ text: 'x'.repeat(20_000) });
    assert.equal((await post(url, { body })).status, 200);
    const wait = await check_refused(await post(url, { body }), 'rate-limited');
    assert.ok(wait >= 10 && wait <= 21, `${wait} s`);
  });

  test('a raised quota is in force within a second', async () => {
    const url = await make_tenant('raised', { ingest_bytes_per_s: 10 });
    assert.equal((await post(url, { body: JSON.stringify({ text: 'x'.repeat(1000) }) })).status, 200);
    await check_refused(await post(url), 'rate-limited');
    await api.expect(200, 'PATCH', '/v1/tenants/raised', { quotas: { ingest_bytes_per_s: 1_000_000 } });
    await until(async () => (await post(url)).status === 200, { deadline_ms: 10_000, what: 'the raised quota' });
  });

  test('a full backlog gets 429, and is open again when it has gone down', async () => {
    const url = await make_tenant('piled', { backlog: 5 });
    const refused = await until(
      async () => {
        const response = await post(url);
        return response.status === 429 ? response : null;
      },
      { every_ms: 100, what: 'a full backlog' },
    );
    await check_refused(refused, 'backlog-full');
    assert.ok((await metric('backlog_full')) >= 1);
    failing = false;
    await until(async () => (await post(url)).status === 200, { every_ms: 250, what: 'room again' });
    const answer = await post_webhook(url, { secret: source_secret, body: '{"last":1}', id: 'the-last' });
    assert.equal(answer.status, 200);
  });

  test('a store that does not answer gets 503 with Retry-After within its deadline, and nothing is lost afterwards', async () => {
    const url = await make_tenant('frozen', {});
    assert.equal((await post(url)).status, 200);
    workspace.signal_database('SIGSTOP');
    try {
      // Each has a deadline of its own: 6 s, and a margin for a busy machine.
      for (const response of await Promise.all(Array.from({ length: 20 }, () => post(url)))) {
        assert.equal(response.status, 503);
        assert.match(response.headers.get('retry-after'), /^[1-9][0-9]*$/);
      }
    } finally {
      workspace.signal_database('SIGCONT');
    }
    await until(async () => (await post(url)).status === 200, { every_ms: 250, what: 'the store again' });
  });
});
