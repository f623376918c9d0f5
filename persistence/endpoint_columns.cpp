#include "persistence/endpoint_columns.hpp"

#include "persistence/parameters.hpp"

#include <charconv>

namespace postrider {
namespace {

/// A field left out keeps the default.
template <class T>
void read_into(T& value, const pqxx::field& field) {
  if (!field.is_null())
    value = field.as<T>();
}
void read_ms_into(milliseconds& value, const pqxx::field& field, double factor = 1) {
  if (!field.is_null())
    value = milliseconds{static_cast<std::int64_t>(field.as<double>() * factor + 0.5)};
}

/// The shortest text that reads back as the same number.
std::string number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}
std::string number(std::int64_t value) {
  return std::to_string(value);
}
std::string seconds(milliseconds value) {
  const auto ms = value.count();
  return ms % 1000 == 0 ? number(ms / 1000) : number(static_cast<double>(ms) / 1000.0);
}

retry_policy read_retry(const pqxx::row& row) {
  if (row["retry_default"].as<bool>())
    return default_retry_policy();
  retry_policy out;
  for (const auto ms : read_numbers(row["retry_schedule_ms"]))
    out.schedule.emplace_back(ms);
  read_ms_into(out.base, row["retry_base_ms"]);
  read_into(out.factor, row["retry_factor"]);
  read_ms_into(out.delay_max, row["retry_max_ms"]);
  read_into(out.attempts_max, row["retry_max_attempts"]);
  read_into(out.jitter, row["retry_jitter"]);
  return out;
}

breaker_policy read_breaker(const pqxx::row& row) {
  breaker_policy out;
  read_into(out.failures, row["breaker_failures"]);
  read_into(out.failure_rate, row["breaker_failure_rate"]);
  read_ms_into(out.window, row["breaker_window_s"], 1000);
  read_into(out.min_requests, row["breaker_min_requests"]);
  read_ms_into(out.cool_down, row["breaker_cool_down_ms"]);
  read_ms_into(out.cool_down_max, row["breaker_cool_down_max_ms"]);
  read_into(out.probes, row["breaker_probes"]);
  return out;
}

} // namespace

std::vector<std::string> read_texts(const pqxx::field& field) {
  std::vector<std::string> out;
  auto parser = field.as_array();
  using enum pqxx::array_parser::juncture;
  for (auto [kind, text] = parser.get_next(); kind != done; std::tie(kind, text) = parser.get_next())
    if (kind == string_value)
      out.push_back(std::move(text));
  return out;
}

std::vector<std::int64_t> read_numbers(const pqxx::field& field) {
  std::vector<std::int64_t> out;
  for (const auto& text : read_texts(field))
    out.push_back(std::stoll(text));
  return out;
}

endpoint_config read_endpoint_config(const pqxx::row& row) {
  endpoint_config out;
  out.no = row["no"].as<endpoint_no>();
  out.id = {read_uuid(row["id"])};
  out.url = row["url"].as<std::string>();
  out.event_types = read_texts(row["event_types"]);
  out.sources = read_numbers(row["source_nos"]);
  auto names = read_texts(row["header_names"]);
  auto values = read_texts(row["header_values"]);
  for (std::size_t i = 0; i < names.size() && i < values.size(); ++i)
    out.headers.emplace_back(std::move(names[i]), std::move(values[i]));
  read_ordering(row, out);
  out.max_in_flight = row["max_in_flight"].as<std::uint32_t>();
  out.priority = static_cast<delivery_priority>(row["priority"].as<int>());
  if (const auto rate = row["rate_limit_per_s"]; !rate.is_null())
    out.rate_limit_per_s = rate.as<double>();
  out.timeout = milliseconds{row["timeout_ms"].as<std::int64_t>()};
  out.status = static_cast<endpoint_status>(row["status"].as<int>());
  out.retry = read_retry(row);
  out.breaker = read_breaker(row);
  return out;
}

void read_ordering(const pqxx::row& row, endpoint_config& out) {
  out.ordering = static_cast<delivery_ordering>(row["ordering"].as<int>());
  if (out.ordering == delivery_ordering::fifo_per_key)
    out.order_key = parse_order_key_place(row["ordering_key"].c_str());
}

std::string retry_json(const retry_policy& policy) {
  if (policy == default_retry_policy())
    return {};
  std::string out = "{\"jitter\":" + number(policy.jitter);
  if (policy.schedule.empty())
    return out + ",\"base_ms\":" + number(policy.base.count()) + ",\"factor\":" + number(policy.factor) +
           ",\"max_ms\":" + number(policy.delay_max.count()) +
           ",\"max_attempts\":" + number(std::int64_t{policy.attempts_max}) + "}";
  std::string delays;
  for (const auto each : policy.schedule)
    delays += (delays.empty() ? "" : ",") + seconds(each);
  return out + ",\"schedule_s\":[" + delays + "]}";
}

std::string breaker_json(const breaker_policy& policy) {
  if (policy == breaker_policy{})
    return {};
  return "{\"failures\":" + number(std::int64_t{policy.failures}) + ",\"failure_rate\":" + number(policy.failure_rate) +
         ",\"window_s\":" + seconds(policy.window) + ",\"min_requests\":" + number(std::int64_t{policy.min_requests}) +
         ",\"cool_down_ms\":" + number(policy.cool_down.count()) +
         ",\"cool_down_max_ms\":" + number(policy.cool_down_max.count()) +
         ",\"probes\":" + number(std::int64_t{policy.probes}) + "}";
}

} // namespace postrider
