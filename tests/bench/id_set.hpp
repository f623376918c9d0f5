#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace postrider::bench {

/// Counts distinct ids by their 64-bit hashes in one flat table, so that an id costs one cache miss and no allocation.
/// Two of a million ids collide, and count as one, with a chance of 3 in 10^8.
class id_set {
public:
  static constexpr std::size_t size_max = std::size_t{1} << 24; ///< ids; beyond, new ones are not kept

  /// Whether the id is new. Once `full`, an unknown id is called new and is forgotten.
  bool insert(std::string_view id) {
    std::uint64_t hash = std::hash<std::string_view>{}(id);
    hash += hash == 0; // 0 marks a free slot
    if (slots_.size() < 2 * (size_ + 1))
      grow();
    auto& slot = slots_[position(slots_, hash)];
    if (slot == hash)
      return false;
    if (!full()) {
      slot = hash;
      ++size_;
    }
    return true;
  }

  std::size_t size() const { return size_; }
  bool full() const { return size_ >= size_max; }

private:
  static std::size_t position(const std::vector<std::uint64_t>& slots, std::uint64_t hash) {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = hash & mask;
    while (slots[at] != 0 && slots[at] != hash)
      at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<std::uint64_t> larger(slots_.size() * 2);
    for (const auto hash : slots_)
      if (hash != 0)
        larger[position(larger, hash)] = hash;
    slots_.swap(larger);
  }

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(1 << 16);
  std::size_t size_ = 0;
};

} // namespace postrider::bench
