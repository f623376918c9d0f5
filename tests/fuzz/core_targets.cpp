#include "tests/fuzz/targets.hpp"

#include "core/ids.hpp"
#include "core/outcome.hpp"
#include "core/signature.hpp"
#include "core/tenant_config.hpp"

#include <array>

namespace postrider::fuzz {
namespace {

using namespace std::chrono_literals;

void rfc3339(std::string_view input) {
  const auto at = parse_rfc3339(input);
  if (!at)
    return;
  const auto text = to_rfc3339(*at);
  require(text.size() == 24, "a time is written in 24 characters");
  // An offset can carry a time past the first or last year that the form can name.
  const bool named = *at >= *parse_rfc3339("0000-01-01T00:00:00Z") && *at <= *parse_rfc3339("9999-12-31T23:59:59.999Z");
  require(!named || parse_rfc3339(text) == at, "what was written reads as the same time");
}

void retry_after(std::string_view input) {
  const wall_time now{milliseconds{784'111'000'000}};
  const auto wait = parse_retry_after(input, now);
  require(!wait || *wait >= 0ms, "no wait is negative");
  require(!wait || *wait <= 24h * 366 * 10'000, "no wait is longer than a date can say");
}

void base64(std::string_view input) {
  const auto bytes = decode_base64(input);
  if (bytes)
    require(encode_base64({reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size()}) == input,
            "one value has one text");
  const std::span raw{reinterpret_cast<const std::uint8_t*>(input.data()), input.size()};
  require(decode_base64(encode_base64(raw)) == input, "what was encoded decodes");
}

void uuid_text(std::string_view input) {
  const auto id = parse_uuid(input);
  if (!id)
    return;
  require(input.size() == 36, "an id has 36 characters");
  require(parse_uuid(to_string(*id)) == id, "what was written reads as the same id");
}

/// Pattern and type, cut at the first line feed.
void event_type(std::string_view input) {
  const auto cut = input.find('\n');
  const auto pattern = input.substr(0, cut);
  const auto type = cut == std::string_view::npos ? std::string_view{} : input.substr(cut + 1);
  const bool matched = matches_event_type(pattern, type);
  require(matches_event_type("**", type), "two stars match everything");
  if (pattern.find('*') == std::string_view::npos)
    require(matched == (pattern == type), "a pattern without stars matches itself alone");
  const std::string longer = std::string{pattern} + ".**";
  require(!matched || pattern.empty() || matches_event_type(longer, type), "two stars at the end may match nothing");
}

constexpr std::array<std::string_view, 4> rfc3339_samples{"2026-11-21T11:02:03.004Z", "1996-12-19T16:39:57-08:00",
                                                          "1990-12-31T23:59:60Z", "0000-01-01T00:00:00+23:59"};
constexpr std::array<std::string_view, 4> retry_after_samples{
  "120", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
constexpr std::array<std::string_view, 3> base64_samples{"Zm9vYmFy", "Zm9vYg==", "Zm9vYmE="};
constexpr std::array<std::string_view, 1> uuid_samples{"017f22e2-79b0-7cc3-98c4-dc0c0c07398f"};
constexpr std::array<std::string_view, 4> event_type_samples{"a.**.b\na.c.d.b", "*.b\na.b", "**.**.a\na", "a\na"};

constexpr std::array<target, 5> targets{{
  {"rfc3339", rfc3339, "0123456789-:.+TZtz ", rfc3339_samples},
  {"retry_after", retry_after, "0123456789:-, GMTSunNovday\t", retry_after_samples},
  {"base64", base64, "ABCXYZabcxyz0189+/=\n", base64_samples},
  {"uuid", uuid_text, "0123456789abcdefABCDEF-g", uuid_samples},
  {"event_type", event_type, "ab.*\n", event_type_samples},
}};

} // namespace

std::span<const target> core_targets() {
  return targets;
}

} // namespace postrider::fuzz
