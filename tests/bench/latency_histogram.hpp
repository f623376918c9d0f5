#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace postrider::bench {

/// Durations in buckets that are 1/512 of their octave wide: every percentile is right to 0.2 %, in constant memory
/// (about 140 KB) and constant time, however long the run. Durations beyond two minutes count as two minutes.
class latency_histogram {
public:
  void add(std::chrono::nanoseconds duration, std::uint64_t count = 1) {
    const auto value = static_cast<std::uint64_t>(std::clamp<std::int64_t>(duration.count(), 0, value_max));
    buckets_[index(value)] += count;
    total_ += count;
    max_ = std::max(max_, value);
  }

  void add(const latency_histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      buckets_[i] += other.buckets_[i];
    total_ += other.total_;
    max_ = std::max(max_, other.max_);
  }

  /// The duration in milliseconds that the `share` (0 to 1) of all stay within; 0 where there are none.
  double percentile_ms(double share) const {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_ ? total_ - 1 : 0));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      if ((seen += buckets_[i]) > rank)
        return static_cast<double>(std::min(middle(i), max_)) / 1e6;
    return 0;
  }

  double max_ms() const { return static_cast<double>(max_) / 1e6; }

private:
  static constexpr unsigned bits = 9;                              // of precision
  static constexpr std::int64_t value_max = 120'000'000'000;       // ns
  static constexpr std::size_t bucket_count = (38 - bits) << bits; // 2^37 ns is above value_max

  static std::size_t index(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > bits + 1 ? width - bits - 1 : 0;
    return (std::size_t{shift} << bits) + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t middle(std::size_t index) {
    if (index < (std::size_t{2} << bits))
      return index;
    const auto shift = static_cast<unsigned>(index >> bits) - 1;
    const auto base = (index & ((std::size_t{1} << bits) - 1)) + (std::size_t{1} << bits);
    return (std::uint64_t{base} << shift) + (std::uint64_t{1} << shift) / 2;
  }

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(bucket_count);
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

} // namespace postrider::bench
