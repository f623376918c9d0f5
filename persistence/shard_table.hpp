#pragma once

#include "actors/store.hpp"
#include "core/shard.hpp"

#include <array>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace postrider {

/// The shards that this process holds, and how far what their former owners left in flight is cleared. Written by the
/// lease keeper, read by the pollers. Thread-safe.
///
/// A shard that was taken is swept at once, and again 10 s and 70 s later: a statement of the former owner may commit
/// that late. Until the last of them its low water is not moved.
class shard_table {
public:
  struct taken {
    shard_lease lease;
    uuid low_water;     ///< nil: not known
    fence closable = 0; ///< see `sweep`
  };
  /// What is to be swept now.
  struct sweep {
    shard_lease lease;
    uuid from; ///< lowest id whose first attempt may be open under another fence
    int round = 0;
    /// Of which former fence nothing runs outside of this process's memory: what stands in an order is closed at once
    /// under that one, else when it is past its deadline. `any_fence`: of all.
    fence closable = 0;
  };
  static constexpr fence any_fence = -1;

  void take(std::span<const taken> shards, mono_time now);
  void drop(std::span<const shard_no> shards);
  void drop_all();

  [[nodiscard]] std::vector<shard_lease> held() const;
  [[nodiscard]] std::vector<shard_no> missing() const;
  [[nodiscard]] std::vector<sweep> due_sweeps(mono_time now) const;
  /// Only if the shard is still held under that fence and that round is still the one to be done.
  void swept(const sweep& done);
  /// Whether the shard's low water may follow this process's own.
  [[nodiscard]] bool settled(shard_no shard) const;

private:
  static constexpr std::array<milliseconds, 3> sweep_delays{milliseconds{0}, milliseconds{10'000},
                                                            milliseconds{70'000}};

  struct entry {
    shard_lease lease;
    uuid low_water;
    fence closable = 0;
    mono_time taken_at{};
    int rounds_done = 0;
  };
  mutable std::mutex mutex_;
  std::array<std::optional<entry>, shard_count> shards_;
  std::array<fence, shard_count> last_fence_{}; ///< under which it was held here last
};

} // namespace postrider
