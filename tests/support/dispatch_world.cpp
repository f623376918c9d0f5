#include "tests/support/dispatch_world.hpp"

#include "tests/support/claim_choice.hpp"
#include "tests/support/dispatch_bench.hpp"

#include <algorithm>
#include <stdexcept>

namespace postrider::test {

using namespace std::chrono_literals;

namespace {

constexpr milliseconds endpoint_timeout = 2s;

dispatch_policy policy_of(std::mt19937_64& random, std::uint32_t order_keys) {
  dispatch_policy policy;
  policy.ordered = order_keys > 0;
  policy.one_key = order_keys == 1;
  policy.attempt_lasts = endpoint_timeout;
  policy.max_in_flight = 1 + static_cast<std::uint32_t>(random() % 8);
  policy.claim_lasts = 20s;
  policy.retry = {.schedule = {}, .base = 200ms, .factor = 2, .delay_max = 3s, .attempts_max = 200};
  policy.breaker = {.failures = 1 + static_cast<std::uint32_t>(random() % 5),
                    .min_requests = 10,
                    .window = 10s,
                    .cool_down = 100ms,
                    .cool_down_max = 2s,
                    .probes = 1 + static_cast<std::uint32_t>(random() % 3),
                    .probe_timeout = 5s};
  return policy;
}

} // namespace

dispatch_world::dispatch_world(conditions given)
    : given_{given}, random_{given.seed}, policy_{policy_of(random_, given.order_keys)}, dispatch_{policy_} {}

void dispatch_world::fail(const std::string& what) const {
  throw std::logic_error("seed " + std::to_string(given_.seed) + (given_.outages ? ", outages" : "") +
                         (given_.lease_moves ? ", lease moves" : "") + (given_.lease_blips ? ", lease blips" : "") +
                         (given_.due_poll ? ", poll" : "") +
                         (given_.order_keys > 0 ? ", keys " + std::to_string(given_.order_keys) : "") + ": " + what);
}

void dispatch_world::later(milliseconds in, std::function<void()> what) {
  agenda_.emplace(std::pair{mono_ + in, ++sequence_}, std::move(what));
}

void dispatch_world::pass_to(mono_time at) {
  if (at <= mono_)
    return;
  wall_ += std::chrono::ceil<milliseconds>(at - mono_);
  mono_ += std::chrono::ceil<milliseconds>(at - mono_);
  timers_now_ = 0;
}

void dispatch_world::run() {
  dispatch_.own(lease_, now(), out_);
  perform();
  new_event();
  later(1s, [this] { change_weather(); });
  if (given_.due_poll)
    later(1s, [this] { poll(); });
  if (given_.lease_moves || given_.lease_blips)
    later(milliseconds{below(5'000)}, [this] { lose_lease(); });
  const auto end = mono_ + 1h;
  while (!(over_ && all_final() && dispatch_.idle())) {
    const auto wake = dispatch_.wake_at(now());
    require(!agenda_.empty() || wake, "an orphan: nothing is on its way and no timer is set");
    if (wake && (agenda_.empty() || *wake <= agenda_.begin()->first.first)) {
      pass_to(*wake);
      require(++timers_now_ < 3, "a busy loop: the timer goes off again and again at one time");
      dispatch_.timer(now(), out_);
    } else {
      const auto first = agenda_.begin();
      pass_to(first->first.first);
      const auto what = std::move(first->second);
      agenda_.erase(first);
      what();
    }
    perform();
    check();
    require(mono_ < end, "not over after an hour");
  }
  for (const auto& [id, each] : rows_) {
    require(each.recorded.size() == each.attempt_count, "the attempts' rows are not 1..n");
    require(each.recorded.empty() || (*each.recorded.begin() == 1 && *each.recorded.rbegin() == each.attempt_count),
            "the attempts' numbers are not 1..n");
    require(std::includes(each.recorded.begin(), each.recorded.end(), each.sent.begin(), each.sent.end()),
            "the endpoint saw a request that has no row");
  }
}

// ---------------------------------------------------------------------------------------------- what happens

void dispatch_world::new_event() {
  const auto id = dispatch_bench::id(++made_);
  const bool ride = !away_ && lent_ > 0;
  const auto under = dispatch_.under();
  lent_ -= ride ? 1 : 0;
  taken_ += ride ? 1 : 0;
  later(milliseconds{below(20)}, [this, id, ride, under] {
    auto& made = rows_[id];
    made.seed = static_cast<std::uint32_t>(below(1'000'000));
    made.changed = wall_;
    const auto dice = below(6); // most are the endpoint's own, some published with a priority, some replayed
    made.lane = dice < 3 ? delivery_lane::live_medium : all_lanes[std::array<std::size_t, 3>{0, 2, 4}[dice - 3]];
    const bool rides = ride && under == lease_ && lease_ != 0;
    taken_ -= ride ? 1 : 0;
    if (rides) {
      made.lane = delivery_lane::live_medium;
      move(made, delivery_input::claim);
      made.attempt_count = 1;
      made.under = under;
      on_their_way_.insert(id);
      ++seen_.rides;
    } else {
      made.due = wall_;
    }
    if (given_.order_keys > 0) {
      made.place = order_place{++last_no_, given_.order_keys == 1 ? "" : std::to_string(below(given_.order_keys))};
      made.lane = delivery_lane::in_order;
    }
    later(milliseconds{below(30)}, [this, id, rides, under] {
      if (rides) {
        on_their_way_.erase(id);
        dispatch_.committed({{id, dispatch_bench::event_of(100), rows_[id].seed, under}}, now(), out_);
      } else {
        tell_of(id);
      }
    });
  });
  if (made_ < given_.events)
    later(milliseconds{below(3) == 0 ? 0 : below(400)}, [this] { new_event(); });
  else
    later(1s, [this] {
      over_ = true;
      away_ = false;
      weather_ = health::good;
      take_lease();
    });
}

void dispatch_world::change_weather() {
  if (over_)
    return;
  const auto dice = below(10);
  weather_ = dice < 5 ? health::good : dice < 8 ? health::failing : health::hanging;
  away_ = given_.outages && below(4) == 0;
  later(milliseconds{200 + below(3'000)}, [this] { change_weather(); });
}

void dispatch_world::lose_lease() {
  if (over_)
    return;
  suspended_ = true;
  moves_ = given_.lease_moves && (!given_.lease_blips || below(2) == 0);
  returning_ = moves_ ? next_fence_++ : lease_;
  if (moves_ || below(2) == 0) // else only the lease's connection is lost, not the lease
    lease_ = 0;
  later(milliseconds{below(50)}, [this] {
    if (suspended_) // else the later news has come first
      dispatch_.own(0, now(), out_);
  });
  later(milliseconds{below(4'000)}, [this] { take_lease(); });
}

void dispatch_world::take_lease() {
  if (!std::exchange(suspended_, false))
    return;
  seen_.kept += dispatch_.under() == 0 && !moves_ ? dispatch_.ready() : 0;
  lease_ = returning_;
  for (auto& [id, each] : rows_) // the sweep of a take-over
    if (each.state == delivery_state::in_flight && each.under != lease_ && !(each.place && each.due > wall_))
      interrupt(each); // in order: only past its deadline
  dispatch_.own(lease_, now(), out_);
  later(milliseconds{500 + below(8'000)}, [this] { lose_lease(); });
}

void dispatch_world::interrupt(row& each) {
  move(each, delivery_input::interrupt);
  each.due = wall_;
  each.changed = wall_;
  each.recorded.insert(each.attempt_count);
  ++seen_.interrupted;
}

void dispatch_world::move(row& each, delivery_input input) {
  const auto to = next_state(each.state, input);
  require(to.has_value(), "a change of state that the table refuses");
  each.state = *to;
}

void dispatch_world::poll() {
  later(1s, [this] { poll(); });
  if (away_ || lease_ == 0)
    return;
  std::optional<wall_time> first;
  for (auto& [id, each] : rows_) {
    if (each.state == delivery_state::in_flight && !each.due && each.under == lease_ && wall_ - each.changed > 60s)
      each.due = wall_; // a ride that is open for long is shown to its actor
    if (each.due && (!first || *each.due < *first))
      first = each.due;
  }
  if (first && *first <= wall_)
    dispatch_.due(*first, now(), out_);
}

// ---------------------------------------------------------------------------------------------- what is wanted

void dispatch_world::perform() {
  while (!out_.starts.empty() || !out_.writes.empty() || out_.wanted_claim || out_.breaker_changed) {
    const auto effects = std::exchange(out_, {});
    seen_.opened += effects.breaker_changed && dispatch_.gate().state == breaker_state::open ? 1 : 0;
    for (const auto& each : effects.starts)
      start(each);
    if (!effects.writes.empty())
      write(effects.writes);
    if (effects.wanted_claim)
      claim(*effects.wanted_claim, dispatch_.under());
  }
  lent_ = dispatch_.lendable(taken_, mono_);
}

void dispatch_world::start(const dispatch_effects::start& each) {
  ++seen_.starts;
  require(dispatch_.under() != 0, "sent without the shard");
  auto& found = rows_.at(each.delivery);
  require(dispatch_.gate().state != breaker_state::open || each.breaker_epoch != dispatch_.gate().epoch,
          "sent while open");
  if (dispatch_.gate().state == breaker_state::half_open) {
    ++seen_.probes;
    require(dispatch_.gate().probes_running <= policy_.breaker.probes, "more probes than allowed");
  }
  require(running_.emplace(each.delivery, each.number).second, "the same delivery is sent twice at once");
  if (!is_live(found.lane) && dispatch_.gate().state == breaker_state::closed)
    require(running_in_background() <= dispatch_.window() - dispatch_.window() / 4,
            "retries and replays have more than their part of the window");
  if (found.under == dispatch_.under()) { // else it was taken over in this moment
    require(found.state == delivery_state::in_flight, "sent, but its row is not in flight");
    require(found.attempt_count == each.number, "sent under a number that is not the counted one");
  }
  if (found.place)
    check_turn(each.delivery, found);
  require(found.sent.insert(each.number).second, "one number was sent twice");
  const auto takes = weather_ == health::hanging && !over_ ? endpoint_timeout : milliseconds{1 + below(200)};
  later(takes, [this, each] { answer(each); });
}

void dispatch_world::answer(const dispatch_effects::start& each) {
  running_.erase(each.delivery);
  attempt_facts facts;
  if (weather_ == health::good)
    facts.http_status = 204;
  else if (weather_ == health::failing)
    facts.http_status = below(5) == 0 ? 302 : 503;
  else
    facts.failure = attempt_reason::timeout;
  const finished_attempt result{each.delivery, each.number, each.breaker_epoch, facts, true};
  dispatch_.finished({&result, 1}, now(), out_);
}

void dispatch_world::write(std::vector<dispatch_effects::write> batch) {
  for (const auto& each : batch)
    seen_.releases += each.uncount ? 1 : 0;
  unwritten_.push_back(std::move(batch));
  writer_free_ = std::max(writer_free_, mono_) + milliseconds{below(30)};
  later(std::chrono::ceil<milliseconds>(writer_free_ - mono_), [this] { write_front(); });
}

void dispatch_world::write_front() {
  const auto again = [this] { later(50ms, [this] { write_front(); }); };
  if (away_) // kept, in order, and written when the database is back
    return again();
  std::vector<recorded_write> answers;
  for (const auto& each : unwritten_.front())
    answers.push_back(execute(each));
  if (given_.outages && below(6) == 0) { // committed, but the connection was lost before the answer
    ++seen_.written_again;
    return again();
  }
  unwritten_.pop_front();
  word_free_ = std::max(word_free_, mono_) + milliseconds{below(10)};
  later(std::chrono::ceil<milliseconds>(word_free_ - mono_),
        [this, answers = std::move(answers)] { dispatch_.recorded(answers, now(), out_); });
}

recorded_write dispatch_world::execute(const dispatch_effects::write& each) {
  auto& found = rows_.at(each.delivery);
  const bool already =
    found.state == each.to && found.under == each.under && found.attempt_count == each.number - (each.uncount ? 1 : 0);
  if (hits(each, found) || already)
    return {each.delivery, each.ticket, true, {}};
  return {each.delivery, each.ticket, false, recorded_write::row{found.state, found.under}};
}

bool dispatch_world::hits(const dispatch_effects::write& each, row& found) {
  if (found.state != delivery_state::in_flight || found.under != each.under || found.attempt_count != each.number ||
      (each.uncount && found.due != each.claimed_until))
    return false;
  const bool live = each.to == delivery_state::pending || each.to == delivery_state::retry_wait;
  require(live == each.next_attempt_at.has_value(), "a live row without a due time, or a final one with it");
  move(found, each.uncount                                   ? delivery_input::release
              : each.outcome == attempt_outcome::interrupted ? delivery_input::interrupt
              : each.outcome == attempt_outcome::succeeded   ? delivery_input::succeed
              : each.to == delivery_state::dead              ? delivery_input::give_up
                                                             : delivery_input::fail);
  require(found.state == each.to, "a write to another state than its input leads to");
  if (!each.uncount && each.outcome == attempt_outcome::failed)
    found.lane = lane_after_failure(found.lane);
  found.step = each.step;
  found.due = each.next_attempt_at;
  found.changed = wall_;
  if (each.uncount) {
    require(!found.sent.contains(each.number), "an attempt that was sent is uncounted");
    --found.attempt_count;
  } else {
    require(found.recorded.insert(each.number).second, "an attempt's row is written twice");
    seen_.interrupted += each.outcome == attempt_outcome::interrupted ? 1 : 0;
  }
  seen_.dead += each.to == delivery_state::dead ? 1 : 0;
  return true;
}

void dispatch_world::claim(dispatch_effects::claim wanted, fence under) {
  ++seen_.claims;
  require(under != 0 && (wanted.limit > 0 || wanted.order) && wanted.limit <= endpoint_dispatch::claim_max,
          "a claim out of its bounds");
  later(milliseconds{below(20)}, [this, wanted, under] {
    auto answer = std::make_shared<claim_answer>(execute(wanted, under));
    later(milliseconds{below(20)}, [this, answer] { dispatch_.claimed(std::move(*answer), now(), out_); });
  });
}

claim_answer dispatch_world::execute(dispatch_effects::claim wanted, fence under) {
  claim_answer answer;
  answer.under = under;
  answer.available = !away_;
  answer.owned = lease_ == under;
  if (!answer.available || !answer.owned)
    return answer;
  if (wanted.order)
    execute_in_order(wanted, under, answer);
  std::vector<std::pair<wall_time, delivery_id>> scheduled;
  for (const auto& [id, each] : rows_) {
    if (!each.due || (wanted.order && each.place))
      continue;
    if (each.state != delivery_state::in_flight)
      scheduled.emplace_back(*each.due, id);
    else if (*each.due <= wall_)
      answer.overdue.push_back({id, each.under, each.attempt_count, each.step, {}});
  }
  std::sort(scheduled.begin(), scheduled.end());
  by_lane<std::vector<delivery_id>> reached;
  for (const auto& [at, id] : scheduled) {
    const auto& each = rows_.at(id);
    if (at <= wall_ ||
        (wanted.backoff_before && each.state == delivery_state::retry_wait && each.changed < *wanted.backoff_before))
      reached[index_of(each.lane)].push_back(id);
  }
  for (const auto& id : choose_by_turns(reached, wanted.turns, wanted.limit)) {
    auto& each = rows_.at(id);
    answer.claimed.push_back(take(id, wanted, under));
    ++seen_.by_lane[index_of(each.lane)];
  }
  for (const auto& [at, id] : scheduled)
    if (const auto& each = rows_.at(id); each.state != delivery_state::in_flight)
      answer.due_by_lane.note(at, each.lane);
  answer.next_due = answer.due_by_lane.earliest();
  return answer;
}

// ---------------------------------------------------------------------------------------------- what must hold

void dispatch_world::check() {
  require(dispatch_.sending() <= policy_.max_in_flight, "more are sent at once than the window allows");
  require(dispatch_.open() <= dispatch_.room() + endpoint_dispatch::claim_max, "more is held than there is room for");
  if (dispatch_.gate().state == breaker_state::open)
    require(dispatch_.ready() == 0 && dispatch_.lendable(0, mono_) == 0, "open, but something is ready or lent");
  if (dispatch_.under() == 0)
    require(dispatch_.lendable(0, mono_) == 0, "not owned, but something is lent");
}

std::uint32_t dispatch_world::running_in_background() const {
  return static_cast<std::uint32_t>(std::count_if(
    running_.begin(), running_.end(), [this](const auto& each) { return !is_live(rows_.at(each.first).lane); }));
}

bool dispatch_world::all_final() const {
  return made_ >= given_.events && rows_.size() == made_ && unwritten_.empty() &&
         std::all_of(rows_.begin(), rows_.end(), [](const auto& each) { return is_final(each.second.state); });
}

} // namespace postrider::test
