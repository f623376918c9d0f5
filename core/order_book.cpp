#include "core/order_book.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

// ------------------------------------------------------------------------------------------------ chains

bool order_book::add(const delivery_id& delivery, std::string key) {
  forget_expected(key);
  auto& line = chains_[key].line;
  line.push_back(delivery);
  key_of_.insert_or_assign(delivery, std::move(key));
  return line.size() == 1;
}

std::vector<delivery_id> order_book::cut(const delivery_id& delivery) {
  const auto found = key_of_.find(delivery);
  if (found == key_of_.end())
    return {};
  auto& chain = chains_.at(found->second);
  const auto at = std::find(chain.line.begin(), chain.line.end(), delivery);
  if (at == chain.line.end())
    return {}; // it was cut before
  std::vector<delivery_id> behind{std::next(at), chain.line.end()};
  chain.line.erase(at, chain.line.end());
  chain.leaving += static_cast<std::uint32_t>(behind.size()) + 1;
  return behind;
}

void order_book::adopt(const delivery_id& delivery, std::string key) {
  forget_expected(key);
  ++chains_[key].leaving;
  key_of_.insert_or_assign(delivery, std::move(key));
}

std::optional<delivery_id> order_book::left(const delivery_id& delivery, std::optional<wall_time> due, wall_time now) {
  const auto found = key_of_.find(delivery);
  if (found == key_of_.end())
    return std::nullopt;
  const auto key = std::move(found->second);
  key_of_.erase(found);
  const auto it = chains_.find(key);
  auto& chain = it->second;
  if (std::erase(chain.line, delivery) > 0) {
    if (!chain.line.empty())
      return chain.line.front();
  } else {
    --chain.leaving;
    if (due)
      chain.due = chain.due ? std::max(*chain.due, *due) : *due;
  }
  if (chain.line.empty() && chain.leaving == 0) {
    const auto ask_at = chain.due.value_or(now);
    chains_.erase(it);
    expect(key, ask_at);
  }
  return std::nullopt;
}

std::vector<delivery_id> order_book::cut_behind() {
  std::vector<delivery_id> out;
  for (auto& [key, chain] : chains_) {
    if (chain.line.size() < 2)
      continue;
    out.insert(out.end(), std::next(chain.line.begin()), chain.line.end());
    chain.leaving += static_cast<std::uint32_t>(chain.line.size()) - 1;
    chain.line.resize(1);
  }
  return out;
}

// ------------------------------------------------------------------------------------------------ what is asked for

void order_book::forget_expected(const std::string& key) {
  const auto found = expected_.find(key);
  if (found == expected_.end())
    return;
  const auto [first, last] = by_time_.equal_range(found->second);
  by_time_.erase(std::find_if(first, last, [&](const auto& each) { return each.second == key; }));
  expected_.erase(found);
}

void order_book::expect(const std::string& key, wall_time at) {
  if (chains_.contains(key))
    return; // asked for when it ends
  forget_expected(key);
  if (expected_.size() >= keys_max) {
    others_at_ = others_at_ ? std::min(*others_at_, at) : at;
    return;
  }
  expected_.emplace(key, at);
  by_time_.emplace(at, key);
}

void order_book::expect_all(wall_time now) {
  by_time_.clear();
  for (auto& [key, at] : expected_) {
    at = std::min(at, now);
    by_time_.emplace(at, key);
  }
}

void order_book::note_end(bool final) noexcept {
  run_ = final ? std::min(run_max, run_ + 1) : 1;
}

mono_time order_book::round_due(mono_time mono) const {
  if (round_at_)
    return page_not_before_;
  return round_began_ ? *round_began_ + round_every : mono;
}

bool order_book::wants_look(const wall_time& wall, mono_time mono) const {
  const bool wanted = looks_around() || (others_at_ && *others_at_ <= wall);
  return (!by_time_.empty() && by_time_.begin()->first <= wall) || (wanted && round_due(mono) <= mono);
}

std::optional<mono_time> order_book::look_at(const wall_time& wall, mono_time mono) const {
  std::optional<mono_time> at;
  const auto consider = [&](mono_time candidate) { at = at ? std::min(*at, candidate) : candidate; };
  const auto reached = [&](wall_time when) { return when <= wall ? mono : mono + (when - wall); };
  if (!by_time_.empty())
    consider(reached(by_time_.begin()->first));
  if (looks_around())
    consider(round_due(mono));
  if (others_at_)
    consider(std::max(reached(*others_at_), round_due(mono)));
  return at;
}

order_look order_book::look(bool all, wall_time wall, mono_time mono) {
  order_look out;
  out.run = run_;
  if (others_at_ && *others_at_ <= wall) {
    others_at_.reset();
    round_wanted_ = true;
  }
  asked_.clear();
  while (!by_time_.empty() && asked_.size() < wanted_max && (all || by_time_.begin()->first <= wall)) {
    asked_.push_back(by_time_.begin()->second);
    forget_expected(asked_.back());
  }
  out.keys = asked_;
  rounding_ = looks_around() && round_due(mono) <= mono;
  if (rounding_ && !round_at_) {
    round_wanted_ = false;
    round_began_ = mono;
    round_at_.emplace();
  }
  if (rounding_)
    out.from = round_at_;
  out.open_keys.reserve(chains_.size());
  for (const auto& [key, chain] : chains_)
    out.open_keys.push_back(key);
  return out;
}

void order_book::looked(std::optional<std::string> from, bool found, mono_time now) {
  asked_.clear();
  if (!std::exchange(rounding_, false))
    return;
  round_at_ = std::move(from);
  page_not_before_ = found ? now : now + page_every;
}

void order_book::failed(wall_time now) {
  for (const auto& each : std::exchange(asked_, {}))
    expect(each, now);
  if (std::exchange(rounding_, false)) {
    round_at_.reset();
    round_began_.reset();
    round_wanted_ = true;
  }
}

} // namespace postrider
