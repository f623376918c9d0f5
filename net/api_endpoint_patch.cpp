#include "net/api_endpoint_patch.hpp"

#include "config/settings_patch.hpp"
#include "net/api_json.hpp"
#include "net/api_patch.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <array>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 4> computed_retry{"base_ms", "factor", "max_ms", "max_attempts"};

const patch_rules& endpoint_rules() {
  static const patch_rules rules{{"url", "description", "event_types", "sources", "filter", "headers", "max_in_flight",
                                  "rate_limit_per_s", "timeout_ms", "ordering", "priority", "signing", "retry",
                                  "breaker", "tls", "enabled"},
                                 "secret"};
  return rules;
}

const patch_rules& breaker_rules() {
  static const patch_rules rules{
    {"failures", "failure_rate", "window_s", "min_requests", "cool_down_ms", "cool_down_max_ms", "probes"}};
  return rules;
}

bool names(const json::object& object, std::string_view name) {
  const auto* const value = object.if_contains({name.data(), name.size()});
  return value != nullptr && !value->is_null();
}

void drop(json::object& object, std::string_view name) {
  if (const auto found = object.find({name.data(), name.size()}); found != object.end())
    object.stable_erase(found);
}

void choose_retry_form(json::object& stored, const json::object& patch) {
  const bool listed = names(patch, "schedule_s");
  const bool computed = std::any_of(computed_retry.begin(), computed_retry.end(),
                                    [&](std::string_view name) { return names(patch, name); });
  if (computed && !listed)
    drop(stored, "schedule_s");
  for (const auto name : computed_retry)
    if (listed && !computed)
      drop(stored, name);
}

/// The settable fields after the merge. The patch keeps what it may set.
json::object merged_endpoint(const endpoint_record& stored, json::object& patch, std::vector<field_error>& errors) {
  const auto shown = to_json(stored);
  const auto& shown_breaker = shown.at("breaker").get_object();
  drop_read_only(patch, shown, endpoint_rules(), "", errors);
  json::value out(settable_of(shown, endpoint_rules())); // braces would make an array of one
  auto& fields = out.get_object();
  fields["breaker"] = settable_of(shown_breaker, breaker_rules());
  if (auto* const breaker = patch.if_contains("breaker"); breaker && breaker->is_object())
    drop_read_only(breaker->get_object(), shown_breaker, breaker_rules(), "/breaker", errors);
  if (const auto* const retry = patch.if_contains("retry"); retry && retry->is_object())
    choose_retry_form(fields.at("retry").get_object(), retry->get_object());
  for (const std::string_view name : {"sources", "tls"}) // they stay in the database where they are not named
    if (!patch.contains({name.data(), name.size()}))
      drop(fields, name);
  merge_patch(out, patch);
  return std::move(out.get_object());
}

/// See the table in the header.
void set_status(changed_endpoint& out, const endpoint_record& stored, bool enabled_named) {
  auto& status = out.fields.config.status;
  const bool wanted = status != endpoint_status::disabled;
  const auto before = stored.config.status;
  if (!enabled_named || wanted == (before != endpoint_status::disabled)) {
    status = before;
    out.disabled_reason = stored.disabled_reason;
  } else if (!wanted) {
    out.disabled_reason = "disabled_by_user";
  }
}

result<changed_endpoint> patched_endpoint(const endpoint_record& stored, json::object patch,
                                          const api_options& options) {
  std::vector<field_error> errors;
  const auto merged = merged_endpoint(stored, patch, errors);
  auto checks = options;
  if (!patch.contains("url")) {
    checks.http_allowed = true;
    checks.guard.reset();
  }
  json_reader reader{merged, "", errors};
  changed_endpoint out;
  out.fields = read_endpoint_fields(reader, checks, stored.config.tls.get());
  out.sources_named = patch.contains("sources");
  out.tls_named = patch.contains("tls");
  set_status(out, stored, patch.contains("enabled"));
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

} // namespace

endpoint_change patch_endpoint(json::object patch, const api_options& options) {
  return [patch = std::move(patch), options](const endpoint_record& stored) {
    return patched_endpoint(stored, patch, options);
  };
}

secret_rotation read_endpoint_rotation(json_reader& reader) {
  secret_rotation out;
  out.overlap = read_overlap(reader);
  out.secret = read_endpoint_secret(reader);
  return out;
}

} // namespace postrider
