// kill -9 at each step between the request and the recorded outcome: the next process goes on, and nothing is lost.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../e2e/support/until.mjs';
import { acted, known_failpoints } from './support/failpoints.mjs';
import { provider_ids, refuses_some, Scenario } from './support/scenario.mjs';

const webhook_count = 24;
const width = 8;

// At which hit of each failpoint the process dies: a few are done by then, a few are on their way. `starting`: while it takes
// the shards of its dead predecessor over.
const steps = {
  'ingest.read': { hit: 14 },
  'ingest.verified': { hit: 14 },
  'accept.before': { hit: 3 },
  'accept.unheard': { hit: 2 },
  'accept.committed': { hit: 3 },
  'attempt.before': { hit: 6 },
  'attempt.answered': { hit: 6 },
  'outcome.before': { hit: 2 },
  'outcome.unheard': { hit: 3 },
  'outcome.committed': { hit: 2 },
  'claim.before': { hit: 2 },
  'claim.unheard': { hit: 3 },
  'claim.committed': { hit: 2 },
  'sweep.before': { starting: true },
  'sweep.halfway': { starting: true },
};

describe('kill -9', () => {
  let scenario;
  before(async () => {
    scenario = await Scenario.start({ script: refuses_some });
    await scenario.daemon.kill();
  });
  after(() => scenario?.close());

  test('the steps are those that the program has', async () => {
    assert.deepEqual(Object.keys(steps).sort(), (await known_failpoints()).sort());
  });

  for (const [name, { hit, starting }] of Object.entries(steps))
    test(`at ${name}`, { timeout: 90_000 }, async (t) => {
      const ids = provider_ids(webhook_count);
      const left = starting ? await leave_in_flight(ids, name) : await die_under_load(ids, `${name}=kill@${hit}`);
      const in_flight = await scenario.in_flight();
      t.diagnostic(`${name}: ${webhook_count - left.length} of ${webhook_count} were acknowledged, ${in_flight} in flight`);

      await scenario.start_daemon();
      await scenario.settle(); // what was acknowledged is delivered without any help of the provider's
      await scenario.send_until_acknowledged(left);
      await scenario.settle();
      await scenario.reckon(t, name, { duplicates_max: in_flight });
      await scenario.daemon.kill();
    });

  /** Sends until the process dies by `failpoint`; what was not acknowledged. */
  async function die_under_load(ids, failpoint) {
    await scenario.start_daemon({ failpoints: failpoint });
    const left = await scenario.send(ids, { width });
    await expect_death(failpoint.split('=')[0]);
    return left;
  }

  /** Dies with requests open, and again while the next process takes over. */
  async function leave_in_flight(ids, name) {
    const scripted = scenario.sink.script;
    let release;
    const held = new Promise((resolve) => (release = () => resolve(200)));
    const first = scenario.sink.requests.length;
    scenario.sink.script = () => held;
    await scenario.start_daemon();
    const left = await scenario.send(ids, { width });
    await until(() => scenario.sink.requests.length >= first + width, { what: 'requests in flight' });
    await scenario.daemon.kill();
    scenario.sink.script = scripted;
    release();
    assert.ok((await scenario.in_flight()) >= width);
    scenario.start_doomed(`${name}=kill@1`);
    await expect_death(name);
    return left;
  }

  async function expect_death(name) {
    const { signal } = await scenario.daemon.end(30_000);
    assert.equal(signal, 'SIGKILL', scenario.daemon.stderr);
    assert.deepEqual(acted(scenario.daemon).map(({ failpoint, action }) => `${failpoint} ${action}`), [`${name} kill`]);
  }
});
