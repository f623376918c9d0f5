#pragma once

#include "core/fair_places.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

namespace postrider {

/// Deliveries in memory and the bytes of their events (one event counts for each of its deliveries).
struct work_size {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const work_size&, const work_size&) = default;
};

/// Of a node, by default: committed, and not delivered yet.
inline constexpr work_size node_work_max{65'536, 256ULL << 20};

/// What a node, each of its tenants and each of their endpoints hold of committed, undelivered deliveries, and how much
/// more each may take, by the shares of core/fair_places.hpp. What finds no room stays in the database, where a claim
/// finds it later. A tree: what an endpoint holds counts for its tenant and for the node. Counts are atomics: whoever
/// asks may see another's change a moment late, so the bound is exceeded by what is on its way at that moment, a page
/// of a claim and the rides of a batch.
class held_work {
public:
  /// The node's.
  explicit held_work(work_size most = node_work_max) : most_{most} {}
  /// A tenant's in the node's, an endpoint's in its tenant's; the shares are by weight.
  held_work(std::shared_ptr<held_work> whole, std::uint32_t weight) : whole_{std::move(whole)}, weight_{weight} {}
  held_work(const held_work&) = delete;
  held_work& operator=(const held_work&) = delete;
  ~held_work() { hold({}); }

  /// An endpoint's: it holds so much from now on. One thread at a time.
  void hold(work_size now) noexcept {
    const auto before = held();
    if (now == before)
      return;
    for (auto* each = this; each != nullptr; each = each->whole_.get()) {
      each->rows_ += now.rows - before.rows; // modulo 2^64, so that less is less
      each->bytes_ += now.bytes - before.bytes;
    }
  }
  void share_by(std::uint32_t weight) noexcept { weight_ = weight; }

  [[nodiscard]] work_size held() const noexcept { return {rows_.load(), bytes_.load()}; }
  /// How much more it may hold. One event is let through while there is any room: nothing is too large for ever.
  [[nodiscard]] work_size room() const noexcept {
    const auto mine = held();
    if (!whole_)
      return {most_.rows - std::min(most_.rows, mine.rows), most_.bytes - std::min(most_.bytes, mine.bytes)};
    const auto free = whole_->room();
    const auto weight = weight_.load();
    return {fair_room(mine.rows, free.rows, weight), fair_room(mine.bytes, free.bytes, weight)};
  }
  [[nodiscard]] bool has_room() const noexcept {
    const auto left = room();
    return left.rows > 0 && left.bytes > 0;
  }
  /// In all: what it holds, and what it may hold besides.
  [[nodiscard]] work_size most() const noexcept {
    const auto mine = held();
    const auto more = room();
    return {mine.rows + more.rows, mine.bytes + more.bytes};
  }

private:
  std::shared_ptr<held_work> whole_;
  work_size most_{};
  std::atomic<std::uint32_t> weight_{1};
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

} // namespace postrider
