#include "tests/simulation/trace.hpp"

#include <algorithm>
#include <cstdio>

namespace postrider::simulation {

void trace::note(milliseconds at, std::string_view what, std::int64_t first, std::int64_t second, std::int64_t third) {
  ring_[count_++ % shown] = {at, what, {first, second, third}};
  if (tells_)
    std::fputs(line(ring_[(count_ - 1) % shown]).c_str(), stderr);
  mix(static_cast<std::uint64_t>(at.count()));
  for (const auto each : what)
    mix(static_cast<unsigned char>(each));
  for (const auto value : {first, second, third})
    mix(static_cast<std::uint64_t>(value));
}

std::string trace::line(const entry& of) {
  auto out = "  " + std::to_string(of.at.count()) + " ms  " + std::string{of.what};
  for (const auto value : of.values)
    out += ' ' + std::to_string(value);
  return out + '\n';
}

std::string trace::text() const {
  std::string out;
  for (auto i = count_ - std::min<std::uint64_t>(count_, shown); i < count_; ++i)
    out += line(ring_[i % shown]);
  return out;
}

} // namespace postrider::simulation
