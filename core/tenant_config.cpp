#include "core/tenant_config.hpp"

#include <algorithm>

namespace postrider {
namespace {

/// Walks over the segments of a text between dots; an empty text has none.
struct segments {
  std::string_view text;
  std::size_t position = text.empty() ? std::string_view::npos : 0;

  [[nodiscard]] bool at_end() const { return position == std::string_view::npos; }
  [[nodiscard]] std::string_view current() const { return text.substr(position, text.find('.', position) - position); }
  void advance() {
    const auto dot = text.find('.', position);
    position = dot == std::string_view::npos ? dot : dot + 1;
  }
};

} // namespace

bool matches_event_type(std::string_view pattern, std::string_view type) noexcept {
  segments wanted{pattern};
  segments given{type};
  // Where to go on after a mismatch: behind the last `**`, which then takes one segment more. Earlier ones need no
  // second thought, so the work is at most segments x segments, whatever the pattern.
  std::optional<segments> behind_stars;
  segments retry_from = given;
  while (!given.at_end()) {
    if (!wanted.at_end() && wanted.current() == "**") {
      wanted.advance();
      behind_stars = wanted;
      retry_from = given;
    } else if (!wanted.at_end() && (wanted.current() == "*" || wanted.current() == given.current())) {
      wanted.advance();
      given.advance();
    } else if (behind_stars) {
      retry_from.advance();
      given = retry_from;
      wanted = *behind_stars;
    } else {
      return false;
    }
  }
  while (!wanted.at_end() && wanted.current() == "**")
    wanted.advance();
  return wanted.at_end();
}

std::optional<std::string> order_key_for(const endpoint_config& endpoint, order_key_reader& event) {
  if (endpoint.ordering == delivery_ordering::parallel)
    return std::nullopt;
  return endpoint.order_key ? event.key_at(*endpoint.order_key) : std::string{};
}

bool matches(const endpoint_config& endpoint, source_no source, std::string_view type) noexcept {
  if (endpoint.status == endpoint_status::disabled)
    return false;
  if (!endpoint.sources.empty() &&
      std::find(endpoint.sources.begin(), endpoint.sources.end(), source) == endpoint.sources.end())
    return false;
  return endpoint.event_types.empty() ||
         std::any_of(endpoint.event_types.begin(), endpoint.event_types.end(),
                     [type](const std::string& pattern) { return matches_event_type(pattern, type); });
}

} // namespace postrider
