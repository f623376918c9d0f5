// PostgreSQL restarts, dies, loses a backend, and freezes, all under load: 503 in time, readiness tells the truth, and what was
// acknowledged is delivered.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { readiness } from '../e2e/support/daemon.mjs';
import { until } from '../e2e/support/until.mjs';
import { Load, refuses_some, Scenario } from './support/scenario.mjs';

const width = 4;
// Rows whose attempt was under way when the database went: an endpoint takes so many requests at once, and as many outcomes may
// wait to be written.
const duplicates_max = 64;

describe('PostgreSQL', () => {
  let scenario, load;
  before(async () => {
    scenario = await Scenario.start({ script: refuses_some });
  });
  after(() => scenario?.close());
  beforeEach(async () => {
    await scenario.ready();
    load = new Load(scenario, { width });
    await load.answered(20);
  });
  afterEach(() => load.stop());

  const not_ready = () =>
    until(
      async () => {
        const { status, body } = await readiness(scenario.daemon);
        return status === 503 && !body.ready;
      },
      { deadline_ms: 5_000, what: '503 of /readyz' },
    );

  /** The database is back: the node is ready by itself, takes webhooks, and the provider sends again what was refused. */
  async function recovers(t, what) {
    await scenario.ready();
    await until(() => load.answers.at(-1)?.status === 200, { what: 'an acknowledgement' });
    const refused = await load.stop();
    for (const { status, retry_after } of load.answers) {
      assert.ok(status === 200 || status === 503, `answered ${status}`);
      if (status === 503) assert.ok(Number(retry_after) >= 1, '503 says when to come again');
    }
    t.diagnostic(`${what}: ${load.answers.length - refused.length} answered 200, ${refused.length} answered 503, readiness is back`);
    await scenario.settle(); // without the provider
    await scenario.send_until_acknowledged(refused, { width });
    await scenario.settle();
    await scenario.reckon(t, what, { duplicates_max });
  }

  test('restarts, by pg_ctl restart -m fast', { timeout: 60_000 }, async (t) => {
    await scenario.postgres.restart_fast();
    await recovers(t, 'restart');
  });

  test('dies with kill -9 of its postmaster, and is started again', { timeout: 60_000 }, async (t) => {
    await scenario.postgres.kill();
    await not_ready();
    assert.equal((await fetch(`${scenario.daemon.operator_url}/healthz`)).status, 200);
    await load.answered(width); // 503 each
    await scenario.postgres.start_again();
    await recovers(t, 'kill -9 of the postmaster');
  });

  for (const role of ['accept', 'outcome', 'claim', 'lease'])
    test(`loses one backend to kill -9: ${role}`, { timeout: 60_000 }, async (t) => {
      await scenario.postgres.kill_backend(role); // all others end as well: PostgreSQL recovers as after a crash
      await recovers(t, `kill -9 of the backend of ${role}`);
    });

  test('accepts and never answers', { timeout: 90_000 }, async (t) => {
    const { answers } = load;
    scenario.postgres.freeze();
    const before = answers.length;
    try {
      await not_ready();
      await load.answered(width);
    } finally {
      scenario.postgres.thaw();
    }
    assert.ok(answers.slice(before).some(({ status }) => status === 503));
    await recovers(t, 'frozen'); // also what was refused, and committed when PostgreSQL woke
  });

  test('closes the connections of one role after the other', { timeout: 60_000 }, async (t) => {
    for (const role of ['accept', 'outcome', 'claim', 'poll', 'lease']) {
      await scenario.postgres.close_connections(role);
      await load.answered(width);
    }
    await recovers(t, 'closed connections');
  });
});
