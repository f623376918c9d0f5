#include "persistence/random_id.hpp"

#include <array>
#include <random>

namespace postrider {

uuid random_id(wall_time at) {
  std::random_device source;
  std::array<std::uint8_t, 10> bits{};
  for (auto& each : bits)
    each = static_cast<std::uint8_t>(source());
  return make_uuid_v7(at, bits);
}

} // namespace postrider
