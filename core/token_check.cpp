#include "core/signature_check.hpp"

#include <optional>
#include <vector>

namespace postrider {

namespace {

std::string_view find_equal(std::string_view given, std::span<const std::string_view> secrets) noexcept {
  std::string_view out;
  for (const auto secret : secrets)
    if (equal_constant_time(given, secret))
      out = secret;
  return out;
}

} // namespace

check_result check_token(const provider_scheme& scheme, request_values& values,
                         std::span<const std::string_view> secrets) {
  using where = value_place::where;
  const auto& place = scheme.signatures.front();
  std::vector<std::string_view> tokens;
  if (place.kind == where::header) {
    tokens.push_back(values.header(place.name).value);
  } else if (place.kind == where::query) {
    tokens.push_back(values.query(values.resolved(place.name)).value_or(std::string_view{}));
  } else {
    const auto found = values.json().find_each(values.json().root(), place.path);
    if (!found)
      return {verify_reason::field_missing};
    for (const auto each : *found)
      tokens.push_back(values.keep(json_view::text_of(each).value_or("")));
  }
  for (const auto token : tokens)
    if (token.empty())
      return {verify_reason::signature_missing};
  check_result out{verify_reason::ok};
  for (const auto token : tokens) {
    out.secret = find_equal(token, secrets);
    if (out.secret.empty())
      return {verify_reason::token_mismatch};
  }
  return out;
}

check_result check_basic(request_values& values, std::span<const std::string_view> secrets) {
  constexpr std::string_view scheme_name = "basic ";
  const auto header = values.header("Authorization").value;
  if (header.empty())
    return {verify_reason::signature_missing};
  const bool is_basic =
    header.size() > scheme_name.size() && lower_case(header.substr(0, scheme_name.size())) == scheme_name;
  const auto credentials = is_basic ? decode_base64(header.substr(scheme_name.size())) : std::nullopt;
  const auto colon = credentials ? credentials->find(':') : std::string::npos;
  if (colon == std::string::npos)
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
