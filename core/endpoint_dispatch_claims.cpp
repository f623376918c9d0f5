// What comes into memory: when a claim is asked for, of how much and which lanes, and what its answer brings.

#include "core/endpoint_dispatch.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

namespace {

// Ahead of all that can have been written by now, whatever the clocks differ.
constexpr std::chrono::hours whole_backoff{24};

} // namespace

void endpoint_dispatch::claimed(claim_answer answer, const dispatch_now& now, dispatch_effects& out) {
  claiming_ = false;
  note_look(answer, now);
  if (!answer.available) {
    claim_not_before_ = now.mono + claim_retry_delay;
    schedule(now.wall);
  } else if (!answer.owned) {
    if (answer.under == under_)
      suspend(now.mono);
  } else {
    claim_not_before_.reset();
    if (answer.under == under_)
      looked_ = answer.overdue.empty() && !answer.look_on; // else there may be more than a page of them
    due_ = answer.due_by_lane;
    if (answer.next_due && !due_.earliest())
      due_.note(*answer.next_due);
    // A claim that brought nothing although there should be something must not be followed by the same at once.
    const auto missed = due_.earliest_in(claiming_most_);
    const bool told_meanwhile = due_meanwhile_.earliest().has_value();
    due_.merge(due_meanwhile_);
    const auto writes = out.writes.size();
    for (auto& each : answer.claimed) {
      if (!each.place) // what is in order goes by keys
        lanes_.claimed(each.lane);
      if (answer.under == under_)
        hold(each.delivery,
             {.what = std::move(each.what),
              .number = each.number,
              .step = each.step,
              .seed = each.seed,
              .under = answer.under,
              .claimed_until = claimed_until_,
              .lane = each.lane,
              .ordered = each.place.has_value()},
             each.place ? std::optional{std::move(each.place->key)} : std::nullopt, now, out);
    }
    close_overdue(answer.overdue, now, out);
    const bool barren = answer.claimed.empty() && out.writes.size() == writes && !told_meanwhile;
    if (barren && claiming_backoff_ && !(policy_.ordered && book_.looks_around()))
      catch_up_.reset();
    if (barren && !policy_.ordered && missed && (*missed <= now.wall || gate_.state == breaker_state::half_open))
      claim_not_before_ = now.mono + claim_retry_delay;
  }
  due_meanwhile_ = {};
  advance(now, out);
}

void endpoint_dispatch::schedule(wall_time at, std::optional<delivery_lane> lane) {
  due_.note(at, lane);
  if (claiming_)
    due_meanwhile_.note(at, lane);
}

std::optional<wall_time> endpoint_dispatch::backoff_before(const dispatch_now& now) const noexcept {
  if (gate_.state == breaker_state::half_open) // if nothing is due, the oldest in backoff is the probe
    return now.wall + whole_backoff;
  return gate_.state == breaker_state::closed ? catch_up_ : std::nullopt;
}

void endpoint_dispatch::want_claim(const dispatch_now& now, dispatch_effects& out) {
  if (claiming_ || (!due_.earliest() && !catch_up_) || gate_.state == breaker_state::open ||
      is_held(clock_, now.mono) || (claim_not_before_ && now.mono < *claim_not_before_))
    return;
  const auto most = claimable(now);
  const auto next = due_.earliest_in(most);
  const bool due_now = next && *next <= now.wall;
  const auto backoff = backoff_before(now);
  // What waits on backoff is in both of these; if one has no room, its rows are no proof that none is left.
  const bool may_reach_back = most[index_of(delivery_lane::retry)] > 0 && most[index_of(delivery_lane::replay)] > 0;
  // A probe is what is due, if anything is.
  const bool reach_back = backoff && may_reach_back && !(due_now && gate_.state == breaker_state::half_open);
  const auto limit = *std::max_element(most.begin(), most.end());
  if (limit > 0 && (due_now || reach_back))
    ask(most, limit, reach_back ? backoff : std::nullopt, now, out);
}

// Not sent, but not left as if it were under way either: what a former owner had in flight is closed, and waits.
void endpoint_dispatch::look(const dispatch_now& now, dispatch_effects& out) {
  if (*due_.earliest() > now.wall || (claim_not_before_ && now.mono < *claim_not_before_))
    return;
  by_lane<std::uint32_t> all{};
  all.fill(1);
  if (!policy_.ordered)
    return ask(all, 0, std::nullopt, now, out);
  book_.look_around();
  if (book_.wants_look(now.wall, now.mono))
    ask(all, 0, std::nullopt, now, out, book_.look(false, now.wall, now.mono));
}

void endpoint_dispatch::ask(const by_lane<std::uint32_t>& most, std::uint32_t limit,
                            std::optional<wall_time> backoff_before, const dispatch_now& now, dispatch_effects& out,
                            std::optional<order_look> order) {
  claiming_ = true;
  claiming_backoff_ = backoff_before.has_value();
  claiming_most_ = most;
  claimed_until_ = std::max(now.wall + policy_.claim_lasts, claimed_until_ + milliseconds{1});
  out.wanted_claim = dispatch_effects::claim{limit,           backoff_before,     claimed_until_,
                                             due_.earliest(), lanes_.turns(most), std::move(order)};
  out.wanted_claim->late = limit > 0 && is_late(now.wall);
  out.wanted_claim->replays = out.wanted_claim->late && only_replays(now.wall);
}

// Also where something fresh stands behind it: the oldest comes first. A breaker's probes wait for nothing.
bool endpoint_dispatch::is_late(wall_time now) const noexcept {
  const auto due = next_due();
  if (!due || gate_.state != breaker_state::closed)
    return false;
  return catch_up_ || only_replays(now) || *due <= now - late_after;
}

bool endpoint_dispatch::only_replays(wall_time now) const noexcept {
  const auto replay = due_.in(delivery_lane::replay);
  return replay && replay == next_due() && !due_.live_by(now);
}

by_lane<std::uint32_t> endpoint_dispatch::claimable(const dispatch_now& now) const noexcept {
  const auto limit = static_cast<std::uint32_t>(std::min<std::int64_t>(claim_limit(now.mono), fitting(memory_max)));
  by_lane<std::uint32_t> out{};
  out.fill(limit);
  if (!shares_by_lane())
    return out;
  out = lanes_.room(limit, window(), room(), background_due_);
  const auto background = static_cast<std::uint32_t>(std::min<std::int64_t>(limit, fitting(background_memory_max)));
  for (const auto lane : {delivery_lane::retry, delivery_lane::replay})
    out[index_of(lane)] = std::min(out[index_of(lane)], background);
  return out;
}

// How many rows the window, or the breaker, has use for.
std::uint32_t endpoint_dispatch::claim_limit(mono_time now) const noexcept {
  if (gate_.state == breaker_state::half_open) {
    // Requests from before the breaker opened only take up places: a probe does not wait for their end.
    if (gate_.probes_running > 0 || ready() > 0 || sending_ >= window())
      return 0;
    const auto probes = policy_.breaker.probes;
    const auto missing = probes > gate_.probes_succeeded ? probes - gate_.probes_succeeded : 1;
    return node_is_full() ? 0 : std::min({claim_max, missing, window() - sending_});
  }
  if (open_.size() >= room())
    return 0;
  const auto limit = std::min(claim_max, room() - static_cast<std::uint32_t>(open_.size()));
  const auto paid = affordable(now) - static_cast<std::int64_t>(ready());
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(paid, 0, limit));
}

// How many more events fit into so many bytes; one always does, while the bound is not reached.
std::int64_t endpoint_dispatch::fitting(std::int64_t most) const noexcept {
  const auto bytes = std::min(most, static_cast<std::int64_t>(may_hold_.bytes));
  return weight_ >= bytes ? 0 : std::max<std::int64_t>((bytes - weight_) / typical_, 1);
}

std::uint32_t endpoint_dispatch::room() const noexcept {
  const auto own = std::min(room_max, 2 * window() + std::max(last_slice_, slice_count_));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(own, may_hold_.rows));
}

bool endpoint_dispatch::node_is_full() const noexcept {
  return open_.size() >= may_hold_.rows || static_cast<std::uint64_t>(weight_) >= may_hold_.bytes;
}

std::int64_t endpoint_dispatch::lendable(std::int64_t taken, mono_time now) const noexcept {
  if (!may_send() || policy_.ordered || gate_.state != breaker_state::closed || is_held(clock_, now))
    return 0;
  const auto whole = static_cast<std::int64_t>(room());
  const auto open = static_cast<std::int64_t>(open_.size());
  const auto all = live_due_         ? whole / 2 - open // those that wait come first
                   : background_due_ ? std::min(whole / 2 - lanes_.held_live(), whole - open)
                                     : whole - open;
  const auto paid = affordable(now) - static_cast<std::int64_t>(ready());
  return std::max<std::int64_t>(0, std::min({all, fitting(memory_max), paid}) - taken);
}

} // namespace postrider
