// A database that is there and answers nothing: no call may hang on it for ever.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Api } from './support/api.mjs';
import { Daemon, readiness, Workspace } from './support/daemon.mjs';
import { until } from './support/until.mjs';

describe('a database that accepts and never answers', () => {
  let workspace, daemon;
  before(() => (workspace = new Workspace()));
  after(async () => {
    if (workspace.postmaster()) workspace.signal_database('SIGCONT');
    await daemon?.kill();
    await workspace.close();
  });

  test('not ready within 5 seconds, /actors still answers, and SIGTERM ends the node all the same', async () => {
    const other = await workspace.start({ node: 'bringer' });
    const key = await workspace.operator_key();
    await other.kill(); // its PostgreSQL stays
    const flags = ['--database-url', workspace.database_url, '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0', '--node', 'bringer', '--dev'];
    daemon = await Daemon.start(flags, { env: { ...Workspace.environment, POSTRIDER_SHUTDOWN__DRAIN_MS: '5000' } });
    await until(async () => (await readiness(daemon)).status === 200, { what: 'readiness' });
    const actors = async () => (await new Api(daemon.operator_url, key).ask('GET', '/actors')).status;
    assert.equal(await actors(), 200);

    workspace.signal_database('SIGSTOP');
    await until(async () => (await readiness(daemon)).status === 503, { deadline_ms: 5_000, what: '503 of /readyz' });
    assert.equal((await fetch(`${daemon.operator_url}/healthz`)).status, 200);
    await until(async () => (await actors()) === 200, { deadline_ms: 15_000, what: 'the actors' });
    daemon.send('SIGTERM');
    assert.equal((await daemon.end(20_000)).status, 0, daemon.stderr); // 5.1 s and a margin for a busy machine
  });
});
