#include "net/api_json.hpp"

#include "core/header_block.hpp"
#include "net/api_endpoint_tls.hpp"
#include "net/http_syntax.hpp"
#include "net/problem.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>

namespace postrider {

namespace json = boost::json;

namespace {

template <class T>
json::value value_or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value();
}

json::string word(std::string_view text) {
  return json::string(text.data(), text.size());
}

template <class Tag>
json::string id_text(const strong_id<Tag>& id) {
  const auto text = to_string(id);
  return word(text);
}

json::array texts(const std::vector<std::string>& all) {
  json::array out;
  for (const auto& one : all)
    out.emplace_back(json_text(one));
  return out;
}

json::object retry_json(const retry_policy& policy) {
  json::object out;
  if (policy.schedule.empty()) {
    out = {{"base_ms", policy.base.count()},
           {"factor", policy.factor},
           {"max_ms", policy.delay_max.count()},
           {"max_attempts", policy.attempts_max}};
  } else {
    json::array delays;
    for (const auto delay : policy.schedule) {
      if (delay.count() % 1000 == 0)
        delays.emplace_back(delay.count() / 1000);
      else
        delays.emplace_back(static_cast<double>(delay.count()) / 1000);
    }
    out["schedule_s"] = std::move(delays);
  }
  out["jitter"] = policy.jitter;
  return out;
}

json::object breaker_json(const endpoint_record& endpoint) {
  const auto& policy = endpoint.config.breaker;
  return {{"failures", policy.failures},
          {"failure_rate", policy.failure_rate},
          {"window_s", policy.window.count() / 1000},
          {"min_requests", policy.min_requests},
          {"cool_down_ms", policy.cool_down.count()},
          {"cool_down_max_ms", policy.cool_down_max.count()},
          {"probes", policy.probes},
          {"state", word(to_string(endpoint.breaker))},
          {"since", json_time(endpoint.breaker_since)},
          {"next_probe_at", json_time(endpoint.next_probe_at)}};
}

std::string_view status_word(endpoint_status status) noexcept {
  switch (status) {
  case endpoint_status::active:
    return "active";
  case endpoint_status::paused:
    return "paused";
  case endpoint_status::disabled:
    break;
  }
  return "disabled";
}

/// Name to value; values of a repeated name are joined by a comma (RFC 9110 section 5.3).
json::object headers_json(std::string_view block) {
  json::object out;
  while (!block.empty()) {
    const auto end = std::min(block.find("\r\n"), block.size());
    const auto line = block.substr(0, end);
    block.remove_prefix(std::min(end + 2, block.size()));
    const auto colon = std::min(line.find(':'), line.size());
    std::string name{line.substr(0, colon)};
    std::transform(name.begin(), name.end(), name.begin(), http_syntax::lower);
    const auto value = json_text(http_syntax::trimmed(line.substr(std::min(colon + 1, line.size()))));
    if (auto* const before = out.if_contains(name)) {
      before->as_string().append(", ");
      before->as_string().append(value);
    } else {
      out[name] = value;
    }
  }
  return out;
}

json::value ordering_json(const endpoint_config& config) {
  if (config.order_key)
    return json::object{{"key", word(config.order_key->text)}};
  return config.ordering == delivery_ordering::parallel ? "parallel" : "fifo";
}

} // namespace

json::string json_text(std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text); // mends what is no UTF-8
  return json::parse(quoted).as_string();
}

json::value json_time(const std::optional<wall_time>& at) {
  return at ? json::value(word(to_rfc3339(*at))) : json::value();
}

json::value json_or_null(std::string_view text) {
  return text.empty() ? json::value() : json::value(json_text(text));
}

json::object to_json(const tenant_record& tenant) {
  const auto& quotas = tenant.quotas;
  return {{"id", id_text(tenant.id)},
          {"slug", word(tenant.slug)},
          {"name", word(tenant.name)},
          {"plan", json_or_null(tenant.plan)},
          {"quotas",
           {{"ingest_per_s", value_or_null(quotas.ingest_per_s)},
            {"ingest_bytes_per_s", value_or_null(quotas.ingest_bytes_per_s)},
            {"sources", value_or_null(quotas.sources)},
            {"endpoints", value_or_null(quotas.endpoints)},
            {"backlog", value_or_null(quotas.backlog)},
            {"retention_days", value_or_null(quotas.retention_days)}}},
          {"shard", tenant.shard},
          {"enabled", tenant.enabled},
          {"created_at", json_time(tenant.created_at)},
          {"updated_at", json_time(tenant.updated_at)}};
}

json::object to_json(const source_record& source) {
  return {{"id", id_text(source.id)},
          {"name", word(source.name)},
          {"provider", word(source.provider)},
          {"scheme", word(source.scheme)},
          {"enabled", source.enabled},
          {"on_unverified", source.on_unverified == unverified_mode::quarantine ? "quarantine" : "reject"},
          {"ingest_path", word("/in/" + source.tenant_slug + "/" + source.name)},
          {"config", json::parse(source.config)},
          {"secret_count", source.secret_count},
          {"created_at", json_time(source.created_at)},
          {"updated_at", json_time(source.updated_at)}};
}

json::object to_json(const endpoint_record& endpoint, bool with_secret) {
  const auto& config = endpoint.config;
  json::object headers;
  for (const auto& [name, value] : config.headers)
    headers[name] = json_text(value);
  json::object out{
    {"id", id_text(config.id)},
    {"url", word(config.url)},
    {"description", json_or_null(endpoint.description)},
    {"event_types", texts(config.event_types)},
    {"sources", texts(endpoint.source_ids)},
    {"filter", nullptr},
    {"headers", std::move(headers)},
    {"max_in_flight", config.max_in_flight},
    {"rate_limit_per_s", config.rate_limit_per_s ? json::value(*config.rate_limit_per_s) : json::value()},
    {"timeout_ms", config.timeout.count()},
    {"ordering", ordering_json(config)},
    {"priority", word(to_string(config.priority))},
    {"signing", {{"profile", "standard"}}},
    {"retry", retry_json(config.retry)},
    {"breaker", breaker_json(endpoint)},
    {"tls", endpoint_tls_json(config.tls)},
    {"enabled", config.status != endpoint_status::disabled},
    {"status", word(status_word(config.status))},
    {"disabled_reason", json_or_null(endpoint.disabled_reason)},
    {"created_at", json_time(endpoint.created_at)},
    {"updated_at", json_time(endpoint.updated_at)}};
  if (with_secret && !config.secrets.empty())
    out["secret"] = word(config.secrets.front().text);
  return out;
}

json::object to_json(const event_record& event) {
  json::object counts;
  for (const auto& [state, count] : event.deliveries)
    counts[word(to_string(state))] = count;
  return {{"id", id_text(event.id)},
          {"source", json_or_null(event.source)},
          {"type", json_or_null(event.type)},
          {"provider_event_id", json_or_null(event.provider_event_id)},
          {"received_at", json_time(event.received_at)},
          {"content_type", json_or_null(event.content_type)},
          {"size", event.size},
          {"headers", headers_json(event.headers)},
          {"deliveries", std::move(counts)},
          {"status", event.erased ? "erased" : "accepted"}};
}

json::object to_json(const delivery_record& delivery) {
  return {{"id", id_text(delivery.id)},
          {"event_id", id_text(delivery.event)},
          {"endpoint_id", id_text(delivery.endpoint)},
          {"state", word(to_string(delivery.state))},
          {"reason", json_or_null(to_string(delivery.reason))},
          {"attempt_count", delivery.attempt_count},
          {"generation", delivery.generation},
          {"order", value_or_null(delivery.order)},
          {"next_attempt_at",
           delivery.state == delivery_state::in_flight ? json::value() : json_time(delivery.next_attempt_at)},
          {"created_at", json_time(delivery.created_at)},
          {"updated_at", json_time(delivery.updated_at)},
          {"last_error", json_or_null(delivery.last_error)}};
}

json::object to_json(const attempt_record& attempt) {
  return {{"id", id_text(attempt.id)},
          {"number", attempt.number},
          {"started_at", json_time(attempt.started_at)},
          {"duration_ms", attempt.duration ? json::value(attempt.duration->count()) : json::value()},
          {"outcome", attempt.outcome ? json::value(word(to_string(*attempt.outcome))) : json::value()},
          {"reason", json_or_null(to_string(attempt.reason))},
          {"http_status", attempt.http_status == 0 ? json::value() : json::value(attempt.http_status)},
          {"response_excerpt", json_or_null(attempt.excerpt)}};
}

json::object to_json(const api_key_record& key) {
  return {{"id", id_text(key.id)},
          {"name", json_text(key.name)},
          {"role", word(to_string(key.role))},
          {"expires_at", json_time(key.expires_at)},
          {"last_used_at", json_time(key.last_used_at)},
          {"created_at", json_time(key.created_at)}};
}

json::object to_json(const actor_status& actor, bool alone) {
  json::object out{
    {"path", json_text(actor.path)},   {"kind", word(actor.kind)},      {"state", word(actor.state)},
    {"since", json_time(actor.since)}, {"mailbox", actor.mailbox},      {"restarts", actor.restarts},
    {"children", actor.children},      {"node", json_text(actor.node)}, {"epoch", value_or_null(actor.epoch)}};
  if (!alone)
    return out;
  json::array transitions;
  for (const auto& one : actor.transitions)
    transitions.push_back(json::object{
      {"at", json_time(one.at)}, {"from", word(one.from)}, {"to", word(one.to)}, {"cause", json_text(one.cause)}});
  json::object counters;
  for (const auto& [name, value] : actor.counters)
    counters[name] = value;
  out["transitions"] = std::move(transitions);
  out["next_wake_at"] = json_time(actor.next_wake_at);
  out["counters"] = std::move(counters);
  if (actor.delivery) {
    const auto& part = *actor.delivery;
    out["breaker"] = {{"state", word(part.breaker_state)},
                      {"since", json_time(part.breaker_since)},
                      {"next_probe_at", json_time(part.next_probe_at)},
                      {"consecutive_failures", part.consecutive_failures}};
    out["in_flight"] = part.in_flight;
    out["window"] = part.window;
    out["tokens"] = part.tokens ? json::value(*part.tokens) : json::value();
    out["backlog"] = part.backlog;
    out["last_outcomes"] = texts(part.last_outcomes);
  }
  return out;
}

} // namespace postrider
