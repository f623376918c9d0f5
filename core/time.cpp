#include "core/time.hpp"

#include <algorithm>

namespace postrider {
namespace {

using namespace std::chrono;

constexpr wall_time time_min{sys_days{year{0} / January / 1}};
constexpr wall_time time_max{sys_days{year{9999} / December / 31} + days{1} - milliseconds{1}};

/// Writes `value` in exactly `digits` decimal digits.
void put(char* out, int digits, std::int64_t value) {
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

/// Takes the text apart from the left; one failed step makes all later ones fail.
class reader {
public:
  explicit reader(std::string_view text) : rest_{text} {}

  /// Exactly `digits` decimal digits.
  int number(std::size_t digits) {
    int value = 0;
    good_ = good_ && rest_.size() >= digits;
    for (std::size_t i = 0; good_ && i < digits; ++i) {
      good_ = is_digit(rest_[i]);
      value = value * 10 + (rest_[i] - '0');
    }
    if (good_)
      rest_.remove_prefix(digits);
    return good_ ? value : 0;
  }
  /// One of the characters of `choices`, or 0.
  char one_of(std::string_view choices) {
    good_ = good_ && !rest_.empty() && choices.find(rest_.front()) != std::string_view::npos;
    if (!good_)
      return 0;
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }
  /// Nothing, or a point and 1 to 9 digits, of which the first three count.
  milliseconds fraction() {
    if (!good_ || rest_.empty() || rest_.front() != '.')
      return {};
    rest_.remove_prefix(1);
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_digit);
    const auto digits = static_cast<std::size_t>(end - rest_.begin());
    good_ = digits >= 1 && digits <= 9;
    int value = 0;
    for (std::size_t i = 0; good_ && i < 3; ++i)
      value = value * 10 + (i < digits ? rest_[i] - '0' : 0);
    rest_.remove_prefix(digits);
    return milliseconds{value};
  }
  [[nodiscard]] bool finished() const { return good_ && rest_.empty(); }

private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view rest_;
  bool good_ = true;
};

} // namespace

std::string to_rfc3339(wall_time at) {
  at = std::clamp(at, time_min, time_max);
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss clock{at - day};
  std::string out = "0000-00-00T00:00:00.000Z";
  put(out.data(), 4, static_cast<int>(date.year()));
  put(out.data() + 5, 2, static_cast<unsigned>(date.month()));
  put(out.data() + 8, 2, static_cast<unsigned>(date.day()));
  put(out.data() + 11, 2, clock.hours().count());
  put(out.data() + 14, 2, clock.minutes().count());
  put(out.data() + 17, 2, clock.seconds().count());
  put(out.data() + 20, 3, clock.subseconds().count());
  return out;
}

std::optional<wall_time> parse_rfc3339(std::string_view text) {
  reader in{text};
  const int year_number = in.number(4);
  in.one_of("-");
  const auto month_number = static_cast<unsigned>(in.number(2));
  in.one_of("-");
  const auto day_number = static_cast<unsigned>(in.number(2));
  in.one_of("Tt");
  const int hour = in.number(2);
  in.one_of(":");
  const int minute = in.number(2);
  in.one_of(":");
  const int second = in.number(2);
  const auto fraction = in.fraction();
  const char zone = in.one_of("Zz+-");
  minutes offset{};
  if (zone == '+' || zone == '-') {
    const int offset_hour = in.number(2);
    in.one_of(":");
    const int offset_minute = in.number(2);
    if (offset_hour > 23 || offset_minute > 59)
      return std::nullopt;
    offset = hours{offset_hour} + minutes{offset_minute};
    if (zone == '-')
      offset = -offset;
  }
  const year_month_day date{year{year_number}, month{month_number}, day{day_number}};
  if (!in.finished() || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  const sys_time<minutes> at = sys_days{date} + hours{hour} + minutes{minute} - offset;
  // A leap second ends a day of UTC (RFC 3339 section 5.7); it counts as the first second after it, as in PostgreSQL.
  if (second == 60 && (at + minutes{1}).time_since_epoch() % days{1} != minutes{0})
    return std::nullopt;
  return wall_time{at + seconds{second} + fraction};
}

} // namespace postrider
