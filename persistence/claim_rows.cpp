#include "persistence/claim_rows.hpp"

#include "persistence/parameters.hpp"

#include <bit>

namespace postrider {

claimed_delivery read_claimed(const pqxx::row& row) {
  auto what = std::make_shared<event>();
  what->id = {read_uuid(row[6])};
  what->tenant = row[7].as<std::int64_t>();
  what->source = row[8].as<std::int64_t>();
  what->source_name = row[9].c_str();
  what->type = row[10].c_str();
  what->provider_event_id = row[11].c_str();
  what->content_type = row[12].c_str();
  what->headers = read_bytes(row[13]);
  what->forward_headers = read_bytes(row[14]);
  what->body = read_bytes(row[15]);
  return {{read_uuid(row[1])},
          std::move(what),
          row[2].as<std::uint32_t>(),
          row[3].as<std::uint32_t>(),
          std::bit_cast<std::uint32_t>(row[4].as<std::int32_t>()),
          all_lanes.at(row[lane_column].as<std::size_t>())};
}

claim_result::overdue read_overdue(const pqxx::row& row) {
  return {{read_uuid(row[1])}, row[5].as<std::int64_t>(), row[2].as<std::uint32_t>(), row[3].as<std::uint32_t>(), {}};
}

} // namespace postrider
