#pragma once

#include "core/time.hpp"

#include <cstddef>
#include <cstdint>

namespace postrider::simulation {

/// All chance of a run, from its seed (SplitMix64): the same seed gives the same draws on every machine.
class dice {
public:
  explicit dice(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15ULL;
    auto value = state_;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
  }
  double draw() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double probability) noexcept { return draw() < probability; }
  /// Both ends included.
  std::int64_t between(std::int64_t least, std::int64_t greatest) noexcept {
    return least + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(greatest - least + 1));
  }
  milliseconds between(milliseconds least, milliseconds greatest) noexcept {
    return milliseconds{between(least.count(), greatest.count())};
  }
  std::size_t index(std::size_t count) noexcept { return static_cast<std::size_t>(next() % count); }

private:
  std::uint64_t state_;
};

} // namespace postrider::simulation
