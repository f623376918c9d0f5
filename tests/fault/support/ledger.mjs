// The books: what must hold between the database and what the endpoint saw (design.md section 3, I2, I4, I6, I14).

const states = ['pending', 'in_flight', 'retry_wait', 'succeeded', 'dead', 'cancelled'];
const [succeeded, failed, interrupted] = [1, 2, 3]; // attempt.outcome
const timeout = 11; // attempt.reason
const shown_max = 10;

/** I2, one endpoint: each event has exactly one delivery. */
const deliveries_sql = `
  select e.id, count(d.id) from event e left join delivery d on d.event_id = e.id group by e.id having count(d.id) <> 1`;

/** I4: the attempts of a delivery that has ended are numbered from 1 to its count. */
const numbering_sql = `
  select d.id, d.attempt_count, a.count, a.least, a.greatest from delivery d
  cross join lateral (select count(*), min(number) as least, max(number) as greatest from delivery_attempt where delivery_id = d.id) a
  where d.state >= 3 and (a.count <> d.attempt_count or (a.count > 0 and (a.least <> 1 or a.greatest <> a.count)))`;

/** I14, in one snapshot: what the counters say, and what there is. */
const accounting_sql = `
  with counted as (
    select coalesce(sum(accepted), 0) as accepted, ${states.map((state) => `coalesce(sum(${state}), 0) as ${state}`).join(', ')} from tenant_counter
  ), there as (
    select count(*) as accepted, ${states.map((state, number) => `count(*) filter (where state = ${number}) as ${state}`).join(', ')} from delivery
  )
  select counted::text, there::text from counted, there where counted::text <> there::text`;

const attempts_sql = 'select d.event_id, a.number, a.outcome, a.reason from delivery_attempt a join delivery d on d.id = a.delivery_id';

/** Everything that is wrong, in words; nothing: all is well. For when nothing is in flight. */
export async function find_breaches(postgres, sink) {
  const breaches = [];
  for (const row of await postgres.sql(deliveries_sql)) breaches.push(`event ${row[0]} has ${row[1]} deliveries`);
  for (const row of await postgres.sql(numbering_sql))
    breaches.push(`delivery ${row[0]} counts ${row[1]} attempts and has ${row[2]} rows, ${row[3]} to ${row[4]}`);
  for (const row of await postgres.sql(accounting_sql)) breaches.push(`the counters say ${row[0]}, there are ${row[1]}`);

  const attempts = new Map(); // "event id/number" to what its row says
  for (const [event, number, outcome, reason] of await postgres.sql(attempts_sql))
    attempts.set(`evt_${event}/${number}`, { event: `evt_${event}`, outcome: Number(outcome), reason: Number(reason) });
  const seen = new Map(); // the same key, to how often the endpoint saw it and whether it answered 2xx
  for (const { webhook_id, attempt, status } of sink.requests) {
    const key = `${webhook_id}/${attempt}`;
    const before = seen.get(key) ?? { count: 0, answered: false };
    seen.set(key, { count: before.count + 1, answered: before.answered || (status >= 200 && status < 300) });
  }
  for (const [key, { count }] of seen) {
    if (!attempts.has(key)) breaches.push(`the endpoint saw attempt ${key}, which has no row`);
    if (count > 1) breaches.push(`the endpoint saw attempt ${key} ${count} times`);
  }
  // I6: what came twice had an attempt before whose end nobody heard: a crash, a take-over or a time-out cut it short.
  const cut_short = new Map();
  for (const [key, { event, outcome, reason }] of attempts) {
    const answered = seen.get(key)?.answered ?? false;
    if (outcome === interrupted || reason === timeout) cut_short.set(event, (cut_short.get(event) ?? 0) + 1);
    if (outcome === succeeded && !answered) breaches.push(`attempt ${key} counts as succeeded, and the endpoint never answered 2xx`);
    if (outcome === failed && reason !== timeout && answered) breaches.push(`attempt ${key} was answered 2xx and failed by reason ${reason}`);
  }
  for (const [event, count] of sink.successes())
    if (count > 1 + (cut_short.get(event) ?? 0)) breaches.push(`event ${event} was delivered ${count} times, cut short ${cut_short.get(event) ?? 0} times`);
  return breaches.slice(0, shown_max);
}
