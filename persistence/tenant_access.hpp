#pragma once

#include "core/ids.hpp"
#include "core/result.hpp"
#include "core/secret_box.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pqxx {
class transaction_base;
} // namespace pqxx

namespace postrider {

/// Thrown inside a management transaction, which it thereby rolls back; the store answers with the problem.
struct refusal {
  problem what;
};

[[noreturn]] void refuse(problem what);
/// 404: unknown, deleted, or another tenant's; which of them is not told.
[[noreturn]] void refuse_unknown(std::string_view kind);

/// The tenant that a management transaction works on.
struct entered_tenant {
  tenant_no no = 0;
  tenant_id id;
  std::string slug;
  std::string data_key_sealed;
  wall_time now{}; ///< the database's clock; new ids take it
};

enum class access : std::uint8_t {
  read,
  write, ///< the tenant's row is locked first and its config_version counted up: whoever changes a tenant does so one
         ///< after the other
};

/// Whether a slug or name of a path can be one at all. libpqxx hands text over up to its first NUL, so that `acme\0x`
/// would find `acme`, and PostgreSQL answers text that is no UTF-8 with an error.
bool could_be_name(std::string_view slug_or_name) noexcept;

/// Finds the living tenant by slug or id, then confines the transaction to it: from here on it runs as postrider_api,
/// to which row-level security shows nothing of other tenants. Throws `refusal` (404) where there is none.
entered_tenant enter_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id, access as);
/// The same by its number: for whoever has found it already. Its slug may be another tenant's by now.
entered_tenant enter_tenant(pqxx::transaction_base& transaction, tenant_no no, access as);

/// The number of the living tenant of that slug or id, without entering it. Throws `refusal` (404) where there is none.
tenant_no find_tenant(pqxx::transaction_base& transaction, std::string_view slug_or_id);

/// Its data key in clear. Throws `refusal` (500 `secret-unreadable`) where `master_key` is not the one that sealed it.
secret_key data_key_of(const entered_tenant& tenant, const secret_key& master_key);

/// A row of `audit_log` in the same transaction. `tenant` 0: of none.
void audit(pqxx::transaction_base& transaction, tenant_no tenant, wall_time now, std::string_view action,
           std::string_view target);

/// The database's clock, in milliseconds.
wall_time database_now(pqxx::transaction_base& transaction);

/// The `index`th (below 4096) new id of one request: later ones sort after earlier ones, so that a batch keeps its
/// order.
uuid new_uuid(wall_time now, std::size_t index = 0);

} // namespace postrider
