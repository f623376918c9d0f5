#pragma once

#include "actors/store.hpp"

#include <pqxx/pqxx>

#include <algorithm>
#include <cstdint>

/// How the rows of claims are read (columns: claim_sql.hpp). Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

inline constexpr int lane_column = 17;

claimed_delivery read_claimed(const pqxx::row& row);
claim_result::overdue read_overdue(const pqxx::row& row);

inline std::uint32_t claim_limit_of(const claim_request& request) {
  return std::min<std::uint32_t>(request.limit, 256);
}

} // namespace postrider
