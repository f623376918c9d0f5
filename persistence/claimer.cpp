#include "persistence/claimer.hpp"

#include "core/failpoint.hpp"
#include "persistence/claim_rows.hpp"
#include "persistence/claim_sql.hpp"
#include "persistence/ordered_claim.hpp"
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
enum class row_kind : int { claimed = 0, later = 1, overdue = 2, owned = 3 };

delivery_lane lane_of(const pqxx::row& row) {
  return all_lanes.at(row[lane_column].as<std::size_t>());
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
      out.due_by_lane.note(read_time_up(row[5]), lane_of(row));
      break;
    case row_kind::overdue:
      out.overdue_attempts.push_back(read_overdue(row));
      break;
    case row_kind::owned:
      out.owned = true;
      break;
    }
  }
  out.next_due = out.due_by_lane.earliest();
  return out;
}

// What of an ordered endpoint stands in no order, behind what does.
void add(claim_result& out, claim_result more) {
  out.owned = more.owned;
  out.next_due = more.next_due;
  out.due_by_lane = more.due_by_lane;
  std::move(more.claimed.begin(), more.claimed.end(), std::back_inserter(out.claimed));
  std::move(more.overdue_attempts.begin(), more.overdue_attempts.end(), std::back_inserter(out.overdue_attempts));
}

pqxx::result run_claim(pqxx::transaction_base& transaction, const claim_request& request,
                       const std::optional<by_lane<wall_time>>& lower) {
  binary_array bounds{array_type::timestamptz}, tags{array_type::int8}, strides{array_type::int8},
    most{array_type::int4};
  for (std::size_t i = 0; i < lane_count; ++i) {
    bounds.add(lower ? (*lower)[i] : wall_time{});
    tags.add(static_cast<std::int64_t>(request.turns[i].start));
    strides.add(static_cast<std::int64_t>(fair_stride(lane_weights[i])));
    most.add(static_cast<std::int32_t>(request.turns[i].most));
  }
  const auto run = [&](const char* statement, auto... more) {
    return transaction.exec_prepared(statement, request.shard, request.endpoint, request.under, parameter(request.now),
                                     parameter(request.attempt_deadline), claim_limit_of(request), parameter(bounds),
                                     request.bytes, parameter(tags), parameter(strides), parameter(most), more...);
  };
  const bool unordered = request.order.has_value();
  if (request.backoff_before)
    return run(unordered ? "claim_unordered_reaching_back" : "claim_reaching_back", parameter(*request.backoff_before));
  return run(unordered ? "claim_unordered" : "claim");
}

} // namespace

std::vector<prepared_sql> claimer::statements() {
  std::vector<prepared_sql> out{{"claim", claim_sql},
                                {"claim_reaching_back", claim_reaching_back_sql},
                                {"claim_unordered", claim_unordered_sql},
                                {"claim_unordered_reaching_back", claim_unordered_reaching_back_sql},
                                {"expose_claimed", expose_claimed_sql},
                                {"asked_at", asked_at_sql},
                                {"interrupt_endpoint", interrupt_endpoint_sql},
                                {"close_deleted", close_deleted_sql}};
  for (auto& each : ordered_claim_statements())
    out.push_back(std::move(each));
  return out;
}

std::optional<by_lane<wall_time>> claimer::lower_bounds(endpoint_no endpoint, mono_time now) const {
  const auto found = bounds_.find(endpoint);
  if (found == bounds_.end() || now - found->second.unbounded_at >= unbounded_every)
    return std::nullopt;
  return found->second.lower;
}

void claimer::remember(const claim_request& request, const by_lane<std::optional<wall_time>>& last_claimed,
                       bool unbounded, mono_time now) {
  if (bounds_.size() >= bounds_max)
    bounds_.clear(); // the next looks are unbounded, and no worse than that
  auto& found = bounds_[request.endpoint];
  if (unbounded)
    found = {{}, now};
  for (std::size_t i = 0; i < lane_count; ++i)
    if (last_claimed[i])
      found.lower[i] = std::max(found.lower[i], std::min(*last_claimed[i], request.now) - bound_margin);
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
  POSTRIDER_FAILPOINT_CUT("claim.before", ::shutdown(on.descriptor(), SHUT_RDWR));
  auto out = request.order ? claim_in_order(on, request) : claim_result{};
  if (!out || (request.order && !out->owned))
    return answered(std::move(out), request, now);
  auto rest = request;
  rest.limit -= std::min<std::uint32_t>(request.limit, static_cast<std::uint32_t>(out->claimed.size()));
  auto by_time = claim_by_time(on, rest, now);
  if (!by_time && out->claimed.empty())
    return answered(std::move(by_time), request, now);
  if (!by_time) { // what is claimed already is not lost for that
    answered(std::move(by_time), request, now);
    out->next_due = request.now;
  } else {
    add(*out, std::move(*by_time));
  }
  return answered(std::move(out), request, now);
}

session_result<claim_result> claimer::claim_by_time(session& on, const claim_request& request, mono_time now) {
  auto lower = lower_bounds(request.endpoint, now);
  if (lower && request.due_from)
    for (auto& each : *lower)
      each = std::min(each, *request.due_from);
  by_lane<std::optional<wall_time>> last_claimed{};
  auto out = on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction transaction{connection};
    POSTRIDER_FAILPOINT_CUT("claim.unheard", ::shutdown(on.descriptor(), SHUT_RD));
    const auto rows = run_claim(transaction, request, lower);
    auto result = read_claim(rows);
    for (pqxx::result::size_type i = 0; i < static_cast<pqxx::result::size_type>(result.claimed.size()); ++i)
      last_claimed[index_of(lane_of(rows[i]))] = read_time(rows[i][16]); // of a lane the oldest first
    return result;
  });
  if (out && out->overdue_attempts.empty()) // overdue ones must stay in sight
    remember(request, last_claimed, !lower, now);
  return out;
}

session_result<claim_result> claimer::answered(session_result<claim_result> out, const claim_request& request,
                                               mono_time now) {
  if (!out) {
    if (out.error().what == session_failure::kind::lost)
      remember_lost(request, now);
    return out;
  }
  POSTRIDER_FAILPOINT("claim.committed");
  metrics_.claim_calls.add();
  metrics_.claim_rows.add(out->claimed.size());
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
