#include "core/failpoint.hpp"

#ifdef POSTRIDER_FAILPOINTS

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace postrider {

namespace {

constexpr std::uint32_t stall_max = 60'000; // ms

enum class action : std::uint8_t { none, kill, stall, cut };

struct order {
  action what = action::none;
  std::uint32_t stall_ms = 0;
  std::uint32_t at = 0; ///< the hit that counts; 0: each
};

// Written before any thread is started, and only read from then on.
std::array<order, failpoints.size()> armed{};
std::array<std::atomic<std::uint32_t>, failpoints.size()> hits{};

bool read_number(std::string_view text, std::uint32_t& into) {
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, into);
  return !text.empty() && read.ec == std::errc{} && read.ptr == end;
}

std::optional<order> read_order(std::string_view text) {
  order out;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    if (!read_number(text.substr(at + 1), out.at) || out.at == 0)
      return std::nullopt;
    text = text.substr(0, at);
  }
  constexpr std::string_view stall = "stall:";
  if (text == "kill")
    out.what = action::kill;
  else if (text == "cut")
    out.what = action::cut;
  else if (text.starts_with(stall) && read_number(text.substr(stall.size()), out.stall_ms) && out.stall_ms <= stall_max)
    out.what = action::stall;
  else
    return std::nullopt;
  return out;
}

std::string known_names() {
  std::string out;
  for (const auto& each : failpoints)
    out += (out.empty() ? "" : ", ") + std::string{each.name};
  return out;
}

constexpr const char* word_of(action what) noexcept {
  return what == action::kill ? "kill" : what == action::stall ? "stall" : "cut";
}

} // namespace

std::optional<std::string> arm_failpoints(std::string_view text) {
  std::array<order, failpoints.size()> wanted{};
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const auto equals = std::min(entry.find('='), entry.size());
    const auto* const found =
      std::find_if(failpoints.begin(), failpoints.end(),
                   [name = entry.substr(0, equals)](const failpoint& each) { return each.name == name; });
    if (found == failpoints.end())
      return "no failpoint is named \"" + std::string{entry.substr(0, equals)} + "\"; known: " + known_names();
    const auto read = equals < entry.size() ? read_order(entry.substr(equals + 1)) : std::nullopt;
    if (!read)
      return "failpoint " + std::string{entry} + ": expected kill, cut or stall:MS, each with @N or without";
    wanted.at(static_cast<std::size_t>(found - failpoints.begin())) = *read;
  }
  armed = wanted;
  for (auto& each : hits)
    each = 0;
  return std::nullopt;
}

std::optional<std::string> arm_failpoints_of_environment() {
  const char* const given = std::getenv("POSTRIDER_FAILPOINTS");
  return given != nullptr ? arm_failpoints(given) : std::nullopt;
}

bool hit_failpoint(std::size_t number) noexcept {
  const auto& what = armed[number];
  if (what.what == action::none)
    return false;
  const auto hit = hits[number].fetch_add(1) + 1;
  if (what.at != 0 && hit != what.at)
    return false;
  std::fprintf(stderr, "{\"failpoint\":\"%s\",\"action\":\"%s\",\"hit\":%u}\n", failpoints[number].name.data(),
               word_of(what.what), hit);
  if (what.what == action::kill)
    std::raise(SIGKILL);
  if (what.what == action::stall)
    std::this_thread::sleep_for(std::chrono::milliseconds{what.stall_ms});
  return what.what == action::cut;
}

} // namespace postrider

#endif
