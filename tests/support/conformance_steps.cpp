#include "tests/support/conformance_steps.hpp"

#include <random>

namespace postrider::tests {

using namespace std::chrono_literals;

std::array<std::uint8_t, 10> random_bits() {
  thread_local std::mt19937_64 source{std::random_device{}()};
  std::array<std::uint8_t, 10> out{};
  for (auto& each : out)
    each = static_cast<std::uint8_t>(source());
  return out;
}

sent send(store_under_test& on, accept_item_ptr item) {
  sent out{item->what->id, {}};
  for (const auto& each : item->deliveries)
    out.deliveries.push_back(each.id);
  BOOST_REQUIRE(on.subject().accept(item));
  return out;
}

const accept_item& answer_of(store_under_test& on, event_id id) {
  BOOST_REQUIRE(on.eventually([&] { return on.events().answered(id) != nullptr; }));
  return *on.events().answered(id);
}

sent send_and_commit(store_under_test& on, accept_item_ptr item) {
  const auto out = send(on, std::move(item));
  BOOST_REQUIRE((answer_of(on, out.event).outcome == accept_outcome::accepted));
  return out;
}

record_result record(store_under_test& on, outcome_write write) {
  const auto owner = std::make_shared<recorded_results>();
  const auto id = write.delivery;
  write.owner = owner;
  std::vector<outcome_write> writes;
  writes.push_back(std::move(write));
  on.subject().record(std::move(writes));
  BOOST_REQUIRE(on.eventually([&] { return owner->count() == 1; }));
  return *owner->of(id);
}

outcome_write end_of_attempt(store_under_test& on, const conformance_tenant& tenant, delivery_id id,
                             std::uint32_t number, delivery_state to) {
  outcome_write out;
  out.delivery = id;
  out.tenant = tenant.no;
  out.endpoint = tenant.endpoints[0];
  out.under = on.fence_of(tenant.shard);
  out.to = to;
  const bool succeeded = to == delivery_state::succeeded;
  out.number = number;
  out.attempt = {on.now(),
                 12ms,
                 succeeded ? attempt_outcome::succeeded : attempt_outcome::failed,
                 succeeded ? attempt_reason::none : attempt_reason::http_status,
                 succeeded ? 200 : 503,
                 "answer"};
  if (to == delivery_state::retry_wait) {
    out.step = 1;
    out.next_attempt_at = on.now() + 1h;
  }
  return out;
}

claim_request claim_of(store_under_test& on, const conformance_tenant& tenant, std::uint32_t limit) {
  claim_request out;
  out.tenant = tenant.no;
  out.endpoint = tenant.endpoints[0];
  out.shard = tenant.shard;
  out.under = on.fence_of(tenant.shard);
  out.now = on.now() + 1s; // whatever was committed just now is due
  out.attempt_deadline = on.now() + 20s;
  out.limit = limit;
  return out;
}

claim_result claim(store_under_test& on, const claim_request& request) {
  std::mutex mutex;
  std::optional<claim_result> out;
  on.subject().claim(request, [&](claim_result result) {
    const std::lock_guard lock{mutex};
    out = std::move(result);
  });
  BOOST_REQUIRE(on.eventually([&] {
    const std::lock_guard lock{mutex};
    return out.has_value();
  }));
  return std::move(*out);
}

std::optional<std::size_t> close_interrupted(store_under_test& on, const conformance_tenant& tenant,
                                             std::vector<delivery_id> known) {
  std::mutex mutex;
  std::optional<std::optional<std::size_t>> out;
  on.subject().close_interrupted(tenant.no, tenant.endpoints[0], tenant.shard, on.fence_of(tenant.shard),
                                 std::move(known), [&](std::optional<std::size_t> closed) {
                                   const std::lock_guard lock{mutex};
                                   out = closed;
                                 });
  BOOST_REQUIRE(on.eventually([&] {
    const std::lock_guard lock{mutex};
    return out.has_value();
  }));
  return *out;
}

stored_delivery read(store_under_test& on, delivery_id id) {
  const auto out = on.read(id);
  BOOST_REQUIRE(out.has_value());
  return *out;
}

} // namespace postrider::tests
