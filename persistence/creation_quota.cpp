#include "persistence/creation_quota.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <string>

namespace postrider {
namespace {

constexpr std::size_t errors_max = 100;
constexpr std::size_t plans_warned_max = 1'000;
constexpr const char* own_sql = "select plan, quotas ->> $2 from tenant where no = $1";

/// Each name once: the line says what to mend, not how often somebody met it.
void warn_of_missing(const std::string& plan) {
  static std::mutex mutex;
  static std::set<std::string> warned;
  const std::lock_guard guard{mutex};
  if (warned.size() < plans_warned_max && warned.insert(plan).second)
    spdlog::warn("quotas: tenants of a plan that is not configured on this node can create nothing plan={}", plan);
}

/// Nothing: not limited. A plan that is not configured here limits nobody knows how: nothing is made under it.
std::optional<std::int64_t> most_of(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                                    const std::map<std::string, tenant_quotas>& plans, const creation_quota& quota) {
  const auto row = transaction.exec_params1(own_sql, tenant.no, quota.name);
  if (!row[1].is_null())
    return row[1].as<std::int64_t>();
  const auto name = row[0].as<std::string>();
  if (name.empty())
    return std::nullopt;
  const auto plan = plans.find(name);
  if (plan == plans.end()) {
    warn_of_missing(name);
    refuse({500, "plan-missing", "the tenant's plan is not in this node's configuration"});
  }
  return plan->second.*quota.member;
}

} // namespace

const creation_quota source_quota{&tenant_quotas::sources, "sources",
                                  "select count(*) from source where tenant_no = $1 and deleted_at is null"};
const creation_quota endpoint_quota{&tenant_quotas::endpoints, "endpoints",
                                    "select count(*) from endpoint where tenant_no = $1 and deleted_at is null"};

void check_quota(pqxx::transaction_base& transaction, const entered_tenant& tenant,
                 const std::map<std::string, tenant_quotas>& plans, const creation_quota& quota,
                 const std::vector<std::string>& places) {
  const auto most = most_of(transaction, tenant, plans, quota);
  if (!most)
    return;
  const auto there = transaction.exec_params1(quota.count, tenant.no)[0].as<std::int64_t>();
  const auto room = static_cast<std::size_t>(std::max<std::int64_t>(*most - there, 0));
  if (places.size() <= room)
    return;
  problem beyond{422, "quota-exceeded",
                 "the tenant may have " + std::to_string(*most) + " " + quota.name + " and has " +
                   std::to_string(there)};
  for (auto i = room; i < places.size() && beyond.errors.size() < errors_max; ++i)
    beyond.errors.push_back({places[i], "quota-exceeded", "there is no room for it in the tenant's quota"});
  refuse(std::move(beyond));
}

} // namespace postrider
