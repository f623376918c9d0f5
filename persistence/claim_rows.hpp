#pragma once

#include "actors/store.hpp"

#include <pqxx/pqxx>

#include <algorithm>
#include <cstdint>

/// How the rows of claims are read (columns: claim_sql.hpp). Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

/// Bodies of one claim: 256 deliveries of a megabyte each would be more than all of an endpoint's backlog may take.
inline constexpr std::int64_t claim_bytes_max = 4 << 20;

inline constexpr int lane_column = 17;

claimed_delivery read_claimed(const pqxx::row& row);
claim_result::overdue read_overdue(const pqxx::row& row);

inline std::uint32_t claim_limit_of(const claim_request& request) {
  return std::min<std::uint32_t>(request.limit, 256);
}

} // namespace postrider
