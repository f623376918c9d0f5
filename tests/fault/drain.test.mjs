// SIGTERM under load: what was acknowledged is delivered, once, by this process or the next; nothing is lost and nothing comes
// twice.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { readiness } from '../e2e/support/daemon.mjs';
import { until } from '../e2e/support/until.mjs';
import { Load, refuses_some, Scenario } from './support/scenario.mjs';

describe('SIGTERM under load', () => {
  let scenario, load;
  before(async () => {
    // It takes its time, so that there is always something in flight.
    scenario = await Scenario.start({ script: (request) => pause(30, refuses_some(request)) });
  });
  afterEach(() => load?.stop());
  after(() => scenario?.close());

  for (const round of [1, 2])
    test(`loses nothing and delivers nothing twice (${round} of 2)`, { timeout: 60_000 }, async (t) => {
      await scenario.ready();
      load = new Load(scenario, { width: 8 });
      await load.answered(100);
      scenario.daemon.send('SIGTERM');
      await until(async () => (await readiness(scenario.daemon)).status === 503, { deadline_ms: 5_000, every_ms: 5, what: '503 of /readyz' });
      const end = await scenario.daemon.end(30_000);
      const left = await load.stop();
      assert.equal(end.status, 0, scenario.daemon.stderr);
      for (const { status } of load.answers) assert.ok([200, 503, null].includes(status), `answered ${status}`);
      assert.equal(await scenario.in_flight(), 0, 'nothing is left in flight');

      await scenario.start_daemon();
      await scenario.settle();
      await scenario.send_until_acknowledged(left);
      await scenario.settle();
      const interrupted = await scenario.postgres.sql('select count(*) from delivery_attempt where outcome = 3');
      assert.deepEqual(interrupted, [['0']], 'no attempt was cut short');
      t.diagnostic(`${load.answers.length - left.length} acknowledged until the end`);
      await scenario.reckon(t, 'SIGTERM', { duplicates_max: 0 });
    });
});
