#include "persistence/accept_queue.hpp"

#include "tests/support/store_conformance.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

struct queueing {
  bool push(tenant_no tenant, std::size_t body = 0, std::chrono::milliseconds patience = 60s) {
    conformance_tenant of;
    of.no = tenant;
    auto item = make_accept_item(wall_time{std::chrono::hours{24 * 365 * 50}}, of, std::to_string(++made));
    if (body > 0) {
      auto larger = std::make_shared<event>(*item->what);
      larger->body.assign(body, 'x');
      item->what = std::move(larger);
    }
    item->deadline = std::chrono::steady_clock::now() + patience;
    return queue.push(item);
  }
  std::vector<queued_accept> take() { return queue.take(std::chrono::steady_clock::now()); }
  static std::map<tenant_no, std::size_t> by_tenant(const std::vector<queued_accept>& batch) {
    std::map<tenant_no, std::size_t> out;
    for (const auto& each : batch)
      ++out[each.item->what->tenant];
    return out;
  }

  std::uint64_t made = 0;
  metrics counts;
  std::atomic<std::size_t> late{0};
  accept_queue queue{{}, counts, [this](std::vector<queued_accept> items) {
                       late += items.size();
                       for (const auto& each : items)
                         queue.answered(1, each.weight);
                     }};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(accept_queues, queueing)

BOOST_AUTO_TEST_CASE(a_tenant_that_floods_is_refused_before_it_has_taken_the_room_of_others) {
  std::size_t taken = 0;
  while (push(1))
    ++taken;
  BOOST_TEST(taken == 3'277U); // four fifths
  for (tenant_no other = 2; other < 102; ++other)
    BOOST_REQUIRE(push(other));
  BOOST_TEST(!push(1));
}

BOOST_AUTO_TEST_CASE(queues_of_two_lanes_add_up_to_one_level_and_leave_nothing_of_it) {
  BOOST_TEST(counts.accept_queue_max.value() == 4'096);
  accept_queue other{{.events_max = 1'024}, counts, [](std::vector<queued_accept>) {}};
  BOOST_TEST(counts.accept_queue_max.value() == 5'120);
  for (const tenant_no tenant : {1, 1, 1, 2})
    BOOST_REQUIRE(push(tenant));
  BOOST_TEST(counts.accept_queue.value() == 4);
  BOOST_TEST(counts.accept_queue_bytes.value() > 0);
  queue.expire_all(); // several of one tenant at once
  BOOST_TEST(late.load() == 4U);
  BOOST_TEST(counts.accept_queue.value() == 0);
  BOOST_TEST(counts.accept_queue_bytes.value() == 0);
}

BOOST_AUTO_TEST_CASE(a_tenant_that_floods_with_bytes_is_refused_likewise) {
  while (push(1, 1 << 20))
    ;
  BOOST_TEST(counts.accept_queue.value() == 52); // of 64
  for (int i = 0; i < 5; ++i)
    BOOST_REQUIRE(push(2, 1 << 20));
}

BOOST_AUTO_TEST_CASE(tenants_take_turns_in_a_batch_and_each_keeps_its_order) {
  for (int i = 0; i < 1'000; ++i)
    BOOST_REQUIRE(push(1));
  for (int i = 0; i < 100; ++i)
    BOOST_REQUIRE(push(2));
  const auto batch = take();
  BOOST_TEST(batch.size() == 256U);
  const auto got = by_tenant(batch);
  BOOST_TEST(got.at(2) == 100U); // behind a thousand, all of them are in the first batch
  std::map<tenant_no, int> last;
  for (const auto& each : batch) {
    const auto number = std::stoi(each.item->what->provider_event_id);
    BOOST_TEST(number > last[each.item->what->tenant]);
    last[each.item->what->tenant] = number;
  }
}

BOOST_AUTO_TEST_CASE(great_bodies_use_up_more_of_a_turn) {
  for (int i = 0; i < 20; ++i)
    BOOST_REQUIRE(push(1, 512 << 10));
  for (int i = 0; i < 200; ++i)
    BOOST_REQUIRE(push(2));
  const auto got = by_tenant(take());
  BOOST_TEST(got.at(2) >= 100U);
  BOOST_TEST(got.at(1) <= 2U);
}

BOOST_AUTO_TEST_CASE(what_is_put_back_comes_first_again_and_gives_its_room_back_when_it_is_answered) {
  for (int i = 0; i < 600; ++i)
    BOOST_REQUIRE(push(1 + i % 3));
  auto batch = take();
  std::map<tenant_no, std::vector<event_id>> order;
  for (const auto& each : batch)
    order[each.item->what->tenant].push_back(each.item->what->id);
  const auto size = batch.size();
  queue.put_back(std::move(batch));
  batch = take();
  BOOST_REQUIRE(batch.size() == size);
  std::map<tenant_no, std::size_t> next;
  for (const auto& each : batch) {
    const auto tenant = each.item->what->tenant;
    if (next[tenant] < order[tenant].size())
      BOOST_TEST((each.item->what->id == order[tenant][next[tenant]++]));
  }
  std::size_t bytes = 0;
  for (const auto& each : batch)
    bytes += each.weight;
  queue.answered(batch.size(), bytes);
  BOOST_TEST(counts.accept_queue.value() == static_cast<std::int64_t>(600 - size));
}

BOOST_AUTO_TEST_CASE(what_is_past_its_deadline_is_handed_out_wherever_it_stands) {
  BOOST_REQUIRE(push(1));
  BOOST_REQUIRE(push(1, 0, 0ms)); // behind one that has time
  BOOST_REQUIRE(push(2, 0, 0ms));
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (late < 2 && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  BOOST_TEST(late == 2U);
  BOOST_TEST(take().size() == 1U);
  queue.expire_all();
}

BOOST_AUTO_TEST_SUITE_END()
