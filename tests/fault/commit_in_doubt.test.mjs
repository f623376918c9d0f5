// The connection to PostgreSQL is cut exactly at a statement: before it is sent, or while it is committed and its answer is on
// its way. The process lives on: nothing is lost, nothing comes twice.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { acted, known_failpoints } from './support/failpoints.mjs';
import { provider_ids, Scenario } from './support/scenario.mjs';

const webhook_count = 24;

/** Every second event is refused at first, so that there are claims. */
function refuses_some({ webhook_id, nth }) {
  return nth === 1 && Number.parseInt(webhook_id.at(-1), 16) % 2 === 0 ? 500 : 200;
}

describe('the connection is cut', () => {
  let scenario;
  before(async () => {
    scenario = await Scenario.start({ script: refuses_some });
    await scenario.daemon.kill();
  });
  after(() => scenario?.close());

  /** With `failpoint` armed; the daemon still runs. */
  async function load_with(failpoint) {
    await scenario.start_daemon({ failpoints: `${failpoint}=cut@2` });
    await scenario.ready();
    const left = await scenario.send(provider_ids(webhook_count));
    assert.deepEqual(left, [], 'the provider need not know');
  }
  const was_cut = (failpoint) =>
    assert.deepEqual(acted(scenario.daemon).map((act) => `${act.failpoint} ${act.action}`), [`${failpoint} cut`]);

  for (const name of ['accept.before', 'accept.unheard', 'outcome.before', 'outcome.unheard', 'claim.before'])
    test(`at ${name}`, { timeout: 60_000 }, async (t) => {
      await load_with(name);
      await scenario.settle();
      was_cut(name);
      await scenario.reckon(t, name, { duplicates_max: 0 });
      await scenario.daemon.kill();
    });

  test('at every accept: 503 in time, and the provider that sends again gets the event that was committed', { timeout: 90_000 }, async (t) => {
    const name = 'accept.unheard';
    await scenario.start_daemon({ failpoints: `${name}=cut` });
    const ids = provider_ids(4);
    for (const answer of await Promise.all(ids.map((id) => scenario.post(id)))) {
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.retry_after) >= 1);
      assert.ok(answer.took_ms < 6_000, `${answer.took_ms} ms`);
    }
    await scenario.daemon.kill();
    const [[committed]] = await scenario.postgres.sql(
      `select count(*) from event where provider_event_id in (${ids.map((id) => `'${id}'`).join(', ')})`,
    );
    assert.equal(Number(committed), ids.length, 'each was committed, unheard');
    const in_flight = await scenario.in_flight();

    await scenario.start_daemon();
    for (const id of ids) assert.equal((await scenario.post(id)).body.duplicate, true);
    await scenario.settle();
    await scenario.reckon(t, `${name}, at every hit`, { duplicates_max: in_flight });
    await scenario.daemon.kill();
  });

  test('at claim.unheard: what nobody knows to be claimed goes on once its deadline has passed', { timeout: 90_000 }, async (t) => {
    const name = 'claim.unheard';
    assert.ok((await known_failpoints()).includes(name));
    await load_with(name);
    await scenario.settle({ deadline_ms: 80_000 });
    was_cut(name);
    await scenario.reckon(t, name, { duplicates_max: 0 });
  });
});
