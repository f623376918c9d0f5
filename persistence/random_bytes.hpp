#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace postrider {

/// From the system's random source (getrandom(2)). `N` at most 256: so many come in one piece. Throws
/// std::runtime_error where the system has none to give.
void fill_random(std::uint8_t* out, std::size_t size);

template <std::size_t N>
std::array<std::uint8_t, N> random_bytes() {
  static_assert(N <= 256);
  std::array<std::uint8_t, N> out{};
  fill_random(out.data(), N);
  return out;
}

} // namespace postrider
