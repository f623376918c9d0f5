#pragma once

#include "core/delivery_lane.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

/// Weighted fair choice (start-time fair queueing, Goyal, Vin, Cheng 1996), pure and deterministic.
///
/// Each key has a tag, the virtual time at which its next turn starts. The lowest tag is next; serving `n` moves the
/// key's tag on by `n / weight`, and virtual time to the tag that was served. A key that was idle starts at virtual
/// time: idling earns nothing, and nobody pays for what he had while he was alone.
///
/// While two keys both have work, what they got differs by at most one unit of each, by weight. So a key of weight w
/// waits for at most `W / w` turns, rounded up, and one for each other key, where W is the sum of all weights.
namespace postrider {

/// How far one unit moves a tag. Divisible by all weights up to 8, so that these shares are exact.
inline constexpr std::uint64_t fair_unit = 840;
[[nodiscard]] constexpr std::uint64_t fair_stride(std::uint32_t weight) noexcept {
  return weight == 0 ? fair_unit : (fair_unit + weight - 1) / weight;
}

/// Between the lanes of an endpoint. Who has work is the caller's knowledge.
class lane_share {
public:
  /// The tag at which the lane's next turn starts.
  [[nodiscard]] std::uint64_t start(delivery_lane lane) const noexcept;
  /// Of these the one whose turn it is; of equal ones the first.
  [[nodiscard]] std::optional<delivery_lane> next(const by_lane<bool>& wanting) const noexcept;
  void serve(delivery_lane lane, std::uint64_t units = 1) noexcept;

private:
  std::uint64_t now_ = 0;
  by_lane<std::uint64_t> tags_{};
};

/// Between any keys: tenants, endpoints. Bounded: beside those with work it keeps at most `idle_max` keys that are
/// ahead of virtual time; beyond that the idle start anew.
class fair_share {
public:
  using key = std::int64_t;
  static constexpr std::size_t idle_max = 4'096;

  /// It has work from now on. Nothing happens to one that has; its weight is that of the last call. 0 counts as 1.
  void add(key which, std::uint32_t weight = 1);
  /// It has no work any more.
  void remove(key which);
  /// Whose turn it is; of equal ones the least key. Nothing: nobody has work.
  [[nodiscard]] std::optional<key> next() const;
  /// It got so many units; nothing happens to one without work.
  void serve(key which, std::uint64_t units = 1);

  [[nodiscard]] std::size_t size() const noexcept { return turns_.size(); }
  [[nodiscard]] bool empty() const noexcept { return turns_.empty(); }
  /// With and without work.
  [[nodiscard]] std::size_t known() const noexcept { return keys_.size(); }

private:
  struct state {
    std::uint64_t tag = 0;
    std::uint32_t weight = 1;
    bool working = false;
  };
  void forget_idle();

  std::uint64_t now_ = 0;
  std::unordered_map<key, state> keys_;
  std::set<std::pair<std::uint64_t, key>> turns_; // of those with work
};

} // namespace postrider
