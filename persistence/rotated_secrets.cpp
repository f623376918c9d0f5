#include "persistence/rotated_secrets.hpp"

#include "persistence/parameters.hpp"
#include "persistence/secret_columns.hpp"

namespace postrider {
namespace {

struct rotation_sql {
  const char* count;
  const char* remove; ///< $2 seconds of overlap
  const char* limit;  ///< $2 seconds of overlap
  const char* insert; ///< $2 ordinal  $3 tenant  $4 sealed
};

#define POSTRIDER_ROTATION_SQL(table, owner)                                                                           \
  {                                                                                                                    \
    "select coalesce(max(ordinal), 0), count(*) filter (where expires_at is null or expires_at > clock_timestamp())"   \
    " from " table " where " owner " = $1",                                                                            \
      "delete from " table " where " owner " = $1 and ($2::bigint = 0 or expires_at <= clock_timestamp())",            \
      "update " table " set expires_at = least(expires_at, clock_timestamp() + $2::bigint * interval '1 second')"      \
      " where " owner " = $1",                                                                                         \
      "insert into " table " (" owner ", ordinal, tenant_no, sealed) values ($1, $2, $3, $4::bytea)"                   \
  }

constexpr rotation_sql of_sources = POSTRIDER_ROTATION_SQL("source_secret", "source_no");
constexpr rotation_sql of_endpoints = POSTRIDER_ROTATION_SQL("endpoint_secret", "endpoint_no");

} // namespace

void rotate_secret(pqxx::transaction_base& transaction, const entered_tenant& tenant, secret_owner owner,
                   std::int64_t owner_no, const secret_rotation& rotation, const secret_key& data_key,
                   const std::function<std::string(int ordinal)>& associated_data) {
  const auto& sql = owner == secret_owner::source ? of_sources : of_endpoints;
  const auto known = transaction.exec_params1(sql.count, owner_no);
  const auto overlap = static_cast<std::int64_t>(rotation.overlap.count());
  if (overlap > 0 && known[1].as<std::size_t>() >= live_secrets_max)
    refuse({409, "too-many-secrets",
            "at most " + std::to_string(live_secrets_max) +
              " secrets can be valid at once: wait until one has run out, or rotate without overlap"});
  transaction.exec_params0(sql.remove, owner_no, overlap);
  transaction.exec_params0(sql.limit, owner_no, overlap);
  const auto ordinal = known[0].as<int>() + 1;
  const auto sealed = seal_column(data_key, rotation.secret, associated_data(ordinal));
  transaction.exec_params0(sql.insert, owner_no, ordinal, tenant.no, pqxx::binarystring{sealed});
}

} // namespace postrider
