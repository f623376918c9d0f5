// The failpoints of core/failpoint.hpp, as the program under test knows them.
import { run } from '../../e2e/support/daemon.mjs';

/** Their names. The program must have been built with them. */
export async function known_failpoints() {
  const { status, stderr } = await run(['version'], { env: { POSTRIDER_FAILPOINTS: 'list=kill' } });
  const known = /; known: (.*)$/m.exec(stderr);
  if (status !== 2 || !known) throw new Error('this program has no failpoints: build it with -DPOSTRIDER_FAILPOINTS=ON');
  return known[1].split(', ');
}

/** What the failpoints of that daemon have done: `{ failpoint, action, hit }` each. */
export function acted(daemon) {
  return daemon.logs().filter((line) => line.failpoint);
}
