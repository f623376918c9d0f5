// Waiting for a condition, with a deadline: the only way in which these tests wait.
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks `condition` again and again until it gives something truthy, and returns that. An exception counts as "not yet"; the
 * last one is told when the deadline passes.
 */
export async function until(condition, { deadline_ms = 30_000, every_ms = 20, what = 'the condition' } = {}) {
  const end = performance.now() + deadline_ms;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) throw new Error(`${what}: not within ${deadline_ms} ms`, { cause: last });
    await pause(every_ms);
  }
}

/** The promise's value, or an error once the deadline has passed. */
export async function within(promise, deadline_ms, what) {
  const late = new AbortController();
  try {
    return await Promise.race([
      promise,
      pause(deadline_ms, undefined, { signal: late.signal }).then(() => {
        throw new Error(`${what}: not within ${deadline_ms} ms`);
      }),
    ]);
  } finally {
    late.abort();
  }
}

/** Runs `work(item, index)` for each item, `width` of them at a time. */
export async function in_parallel(items, width, work) {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}
