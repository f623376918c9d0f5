#include "core/scheme_demands.hpp"

namespace postrider {

verify_reason demand_headers(const provider_scheme& scheme, request_values& values, bool& malformed) {
  for (const auto& name : scheme.required_headers)
    if (values.header(name).value.empty())
      return verify_reason::header_missing;
  for (const auto& [name, wanted] : scheme.fixed) {
    const auto given = values.header(name).value;
    if (given.empty())
      return verify_reason::header_missing;
    malformed |= given != wanted;
  }
  return verify_reason::ok;
}

verify_reason demand_fields(const provider_scheme& scheme, request_values& values, bool& malformed) {
  for (const auto& path : scheme.required_fields)
    if (values.json_text(values.json().root(), path).value_or("").empty())
      return verify_reason::field_missing;
  for (const auto& [name, pattern] : scheme.form_patterns) {
    const auto field = values.form(name);
    if (!field || field->empty())
      return verify_reason::field_missing;
    malformed |= !pattern.matches(*field);
  }
  return verify_reason::ok;
}

} // namespace postrider
