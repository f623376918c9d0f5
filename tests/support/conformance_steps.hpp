#pragma once

#include "tests/support/store_conformance.hpp"

#include <boost/test/unit_test.hpp>

#include <mutex>

/// The steps that conformance cases are made of. Each fails its test where the store does not come back.
namespace postrider::tests {

/// What remains of an item that was handed over.
struct sent {
  event_id event;
  std::vector<delivery_id> deliveries;
};

sent send(store_under_test& on, accept_item_ptr item);
/// Waits for the item's outcome.
const accept_item& answer_of(store_under_test& on, event_id id);
/// Must be accepted.
sent send_and_commit(store_under_test& on, accept_item_ptr item);

/// One outcome, and what came of it.
record_result record(store_under_test& on, outcome_write write);
/// The end of that attempt of a delivery to the tenant's first endpoint; with `retry_wait` it is due in an hour.
outcome_write end_of_attempt(store_under_test& on, const conformance_tenant& tenant, delivery_id id,
                             std::uint32_t number, delivery_state to);

/// For the tenant's first endpoint; whatever was committed just now is due.
claim_request claim_of(store_under_test& on, const conformance_tenant& tenant, std::uint32_t limit = 16);
claim_result claim(store_under_test& on, const claim_request& request);
std::optional<std::size_t> close_interrupted(store_under_test& on, const conformance_tenant& tenant,
                                             std::vector<delivery_id> known);

/// The row, which must be there.
stored_delivery read(store_under_test& on, delivery_id id);
std::array<std::uint8_t, 10> random_bits();

/// What a call back brought; it must be a value.
template <class T>
T loaded(store_under_test& on, const std::function<void(std::function<void(result<T>)>)>& ask) {
  std::mutex mutex;
  std::optional<result<T>> out;
  ask([&](result<T> answer) {
    const std::lock_guard lock{mutex};
    out.emplace(std::move(answer));
  });
  BOOST_REQUIRE(on.eventually([&] {
    const std::lock_guard lock{mutex};
    return out.has_value();
  }));
  BOOST_REQUIRE(out->has_value());
  return std::move(**out);
}

// ------------------------------------------------------------------------------------------------ the cases

std::vector<conformance_case> accept_cases();
std::vector<conformance_case> delivery_cases();
std::vector<conformance_case> lane_cases();
std::vector<conformance_case> cancel_cases();
std::vector<conformance_case> order_cases();
std::vector<conformance_case> configuration_cases();

} // namespace postrider::tests
