#pragma once

#include "core/time.hpp"

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace postrider {

/// Deadlines of many things by one coarse timer: arming and disarming cost a few instructions and no memory. Not
/// thread-safe. A deadline is told of at the first advance() that is later, so up to one tick late and never early.
class deadline_wheel {
public:
  static constexpr milliseconds tick{10};

  class entry : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    virtual ~entry() = default;
    virtual void deadline_passed() = 0;
    [[nodiscard]] mono_time due() const noexcept { return due_; }

  private:
    friend class deadline_wheel;
    mono_time due_{};
  };

  /// Takes the place of an earlier deadline of that entry.
  void arm(entry& one, mono_time due) noexcept {
    one.unlink();
    one.due_ = due;
    // One that has passed already goes where the next advance() looks first.
    slots_[slot_of(std::max(tick_of(due), next_))].push_back(one);
  }
  static void disarm(entry& one) noexcept { one.unlink(); }

  /// Tells all that are due at `now`; they are disarmed before, and may arm, disarm or destroy anything.
  void advance(mono_time now) {
    const auto last = tick_of(now);
    auto at = std::max(next_, last - static_cast<std::int64_t>(slots_.size()) + 1);
    list due;
    for (; at <= last; ++at) {
      auto& slot = slots_[slot_of(at)];
      for (auto each = slot.begin(); each != slot.end();) {
        auto& one = *each++;
        if (one.due_ <= now) { // else: of a later round
          one.unlink();
          due.push_back(one);
        }
      }
    }
    next_ = last; // the last slot again: it may hold deadlines later within this tick
    while (!due.empty()) {
      auto& one = due.front();
      due.pop_front();
      one.deadline_passed();
    }
  }

private:
  using list = boost::intrusive::list<entry, boost::intrusive::constant_time_size<false>>;
  static std::int64_t tick_of(mono_time at) noexcept { return at.time_since_epoch() / tick; }
  std::size_t slot_of(std::int64_t number) const noexcept { return static_cast<std::size_t>(number) % slots_.size(); }

  std::array<list, 1024> slots_;
  std::int64_t next_ = 0;
};

} // namespace postrider
