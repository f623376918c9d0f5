// One tenant with one source and one endpoint on a PostgreSQL of its own; a provider that remembers what was acknowledged;
// and the count at the end: acknowledged, delivered, lost, duplicated.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Api } from '../../e2e/support/api.mjs';
import { Daemon, readiness, run } from '../../e2e/support/daemon.mjs';
import { github_headers } from '../../e2e/support/github.mjs';
import { in_parallel, until } from '../../e2e/support/until.mjs';
import { find_breaches } from './ledger.mjs';
import { Postgres } from './postgres.mjs';
import { Sink } from './sink.mjs';

const source_secret = 'the secret of the source';

/** Retries come soon, and the breaker stays out of it. */
const quick_endpoint = {
  timeout_ms: 10_000, // an attempt that is cut short by it may come twice: more than any that these machines need
  retry: { base_ms: 100, factor: 1.5, max_ms: 500, max_attempts: 60 },
  breaker: { failures: 1_000, failure_rate: 1, min_requests: 10_000 },
};

export class Scenario {
  postgres;
  sink;
  daemon;
  /** Provider's id to event id: what was answered 200. */
  acknowledged = new Map();
  #ingest_path;
  #key;
  #reckoned = {};

  /** The daemon runs when this returns. `endpoint`: more of its fields; `url`: of an endpoint other than the sink. */
  static async start({ script, endpoint = {}, url } = {}) {
    const scenario = new Scenario();
    try {
      [scenario.postgres, scenario.sink] = await Promise.all([Postgres.start(), Sink.start(script)]);
      await scenario.start_daemon();
      await scenario.#configure({ ...quick_endpoint, ...endpoint }, url ?? scenario.sink.url);
      return scenario;
    } catch (error) {
      await scenario.close();
      throw error;
    }
  }

  async #configure(endpoint, url) {
    const made = await run(['keys', 'create', '--role', 'operator', '--name', 'fault', '-o', 'json', '--database-url', this.postgres.url]);
    assert.equal(made.status, 0, made.stderr);
    this.#key = JSON.parse(made.stdout).key;
    const tenant = await this.api.tenant_with_endpoint('acme', { source_secret, url, endpoint });
    this.#ingest_path = tenant.ingest_path;
  }

  get api() {
    return new Api(this.daemon.operator_url, this.#key);
  }

  get #flags() {
    return ['--database-url', this.postgres.url, '--public', '127.0.0.1:0', '--operator', '127.0.0.1:0', '--node', 'n1', '--dev'];
  }

  #environment(failpoints, env) {
    return {
      POSTRIDER_SHUTDOWN__LINGER_MS: '200',
      POSTRIDER_FAILPOINTS: failpoints,
      ASAN_OPTIONS: 'quarantine_size_mb=16', // what is freed is kept; a little is enough to find what is used after
      LSAN_OPTIONS: `print_suppressions=0:suppressions=${fileURLToPath(new URL('lsan_suppressions.txt', import.meta.url))}`,
      ...env,
    };
  }
  /** A daemon on the same database. `failpoints`: what is armed in it; nothing else arms any. */
  async start_daemon({ failpoints = '', env = {} } = {}) {
    this.daemon = await Daemon.start(this.#flags, { env: this.#environment(failpoints, env) });
  }
  /** One that is not expected to become ready. */
  start_doomed(failpoints) {
    this.daemon = new Daemon(this.#flags, this.#environment(failpoints, {}));
    return this.daemon;
  }

  async ready() {
    await until(async () => (await readiness(this.daemon)).status === 200, { what: 'readiness' });
  }

  /** One webhook; `{ status, body, retry_after }`. What is answered 200 is remembered. Throws where no answer came. */
  async post(id, body = JSON.stringify({ id })) {
    const response = await fetch(this.daemon.public_url + this.#ingest_path, {
      method: 'POST',
      headers: github_headers(source_secret, body, { id }),
      body,
      signal: AbortSignal.timeout(10_000), // the contract's 6 s, and a margin for a busy machine
    });
    const answer = { status: response.status, body: await response.json(), retry_after: response.headers.get('retry-after') };
    if (answer.status === 200) this.acknowledged.set(id, answer.body.event_id);
    return answer;
  }

  /** Tries to send webhooks with these ids, each once, and returns the ids that were not acknowledged. */
  async send(ids, { width = 8 } = {}) {
    const left = [];
    await in_parallel(ids, width, async (id) => {
      const answer = await this.post(id).catch(() => null); // no answer: the daemon died
      if (answer?.status !== 200) left.push(id);
    });
    return left;
  }

  /** As a provider does: what is not acknowledged is sent again, with the same id. */
  async send_until_acknowledged(ids, { width = 8, deadline_ms = 60_000 } = {}) {
    await in_parallel(ids, width, (id) =>
      until(async () => (await this.post(id)).status === 200, { deadline_ms, every_ms: 50, what: `the acknowledgement of ${id}` }),
    );
  }

  /** How many deliveries the database shows in flight; asked while no daemon runs. */
  async in_flight() {
    return Number((await this.postgres.sql('select count(*) from delivery where state = 1'))[0][0]);
  }

  /** Waits until all that was acknowledged is delivered and nothing is live any more. */
  async settle({ deadline_ms = 30_000 } = {}) {
    const live = async () => Number((await this.postgres.sql('select count(*) from delivery where state < 3'))[0][0]);
    const missing = () => {
      const successes = this.sink.successes();
      return [...this.acknowledged.values()].filter((id) => !successes.has(id)).length;
    };
    try {
      await until(async () => missing() === 0 && (await live()) === 0, { deadline_ms, every_ms: 50, what: 'the end of every delivery' });
    } catch (error) {
      const rows = await this.postgres.sql(
        `select event_id, state, fence, attempt_count, next_attempt_at - now(), now() - updated_at from delivery where state < 3 limit 10`,
      );
      const shown = rows.map((row) => `\n  ${row.join(' ')}`).join('');
      throw new Error(
        `${error.message}: ${missing()} acknowledged and not delivered, ${await live()} live (event, state, fence, attempts, due in, age):${shown}\n` +
          this.daemon.stderr.slice(-4_000),
        { cause: error },
      );
    }
  }

  /**
   * The count of what came since the last one, printed by `t`. Nothing is lost; at most `duplicates_max` requests came to an
   * event that had been delivered, each of them after an attempt that was cut short; and the books are right. To be called
   * once all has settled.
   */
  async reckon(t, what, { duplicates_max }) {
    const successes = this.sink.successes();
    const events = [...this.acknowledged.values()];
    const lost = events.filter((id) => !successes.has(id));
    const sum = {
      acknowledged: events.length,
      delivered: successes.size,
      lost: lost.length,
      duplicated: [...successes.values()].reduce((total, count) => total + count - 1, 0),
    };
    const since = Object.fromEntries(Object.entries(sum).map(([key, count]) => [key, count - (this.#reckoned[key] ?? 0)]));
    this.#reckoned = sum;
    t.diagnostic(`${what}: ${Object.entries(since).map((entry) => entry.join('=')).join(' ')}`);
    assert.deepEqual(lost, [], 'acknowledged and never delivered');
    assert.deepEqual(await find_breaches(this.postgres, this.sink), []);
    assert.ok(since.duplicated <= duplicates_max, `${since.duplicated} duplicates, ${duplicates_max} were in flight`);
  }

  async close() {
    if (this.daemon && !this.daemon.ended) await this.daemon.kill();
    await this.sink?.close();
    await this.postgres?.close();
  }
}

/** A provider that goes on sending, each webhook once, until it is told to stop. */
export class Load {
  /** `{ id, status, retry_after }` of each that was answered; the status is null where no answer came. */
  answers = [];
  #running = true;
  #lanes;

  constructor(scenario, { width = 4 } = {}) {
    const lane = async () => {
      while (this.#running) {
        const id = randomUUID();
        const answer = await scenario.post(id).catch(() => ({ status: null }));
        this.answers.push({ id, ...answer });
        await pause(5); // its rate, not a wait: a refusal that comes at once must not be asked for in a tight loop
      }
    };
    this.#lanes = Array.from({ length: width }, lane);
  }

  /** Once `count` more have been answered. */
  async answered(count) {
    const wanted = this.answers.length + count;
    await until(() => this.answers.length >= wanted, { what: `${count} more answers` });
  }

  /** Ends it; the ids that were not acknowledged. */
  async stop() {
    this.#running = false;
    await Promise.all(this.#lanes);
    return this.answers.filter(({ status }) => status !== 200).map(({ id }) => id);
  }
}

/** A script of the sink: every second event is refused at first, so that there are claims. */
export function refuses_some({ webhook_id, nth }) {
  return nth === 1 && Number.parseInt(webhook_id.at(-1), 16) % 2 === 0 ? 500 : 200;
}

/** Fresh ids of a provider. */
export function provider_ids(count) {
  return Array.from({ length: count }, () => randomUUID());
}
