#include "core/place_reader.hpp"
#include "core/scheme_demands.hpp"
#include "core/signature_check.hpp"

#include <optional>
#include <vector>

namespace postrider {

namespace {

constexpr std::size_t tokens_max = 100; // of a group; further ones are not looked at

std::string_view find_equal(std::string_view given, std::span<const std::string_view> secrets) noexcept {
  std::string_view out;
  for (const auto secret : secrets)
    if (equal_constant_time(given, secret))
      out = secret;
  return out;
}

/// Tokens of which any one will do.
struct token_group {
  std::vector<std::string_view> all{};
  bool garbage = false; ///< something that does not begin as the scheme's tokens do
};

/// Every item of a JSON list must bring its own; all else that stands in a place is one group.
std::vector<token_group> groups_of(const value_place& place, const std::vector<std::string_view>& texts,
                                   request_values& values) {
  const auto prefix = evaluate_text(place.prefix, values, {}, hash_kind::sha256).value_or("");
  std::vector<token_group> out(place.kind == value_place::where::each_json ? 0 : 1);
  for (const auto text : texts) {
    if (place.kind == value_place::where::each_json)
      out.emplace_back();
    for (const auto element : elements_of(text, place.separator)) {
      const bool is_token = element.starts_with(prefix) && element.size() > prefix.size();
      out.back().garbage |= !is_token;
      if (is_token && out.back().all.size() < tokens_max)
        out.back().all.push_back(element.substr(prefix.size()));
    }
  }
  return out;
}

/// The demands; `malformed` is told after what is missing.
verify_reason demand(const provider_scheme& scheme, request_values& values, bool& malformed) {
  const auto reason = demand_headers(scheme, values, malformed);
  return reason == verify_reason::ok ? demand_fields(scheme, values, malformed) : reason;
}

} // namespace

check_result check_token(const provider_scheme& scheme, request_values& values,
                         std::span<const std::string_view> secrets) {
  bool malformed = false;
  if (const auto reason = demand(scheme, values, malformed); reason != verify_reason::ok)
    return {reason};
  const auto& place = scheme.signatures.front();
  const auto found = texts_at(place, values, is_in_json(place) ? values.json().root() : json_view::node{});
  if (found.no_field)
    return {verify_reason::field_missing};
  const auto groups = groups_of(place, found.all, values);
  for (const auto& group : groups) {
    if (group.all.empty() && !group.garbage)
      return {verify_reason::signature_missing};
    malformed |= group.all.empty();
  }
  if (malformed)
    return {verify_reason::header_malformed};
  check_result out{verify_reason::ok};
  for (const auto& group : groups) {
    out.secret = {};
    for (const auto token : group.all)
      if (const auto secret = find_equal(token, secrets); !secret.empty())
        out.secret = secret;
    if (out.secret.empty())
      return {verify_reason::token_mismatch};
  }
  return out;
}

check_result check_basic(const provider_scheme& scheme, request_values& values,
                         std::span<const std::string_view> secrets) {
  constexpr std::string_view scheme_name = "basic ";
  bool malformed = false;
  if (const auto reason = demand(scheme, values, malformed); reason != verify_reason::ok)
    return {reason};
  const auto header = values.header("Authorization").value;
  if (header.empty())
    return {verify_reason::signature_missing};
  const bool is_basic =
    header.size() > scheme_name.size() && lower_case(header.substr(0, scheme_name.size())) == scheme_name;
  const auto credentials = is_basic ? decode_base64(header.substr(scheme_name.size())) : std::nullopt;
  const auto colon = credentials ? credentials->find(':') : std::string::npos;
  if (malformed || colon == std::string::npos)
    return {verify_reason::header_malformed};
  const std::string_view given{*credentials};
  const auto user = values.setting("username");
  const bool is_user = !user.empty() & equal_constant_time(given.substr(0, colon), user);
  const auto secret = find_equal(given.substr(colon + 1), secrets);
  if (!is_user || secret.empty())
    return {verify_reason::token_mismatch};
  return {verify_reason::ok, secret};
}

} // namespace postrider
