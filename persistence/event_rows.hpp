#pragma once

#include "actors/management_store.hpp"
#include "persistence/parameters.hpp"

/// Rows of `event` as the management API shows them. Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

/// A delivery is made at most a minute after its event (migrations/0001_schema.sql).
inline constexpr std::chrono::minutes delivery_window{1};

/// The select list that `read_event` reads, of `event v left join source s`.
#define POSTRIDER_EVENT_COLUMNS                                                                                        \
  "v.id, coalesce(s.name, 'api') as source, v.type, v.provider_event_id, v.content_type, v.headers,"                   \
  " octet_length(v.body) as size"

/// All but the deliveries.
inline event_record read_event(const pqxx::row& row) {
  event_record out;
  out.id = {read_uuid(row["id"])};
  out.source = row["source"].as<std::string>();
  out.type = row["type"].as<std::string>();
  out.provider_event_id = row["provider_event_id"].as<std::string>();
  out.content_type = row["content_type"].as<std::string>();
  out.headers = read_bytes(row["headers"]);
  out.size = row["size"].as<std::size_t>();
  out.received_at = time_of(out.id.value);
  return out;
}

} // namespace postrider
