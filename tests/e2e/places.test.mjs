// A node with few connections to endpoints: who has what of them when some endpoints hang.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { Workspace } from './support/daemon.mjs';
import { Receiver } from './support/receiver.mjs';
import { until } from './support/until.mjs';

const connections = 20;

describe('places', () => {
  let workspace, receiver, daemon, api;
  let hold, let_go; // what hangs, and its end

  before(async () => {
    workspace = new Workspace();
    receiver = await Receiver.start(async ({ path }) => {
      if (path.startsWith('/hangs')) await hold;
      return 200;
    });
    daemon = await workspace.start({ env: { POSTRIDER_DELIVERY__CONNECTIONS_MAX: String(connections) } });
    api = new Api(daemon.operator_url, await workspace.operator_key());
  });
  beforeEach(() => {
    hold = new Promise((resolve) => (let_go = resolve));
  });
  afterEach(() => let_go());
  after(async () => {
    await workspace.close();
    await receiver.close();
  });

  const arrived = (path) => receiver.requests.filter((each) => each.path === path);
  const publish = (slug, how_many) =>
    api.expect(202, 'POST', `/v1/tenants/${slug}/events`, { events: Array.from({ length: how_many }, () => ({ type: 'a', payload: {} })) });
  const refused = async () => {
    const page = await (await fetch(`${daemon.operator_url}/metrics`)).text();
    return Number(/^postrider_attempts_total\{outcome="refused"\} (\d+)/m.exec(page)[1]);
  };
  /** A tenant with an endpoint for each path; each gets every event. */
  const make = async (slug, paths, priorities = []) => {
    await api.create('/v1/tenants', { slug, name: slug });
    for (const [i, path] of paths.entries())
      await api.create(`/v1/tenants/${slug}/endpoints`, { url: receiver.url + path, ...(priorities[i] ? { priority: priorities[i] } : {}) });
  };

  test('endpoints of one tenant that hang leave room for another tenant, and lose nothing', async () => {
    const paths = [1, 2, 3, 4].map((each) => `/hangs/flood/${each}`);
    await make('flood', paths);
    await make('other', ['/other']);
    await publish('flood', 10);
    await until(async () => (await refused()) > 0, { what: 'the flood to have used up its share' });
    await publish('other', 3);
    await until(() => arrived('/other').length === 3, { what: 'the other tenant', deadline_ms: 5_000 });
    const held = paths.flatMap(arrived);
    assert.ok(held.length >= 10 && held.length <= (4 * connections) / 5, `${held.length} hang`);
    let_go();
    await until(() => paths.every((path) => arrived(path).length === 10), { what: 'the flood, once it no longer hangs' });
    for (const each of paths.flatMap(arrived)) assert.equal(each.attempt, 1); // what found no place has used up no attempt
  });

  test('an endpoint of high priority finds room beside one of low priority that was there before', async () => {
    await make('ranks', ['/hangs/low'], ['low']);
    await publish('ranks', 30);
    await until(() => arrived('/hangs/low').length >= 4, { what: 'the low one' });
    await api.create('/v1/tenants/ranks/endpoints', { url: `${receiver.url}/hangs/high`, priority: 'high' });
    await publish('ranks', 30);
    await until(() => arrived('/hangs/high').length >= 4, { what: 'the high one' });
    assert.ok(arrived('/hangs/low').length <= 8, `${arrived('/hangs/low').length} of low priority`); // two fifths
    let_go();
    await until(() => arrived('/hangs/low').length === 60 && arrived('/hangs/high').length === 30, { what: 'all' });
  });
});
