// The connection to PostgreSQL is cut exactly at a statement: before it is sent, or while it is committed and its answer is on
// its way. The process lives on: nothing is lost, nothing comes twice, and nothing waits for a deadline of its row.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { acted } from './support/failpoints.mjs';
import { provider_ids, refuses_some, Scenario } from './support/scenario.mjs';

const webhook_count = 24;

/** The daemon anew with `failpoint` armed, and webhooks to it, each sent once. */
async function load_with(scenario, failpoint) {
  await scenario.daemon.kill();
  await scenario.start_daemon({ failpoints: failpoint });
  await scenario.ready();
  const left = await scenario.send(provider_ids(webhook_count));
  assert.deepEqual(left, [], 'the provider need not know');
}

function assert_was_cut(scenario, name) {
  assert.deepEqual(acted(scenario.daemon).map(({ failpoint, action }) => `${failpoint} ${action}`), [`${name} cut`]);
}

describe('the connection is cut at', () => {
  let scenario;
  before(async () => (scenario = await Scenario.start({ script: refuses_some })));
  after(() => scenario?.close());

  for (const name of ['accept.before', 'accept.unheard', 'outcome.before', 'outcome.unheard', 'claim.before', 'claim.unheard'])
    test(`${name}: nobody outside feels it`, { timeout: 60_000 }, async (t) => {
      await load_with(scenario, `${name}=cut@2`);
      await scenario.settle();
      assert_was_cut(scenario, name);
      await scenario.reckon(t, name, { duplicates_max: 0 });
    });

  test('every accept: 503 in time, and who sends again gets the event that was committed', { timeout: 90_000 }, async (t) => {
    await scenario.daemon.kill();
    await scenario.start_daemon({ failpoints: 'accept.unheard=cut' });
    const ids = provider_ids(4);
    for (const answer of await Promise.all(ids.map((id) => scenario.post(id)))) {
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.retry_after) >= 1);
    }
    await scenario.daemon.kill();
    const list = ids.map((id) => `'${id}'`).join(', ');
    const [[committed]] = await scenario.postgres.sql(`select count(*) from event where provider_event_id in (${list})`);
    assert.equal(Number(committed), ids.length, 'each was committed, unheard');
    const in_flight = await scenario.in_flight();

    await scenario.start_daemon();
    for (const id of ids) assert.equal((await scenario.post(id)).body.duplicate, true);
    await scenario.settle();
    await scenario.reckon(t, 'accept.unheard, every time', { duplicates_max: in_flight });
  });
});
