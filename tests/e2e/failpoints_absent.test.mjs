// A program to be given away cannot be told to fail: the failpoints of the tests (core/failpoint.hpp) are not in it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { program, run } from './support/daemon.mjs';

test('the program knows nothing of failpoints', async () => {
  const { status, stderr } = await run(['version'], { env: { POSTRIDER_FAILPOINTS: 'none.such=kill' } });
  assert.equal(status, 0, stderr);
  assert.ok(!readFileSync(program()).includes('POSTRIDER_FAILPOINTS'), 'the word that arms them is in the program');
});
