#pragma once

#include "core/tenant_config.hpp"

#include <pqxx/pqxx>

#include <string>
#include <vector>

/// How the engine's part of an endpoint stands in the table `endpoint`. Include it in .cpp files only: it brings all of
/// libpqxx.
namespace postrider {

/// The select list that `read_endpoint_config` reads, of a table named or aliased `e`. JSON is taken apart by
/// PostgreSQL.
inline constexpr const char* endpoint_config_columns =
  "e.no, e.id, e.url, e.event_types, e.source_nos,"
  " array(select h->>0 from jsonb_array_elements(e.headers) h) as header_names,"
  " array(select h->>1 from jsonb_array_elements(e.headers) h) as header_values,"
  " e.ordering, e.ordering_key, e.max_in_flight, e.priority, e.rate_limit_per_s, e.timeout_ms, e.status,"
  " e.retry is null as retry_default,"
  " array(select round(s::numeric * 1000)::bigint from jsonb_array_elements_text(e.retry->'schedule_s') s) as "
  "retry_schedule_ms,"
  " e.retry->>'base_ms' as retry_base_ms, e.retry->>'factor' as retry_factor, e.retry->>'max_ms' as retry_max_ms,"
  " e.retry->>'max_attempts' as retry_max_attempts, e.retry->>'jitter' as retry_jitter,"
  " e.breaker->>'failures' as breaker_failures, e.breaker->>'failure_rate' as breaker_failure_rate,"
  " e.breaker->>'window_s' as breaker_window_s, e.breaker->>'min_requests' as breaker_min_requests,"
  " e.breaker->>'cool_down_ms' as breaker_cool_down_ms, e.breaker->>'cool_down_max_ms' as breaker_cool_down_max_ms,"
  " e.breaker->>'probes' as breaker_probes";

/// All but the secrets.
endpoint_config read_endpoint_config(const pqxx::row& row);

/// Its order, of the columns `ordering` and `ordering_key` alone.
void read_ordering(const pqxx::row& row, endpoint_config& out);

/// JSON of the column `retry` or `breaker`; empty (null) where it is all default.
std::string retry_json(const retry_policy& policy);
std::string breaker_json(const breaker_policy& policy);

/// A column of text[] without nulls, and of bigint[].
std::vector<std::string> read_texts(const pqxx::field& field);
std::vector<std::int64_t> read_numbers(const pqxx::field& field);

} // namespace postrider
