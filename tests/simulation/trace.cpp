#include "tests/simulation/trace.hpp"

#include <algorithm>

namespace postrider::simulation {

void trace::note(milliseconds at, std::string_view what, std::int64_t first, std::int64_t second, std::int64_t third) {
  ring_[count_++ % shown] = {at, what, {first, second, third}};
  mix(static_cast<std::uint64_t>(at.count()));
  for (const auto each : what)
    mix(static_cast<unsigned char>(each));
  for (const auto value : {first, second, third})
    mix(static_cast<std::uint64_t>(value));
}

std::string trace::text() const {
  std::string out;
  for (auto i = count_ - std::min<std::uint64_t>(count_, shown); i < count_; ++i) {
    const auto& each = ring_[i % shown];
    out += "  " + std::to_string(each.at.count()) + " ms  " + std::string{each.what};
    for (const auto value : each.values)
      out += ' ' + std::to_string(value);
    out += '\n';
  }
  return out;
}

} // namespace postrider::simulation
