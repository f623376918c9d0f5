#include "core/outcome.hpp"

#include <algorithm>
#include <array>

namespace postrider {
namespace {

using namespace std::chrono;

// More seconds than a recipient can hold count as 2^31 (RFC 9111 section 1.2.2).
constexpr std::int64_t seconds_max = std::int64_t{1} << 31U;

constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> day_names{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> long_day_names{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                         "Friday", "Saturday", "Sunday"};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The fields of an HTTP date; each is checked by `at`.
struct date_fields {
  int year_number = -1;
  unsigned month_number = 0;
  unsigned day_number = 0;
  int hour = -1;
  int minute = -1;
  int second = -1;

  [[nodiscard]] std::optional<wall_time> at() const {
    const year_month_day date{year{year_number}, month{month_number}, day{day_number}};
    if (!date.ok() || year_number < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
        second > 60)
      return std::nullopt;
    return wall_time{sys_days{date} + hours{hour} + minutes{minute} + seconds{second}};
  }
};

/// Digits alone, or -1.
int number(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c))
      return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// 1 to 12, or 0.
unsigned month_of(std::string_view name) {
  const auto found = std::find(month_names.begin(), month_names.end(), name);
  return found == month_names.end() ? 0 : static_cast<unsigned>(found - month_names.begin()) + 1;
}

/// `08:49:37`
void read_clock(std::string_view text, date_fields& out) {
  if (text[2] != ':' || text[5] != ':')
    return;
  out.hour = number(text.substr(0, 2));
  out.minute = number(text.substr(3, 2));
  out.second = number(text.substr(6, 2));
}

unsigned read_day(std::string_view text) {
  return static_cast<unsigned>(std::max(number(text), 0));
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
std::optional<wall_time> parse_imf_date(std::string_view text) {
  if (text.size() != 29 || !contains(day_names, text.substr(0, 3)) || text.substr(3, 2) != ", " || text[7] != ' ' ||
      text[11] != ' ' || text[16] != ' ' || text.substr(25) != " GMT")
    return std::nullopt;
  date_fields out{.year_number = number(text.substr(12, 4)),
                  .month_number = month_of(text.substr(8, 3)),
                  .day_number = read_day(text.substr(5, 2))};
  read_clock(text.substr(17, 8), out);
  return out.at();
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`. A year that would lie more than 50 years ahead is of the century before.
std::optional<wall_time> parse_rfc850_date(std::string_view text, wall_time now) {
  const auto comma = text.find(", ");
  if (comma == std::string_view::npos || !contains(long_day_names, text.substr(0, comma)))
    return std::nullopt;
  text.remove_prefix(comma + 2);
  if (text.size() != 22 || text[2] != '-' || text[6] != '-' || text[9] != ' ' || text.substr(18) != " GMT")
    return std::nullopt;
  const int short_year = number(text.substr(7, 2));
  if (short_year < 0)
    return std::nullopt;
  const auto this_year = static_cast<int>(year_month_day{floor<days>(now)}.year());
  date_fields out{.year_number = this_year - this_year % 100 + short_year,
                  .month_number = month_of(text.substr(3, 3)),
                  .day_number = read_day(text.substr(0, 2))};
  if (out.year_number > this_year + 50)
    out.year_number -= 100;
  else if (out.year_number <= this_year - 50)
    out.year_number += 100;
  read_clock(text.substr(10, 8), out);
  return out.at();
}

/// `Sun Nov  6 08:49:37 1994`
std::optional<wall_time> parse_asctime_date(std::string_view text) {
  if (text.size() != 24 || !contains(day_names, text.substr(0, 3)) || text[3] != ' ' || text[7] != ' ' ||
      text[10] != ' ' || text[19] != ' ')
    return std::nullopt;
  date_fields out{.year_number = number(text.substr(20, 4)),
                  .month_number = month_of(text.substr(4, 3)),
                  .day_number = read_day(text[8] == ' ' ? text.substr(9, 1) : text.substr(8, 2))};
  read_clock(text.substr(11, 8), out);
  return out.at();
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view white = " \t";
  const auto first = text.find_first_not_of(white);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

} // namespace

std::optional<milliseconds> parse_retry_after(std::string_view value, wall_time now) noexcept {
  value = trim(value);
  if (value.empty())
    return std::nullopt;
  if (std::all_of(value.begin(), value.end(), is_digit)) {
    std::int64_t count = 0;
    for (const char c : value)
      count = std::min(count * 10 + (c - '0'), seconds_max);
    return seconds{count};
  }
  auto at = parse_imf_date(value);
  if (!at)
    at = parse_rfc850_date(value, now);
  if (!at)
    at = parse_asctime_date(value);
  if (!at)
    return std::nullopt;
  return std::max(*at - now, milliseconds{0});
}

} // namespace postrider
