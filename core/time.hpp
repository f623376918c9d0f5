#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// Monotonic time: deadlines, timers, latencies. Never stored, never compared between processes.
using mono_time = std::chrono::steady_clock::time_point;

/// UTC wall time in whole milliseconds: what is stored and shown. The database's clock is the authority (see db_clock).
using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;

using std::chrono::milliseconds;

/// RFC 3339 in UTC with milliseconds: `2026-11-21T11:02:03.004Z`.
std::string to_rfc3339(wall_time at);

/// Reads RFC 3339 (any offset, 0 to 9 fractional digits, cut to milliseconds). Nothing when the text is not of that
/// form.
std::optional<wall_time> parse_rfc3339(std::string_view text);

/// Microseconds since the Unix epoch, the unit in which times travel to PostgreSQL.
constexpr std::int64_t to_unix_us(wall_time at) noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
}
constexpr wall_time from_unix_us(std::int64_t us) noexcept {
  return wall_time{std::chrono::duration_cast<milliseconds>(std::chrono::microseconds{us})};
}

} // namespace postrider
