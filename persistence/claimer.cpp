#include "persistence/claimer.hpp"

#include "core/failpoint.hpp"
#include "persistence/claim_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <bit>
#include <utility>

namespace postrider {

namespace {

constexpr milliseconds unbounded_every{60'000};
constexpr std::chrono::seconds look_for_lost{60};
constexpr int page_size = 1'000;
// A row becomes visible later than its due time says, by as much as the accept statement may take (postgres_store.cpp:
// 4 s); where it is later still, whoever asks knows since when (`due_from`), or it waits for the unbounded look.
constexpr milliseconds bound_margin{6'000};
// Bodies of one claim: 256 deliveries of a megabyte each would be more than all of an endpoint's backlog may take.
constexpr std::int64_t claim_bytes_max = 4 << 20;

enum class row_kind : int { claimed = 0, later = 1, overdue = 2, owned = 3 };

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
          std::bit_cast<std::uint32_t>(row[4].as<std::int32_t>())};
}

claim_result read_claim(const pqxx::result& rows) {
  claim_result out;
  out.owned = false;
  for (const auto& row : rows) {
    switch (static_cast<row_kind>(row[0].as<int>())) {
    case row_kind::claimed:
      out.claimed.push_back(read_claimed(row));
      break;
    case row_kind::later:
      out.next_due = read_time_up(row[5]);
      break;
    case row_kind::overdue:
      out.overdue_attempts.push_back(
        {{read_uuid(row[1])}, row[5].as<std::int64_t>(), row[2].as<std::uint32_t>(), row[3].as<std::uint32_t>()});
      break;
    case row_kind::owned:
      out.owned = true;
      break;
    }
  }
  return out;
}

pqxx::result run_claim(pqxx::transaction_base& transaction, const claim_request& request,
                       const std::optional<wall_time>& lower) {
  const auto run = [&](const char* statement, auto... more) {
    return transaction.exec_prepared(statement, request.shard, request.endpoint, request.under, parameter(request.now),
                                     parameter(request.attempt_deadline), std::min<std::uint32_t>(request.limit, 256),
                                     lower ? parameter(*lower) : std::string{"-infinity"}, claim_bytes_max, more...);
  };
  return request.backoff_before ? run("claim_reaching_back", parameter(*request.backoff_before)) : run("claim");
}

} // namespace

std::vector<prepared_sql> claimer::statements() {
  return {{"claim", claim_sql},
          {"claim_reaching_back", claim_reaching_back_sql},
          {"expose_claimed", expose_claimed_sql},
          {"asked_at", asked_at_sql},
          {"interrupt_endpoint", interrupt_endpoint_sql},
          {"close_deleted", close_deleted_sql}};
}

std::optional<wall_time> claimer::lower_bound(endpoint_no endpoint, mono_time now) {
  const auto found = bounds_.find(endpoint);
  if (found == bounds_.end() || now - found->second.unbounded_at >= unbounded_every)
    return std::nullopt;
  return found->second.lower;
}

void claimer::remember(const claim_request& request, const std::optional<wall_time>& last_claimed, bool unbounded,
                       mono_time now) {
  if (bounds_.size() >= bounds_max)
    bounds_.clear(); // the next looks are unbounded, and no worse than that
  auto& found = bounds_[request.endpoint];
  if (unbounded)
    found = {wall_time{}, now};
  if (last_claimed)
    found.lower = std::max(found.lower, std::min(*last_claimed, request.now) - bound_margin);
}

void claimer::remember_lost(const claim_request& request, mono_time now) {
  if (lost_.size() >= lost_endpoints_max)
    std::erase_if(lost_, [now](const auto& each) { return each.second.back().look_until <= now; });
  if (lost_.size() >= lost_endpoints_max && !lost_.contains(request.endpoint))
    return;
  auto& claims = lost_[request.endpoint];
  if (claims.size() >= lost_claims_max)
    claims.erase(claims.begin());
  claims.push_back({request.attempt_deadline, now + look_for_lost});
}

std::optional<session_failure> claimer::expose_lost(session& on, const claim_request& request, mono_time now) {
  const auto found = lost_.find(request.endpoint);
  if (found == lost_.end())
    return std::nullopt;
  std::erase_if(found->second, [now](const lost_claim& each) { return each.look_until <= now; });
  if (found->second.empty()) {
    lost_.erase(found);
    return std::nullopt;
  }
  binary_array deadlines{array_type::timestamptz, found->second.size()};
  for (const auto& each : found->second)
    deadlines.add(each.deadline);
  const auto exposed = on.call([&](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}
      .exec_prepared("expose_claimed", request.shard, request.endpoint, request.under, parameter(request.now),
                     parameter(deadlines))
      .affected_rows();
  });
  if (!exposed)
    return exposed.error();
  if (*exposed > 0)
    spdlog::warn("store: a claim was committed whose answer was lost, its attempts are closed endpoint={} count={}",
                 request.endpoint, *exposed);
  return std::nullopt;
}

session_result<claim_result> claimer::claim(session& on, const claim_request& request) {
  const auto now = std::chrono::steady_clock::now();
  if (std::exchange(backend_, on.backend_pid()) != on.backend_pid())
    bounds_.clear(); // what was on its way meanwhile may lie anywhere
  if (auto failure = expose_lost(on, request, now))
    return std::move(*failure);
  auto lower = lower_bound(request.endpoint, now);
  if (lower && request.due_from)
    lower = std::min(*lower, *request.due_from);
  std::optional<wall_time> last_claimed;
  POSTRIDER_FAILPOINT_CUT("claim.before", ::shutdown(on.descriptor(), SHUT_RDWR));
  auto out = on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    POSTRIDER_FAILPOINT_CUT("claim.unheard", ::shutdown(on.descriptor(), SHUT_RD));
    const auto rows = run_claim(transaction, request, lower);
    auto result = read_claim(rows);
    if (!result.claimed.empty())
      last_claimed = read_time(rows[static_cast<pqxx::result::size_type>(result.claimed.size() - 1)][16]);
    return result;
  });
  if (!out) {
    if (out.error().what == session_failure::kind::lost)
      remember_lost(request, now);
    return out;
  }
  POSTRIDER_FAILPOINT("claim.committed");
  metrics_.claim_calls.add();
  metrics_.claim_rows.add(out->claimed.size());
  if (out->overdue_attempts.empty()) // overdue ones must stay in sight
    remember(request, last_claimed, !lower, now);
  return out;
}

session_result<std::string> claimer::database_time(session& on) {
  return on.call([](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}.exec_prepared1("asked_at")[0].as<std::string>();
  });
}

session_result<std::optional<std::size_t>>
claimer::close_interrupted(session& on, endpoint_no endpoint, shard_no shard, fence under,
                           const std::vector<delivery_id>& known, const uuid& rides_from, const std::string& asked_at) {
  binary_array shards{array_type::int2}, fences{array_type::int8}, ids{array_type::uuid, known.size(), 16};
  shards.add(shard);
  fences.add(under);
  for (const auto& each : known)
    ids.add(each.value);
  return on.call([&](pqxx::connection_base& connection) {
    const auto row =
      pqxx::nontransaction{connection}.exec_prepared1("interrupt_endpoint", parameter(shards), parameter(fences),
                                                      endpoint, parameter(ids), to_string(rides_from), asked_at);
    const bool mine = row[3].as<std::int64_t>() != 0;
    return mine ? std::optional{row[1].as<std::size_t>()} : std::nullopt;
  });
}

session_result<deleted_page> claimer::close_deleted(session& on, tenant_no tenant, endpoint_no endpoint, shard_no shard,
                                                    fence under, const uuid& rides_from) {
  binary_array shards{array_type::int2}, fences{array_type::int8};
  shards.add(shard);
  fences.add(under);
  return on.call([&](pqxx::connection_base& connection) {
    const auto row = pqxx::nontransaction{connection}.exec_prepared1(
      "close_deleted", parameter(shards), parameter(fences), endpoint, page_size, to_string(rides_from), tenant);
    return deleted_page{row[1].as<std::int64_t>() != 0, row[2].as<bool>(), row[0].as<int>() >= page_size};
  });
}

} // namespace postrider
