// The demonstration is what a newcomer runs first: it has to work, and to leave nothing behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { is_alive, program } from './support/daemon.mjs';
import { until } from './support/until.mjs';

const demo = join(dirname(fileURLToPath(import.meta.url)), '../../examples/demo/demo.py');

/** Runs the demonstration with the program under test; installing and building are scripts/demo's part. */
function run_demo(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', ['-B', demo, '--program', program(), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    const timer = setTimeout(() => child.kill('SIGTERM'), 120_000);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    });
  });
}

const left_behind = () => readdirSync(tmpdir()).filter((name) => name.startsWith('postrider-demo-'));

test('shows three providers, six deliveries with valid signatures, three retries, the actors and a history', async () => {
  const before = left_behind();
  const { status, stdout, stderr } = await run_demo();
  assert.equal(status, 0, stdout + stderr);
  for (const provider of ['github', 'stripe', 'standard-webhooks']) assert.match(stdout, new RegExp(`${provider} +200 evt_`));
  assert.match(stdout, /forged +401 signature-mismatch/);
  assert.equal(stdout.match(/signature valid/g).length, 9);
  assert.ok(!stdout.includes('INVALID'));
  assert.equal(stdout.match(/answered 500/g).length, 3);
  for (const kind of ['node', 'tenant_supervisor', 'provider_verifier', 'delivery']) assert.match(stdout, new RegExp(` ${kind} `));
  assert.match(stdout, /explain: \S/);
  assert.deepEqual(left_behind(), before);
});

test('--keep leaves the node running and says how to reach and stop it', async () => {
  const { status, stdout, stderr } = await run_demo('--keep');
  assert.equal(status, 0, stdout + stderr);
  const pid = Number(stdout.match(/stop it with +kill (\d+)/)[1]);
  try {
    assert.ok(is_alive(pid));
    const operator = stdout.match(/operator +(http:\S+)\n/)[1];
    const key = stdout.match(/operator key +(prk_\S+)/)[1];
    const answer = await fetch(`${operator}/actors`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal(answer.status, 200);
  } finally {
    process.kill(pid, 'SIGTERM');
  }
  await until(() => !is_alive(pid), { deadline_ms: 40_000, what: 'its end on SIGTERM' });
});
