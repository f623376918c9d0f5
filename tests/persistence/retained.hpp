#pragma once

#include "core/delivery_state.hpp"
#include "persistence/retention.hpp"
#include "tests/persistence/postgres_world.hpp"
#include "tests/support/conformance_steps.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>

namespace postrider::tests {

/// A database with rows of past days, whose "now" is noon of a day.
struct retained {
  explicit retained(bool start = false) : world{{.start = start}} { BOOST_REQUIRE(!on.connect()); }
  static session_options options_for(const std::string& url) {
    session_options out;
    out.url = url;
    out.role = "retention test";
    return out;
  }

  /// An id of that time.
  static std::string id_at(wall_time at) {
    return "(left(least_uuid_v7('" + to_rfc3339(at) + "')::text, 15) || right(gen_random_uuid()::text, 21))::uuid";
  }
  void make_partitions(wall_time at) {
    world.sql("select create_partitions_of(('" + to_rfc3339(at) + "'::timestamptz at time zone 'UTC')::date)");
  }
  /// One event with a delivery of that state, accounted for; a final one and one in flight have had an attempt.
  delivery_id put(const conformance_tenant& tenant, wall_time at, delivery_state state, std::size_t endpoint = 0,
                  std::optional<wall_time> delivery_at = {}, fence under = 0) {
    make_partitions(at);
    const auto made = [&](const std::string& sql) { return world.sql(sql)[0][0].as<std::string>(); };
    const auto event = made("insert into event (id, tenant_no, source_no, type, provider_event_id, content_type, "
                            "headers, forward_headers, body) values (" +
                            id_at(at) + ", " + std::to_string(tenant.no) +
                            ", 1, 'push', gen_random_uuid()::text, '', '', '', 'body') returning id");
    const auto live = state < delivery_state::succeeded;
    const auto number = std::to_string(static_cast<int>(state));
    const auto id =
      made("insert into delivery (id, event_id, tenant_no, endpoint_no, fence, next_attempt_at, updated_at, seed, "
           "attempt_count, generation, step, shard, state, reason, last_reason, last_status) values (" +
           id_at(delivery_at.value_or(at)) + ", '" + event + "', " + std::to_string(tenant.no) + ", " +
           std::to_string(tenant.endpoints.at(endpoint)) + ", " + std::to_string(under) + ", " +
           (live ? "'" + to_rfc3339(at) + "'" : std::string{"null"}) + ", '" + to_rfc3339(at) + "', 0, 1, 1, 0, " +
           std::to_string(tenant.shard) + ", " + number + ", 0, 0, 0) returning id");
    if (!live)
      world.sql("insert into attempt values ('" + id + "', 1, '" + to_rfc3339(at) + "', 5, 1, 0, 200, null)");
    std::string deltas = "1";
    for (int i = 0; i < 6; ++i)
      deltas += std::to_string(i) == number ? ", 1" : ", 0";
    world.sql("insert into tenant_counter (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, "
              "cancelled) values (" +
              std::to_string(tenant.no) + ", " + deltas + ")");
    return {*parse_uuid(id)};
  }
  retention_round run(const retention_policy& policy, wall_time at) {
    retention_round done;
    const auto failure = retain(on, policy, at, &done);
    BOOST_TEST(!failure, (failure ? failure->detail : ""));
    return done;
  }
  int count(const std::string& what) { return world.sql("select count(*) from " + what)[0][0].as<int>(); }
  void set_quota(const conformance_tenant& tenant, const std::string& plan, const std::string& quotas) {
    world.sql("update tenant set plan = '" + plan + "', quotas = '" + quotas +
              "' where no = " + std::to_string(tenant.no));
  }
  std::int64_t counted(const conformance_tenant& tenant, delivery_state state) {
    return world.counters(tenant.no).at(static_cast<std::size_t>(state)); // checks I14 as well
  }

  postgres_world world;
  watchdog dog;
  metrics counts;
  session on{options_for(world.url()), dog, counts};
  const wall_time now = std::chrono::floor<std::chrono::days>(world.now()) + std::chrono::hours{12};
};

} // namespace postrider::tests
