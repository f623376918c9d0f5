#pragma once

#include "actors/management_store.hpp"
#include "persistence/tenant_access.hpp"

#include <map>
#include <string>
#include <vector>

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// Quotas of what a tenant may create: `sources` and `endpoints`, those that are not deleted (disabled ones count).
namespace postrider {

struct creation_quota {
  std::optional<std::int64_t> tenant_quotas::*member;
  const char* name;  ///< in the tenant's `quotas`, and for people
  const char* count; ///< SQL: how many there are. $1 tenant_no
};
extern const creation_quota source_quota, endpoint_quota;

/// `places`: where each new one stands in the request. Throws `refusal` (422 `quota-exceeded`, an error at each that
/// goes beyond; at most 100 of them) where the tenant's own quota, else its plan's, has no room for all; 500
/// `plan-missing` where its own says nothing and `plans` has no such plan, with a warning in the log once a plan.
/// `enter_tenant` has locked the tenant's row for writing, so nobody creates at the same time.
void check_quota(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                 const std::map<std::string, tenant_quotas>& plans, const creation_quota& quota,
                 const std::vector<std::string>& places);

template <class Item>
void check_quota(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                 const std::map<std::string, tenant_quotas>& plans, const creation_quota& quota,
                 const std::vector<Item>& items) {
  std::vector<std::string> places;
  places.reserve(items.size());
  for (const auto& item : items)
    places.push_back(item.at);
  check_quota(transaction, tenant, plans, quota, places);
}

} // namespace postrider
