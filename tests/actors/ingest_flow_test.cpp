#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

std::optional<attempt_facts> accepts(const attempt_request&) {
  return attempt_facts{.http_status = 204};
}

std::int64_t credits_lent(virtual_system& world) {
  const auto shown = world.actor(to_string(virtual_system::id_of(1)));
  return shown ? counter_of(*shown, "send_credits") : -1;
}

/// A system whose endpoint 1 has a DELIVERY with lent credits already.
struct warm : virtual_system {
  explicit warm(engine_limits limits = {}) : virtual_system{limits} {
    requests.endpoint = accepts;
    post({.id = "warm-up"});
    settle();
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(ingest_flow)

BOOST_AUTO_TEST_CASE(a_signed_webhook_is_committed_answered_sent_and_recorded) {
  virtual_system world;
  world.requests.endpoint = accepts;
  const auto sequence = world.submit();
  world.settle();
  const auto answer = world.answer(sequence);
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST((answer->result == ingest_result::accepted));
  BOOST_TEST(world.database.has_event(answer->id));
  const auto rows = world.database.deliveries_of(1);
  BOOST_REQUIRE(rows.size() == 1U);
  BOOST_TEST((rows[0].state == delivery_state::succeeded));
  BOOST_TEST(rows[0].attempt_count == 1U);
  BOOST_REQUIRE(rows[0].attempts.size() == 1U);
  BOOST_TEST(rows[0].attempts[0].number == 1U);
  BOOST_REQUIRE(world.requests.started().size() == 1U);
  const auto& sent = world.requests.started()[0];
  BOOST_TEST((sent.what->id == answer->id));
  BOOST_TEST(sent.what->body == R"({"a":1})");
  BOOST_TEST(sent.what->type == "push");
  BOOST_TEST(world.admission->events() == 0);
  BOOST_TEST(world.admission->bytes() == 0);
}

BOOST_AUTO_TEST_CASE(with_a_credit_the_first_attempt_rides_and_nothing_is_claimed) {
  warm world;
  const auto claims = world.database.claim_calls();
  BOOST_TEST((world.post({.id = "d-2"}) == ingest_result::accepted));
  BOOST_TEST(world.database.claim_calls() == claims);
  BOOST_TEST(world.requests.started().size() == 2U);
  BOOST_TEST(world.requests.started()[1].number == 1U);
}

BOOST_AUTO_TEST_CASE(an_event_that_matches_no_endpoint_is_accepted_without_deliveries) {
  virtual_system world;
  auto config = virtual_system::config_of({1}, 2);
  config.endpoints[0].event_types = {"release"};
  world.put(config);
  BOOST_TEST((world.post({}) == ingest_result::accepted));
  BOOST_TEST(world.database.deliveries().empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_signature_is_rejected_with_its_reason_after_a_look_at_the_database) {
  warm world;
  const auto loads = world.database.load_calls();
  const auto sequence = world.submit({.id = "d-2", .secret = "other"});
  world.settle();
  BOOST_TEST((world.answer(sequence)->result == ingest_result::rejected));
  BOOST_TEST(world.answer(sequence)->code == "signature-mismatch");
  BOOST_TEST(world.database.load_calls() <= loads + 1);
  BOOST_TEST(!world.requests.started().empty());
}

BOOST_AUTO_TEST_CASE(an_unknown_tenant_is_404_and_the_database_is_asked_at_most_each_100_ms) {
  virtual_system world;
  for (int i = 0; i < 50; ++i)
    BOOST_TEST((world.post({.tenant = "nobody"}) == ingest_result::unknown));
  BOOST_TEST(world.database.load_calls() == 1U);
  world.advance(110ms);
  BOOST_TEST((world.post({.tenant = "nobody"}) == ingest_result::unknown));
  BOOST_TEST(world.database.load_calls() == 2U);
}

BOOST_AUTO_TEST_CASE(an_unknown_source_is_404_and_the_database_is_asked_at_most_each_100_ms) {
  warm world;
  world.advance(200ms);
  const auto loads = world.database.load_calls();
  for (int i = 0; i < 50; ++i)
    BOOST_TEST((world.post({.source = "gitlab"}) == ingest_result::unknown));
  BOOST_TEST(world.database.load_calls() == loads + 1);
  world.advance(110ms);
  world.post({.source = "gitlab"});
  BOOST_TEST(world.database.load_calls() == loads + 2);
}

BOOST_AUTO_TEST_CASE(a_tenant_made_on_another_node_is_found_although_it_was_unknown_just_before) {
  virtual_system world;
  BOOST_TEST((world.post({.tenant = "fresh"}) == ingest_result::unknown));
  auto config = virtual_system::config_of({1});
  config.no = 2;
  config.slug = "fresh";
  config.id.value.bytes[15] = 2;
  world.put(config);
  world.advance(110ms);
  BOOST_TEST((world.post({.tenant = "fresh"}) == ingest_result::accepted));
}

BOOST_AUTO_TEST_CASE(ids_stand_for_slug_and_name) {
  virtual_system world;
  world.requests.endpoint = accepts;
  const auto config = virtual_system::config_of({1});
  const virtual_system::webhook by_id{.tenant = to_string(config.id), .source = to_string(config.sources[0].id)};
  BOOST_TEST((world.post(by_id) == ingest_result::accepted));
  BOOST_TEST((world.post({}) == ingest_result::duplicate));
}

BOOST_AUTO_TEST_CASE(a_secret_rotated_on_another_node_is_accepted_at_once_although_the_cached_one_says_no) {
  warm world;
  world.advance(300ms);
  auto config = virtual_system::config_of({1}, 2);
  config.sources[0].secrets = {{"rotated", {}}};
  world.put(config);
  // No turn of the database in between: the change is not told yet, only there.
  const auto sequence = world.submit({.id = "d-2", .secret = "rotated"});
  world.run_actors();
  BOOST_TEST(!world.answer(sequence).has_value());
  world.settle();
  BOOST_TEST((world.answer(sequence)->result == ingest_result::accepted));
  BOOST_TEST((world.post({.id = "d-3", .secret = "s3cret"}) == ingest_result::rejected));
}

BOOST_AUTO_TEST_CASE(a_stale_plan_is_planned_again_and_the_new_endpoint_gets_its_delivery) {
  warm world;
  const auto sequence = world.submit({.id = "d-2"});
  world.run_actors(); // planned on version 1, not committed yet
  world.put(virtual_system::config_of({1, 2}, 2));
  world.pass(7ms);
  world.settle();
  BOOST_TEST((world.answer(sequence)->result == ingest_result::accepted));
  BOOST_TEST(world.database.deliveries_of(1).size() == 2U);
  const auto late = world.database.deliveries_of(2);
  BOOST_REQUIRE(late.size() == 1U);
  BOOST_TEST((time_of(late[0].id.value) == time_of(late[0].what->id.value))); // by which it is found
}

BOOST_AUTO_TEST_CASE(a_plan_that_is_stale_again_and_again_ends_as_503_not_in_a_loop) {
  warm world;
  std::int64_t version = 2;
  const auto sequence = world.submit({.id = "d-2"});
  const auto before = world.door.calls("accept");
  for (int i = 0; i < 20 && !world.answer(sequence); ++i) {
    world.run_actors();
    world.put(virtual_system::config_of({1}, version++)); // a change before each commit
    world.database.run();
  }
  world.settle();
  world.advance(5s);
  BOOST_REQUIRE(world.answer(sequence).has_value());
  BOOST_TEST(world.door.calls("accept") <= before + 5);
  BOOST_TEST(world.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(a_duplicate_answers_the_first_id_and_returns_its_credit) {
  warm world;
  const auto first = world.submit({.id = "d-2"});
  world.settle();
  const auto credits = credits_lent(world);
  const auto second = world.submit({.id = "d-2"});
  world.run_actors();
  BOOST_TEST(credits_lent(world) <= credits);
  world.settle();
  BOOST_TEST((world.answer(second)->result == ingest_result::duplicate));
  BOOST_TEST((world.answer(second)->id == world.answer(first)->id));
  BOOST_TEST(credits_lent(world) == credits);
  BOOST_TEST(world.requests.started().size() == 2U);
}

BOOST_AUTO_TEST_CASE(two_hundred_posts_of_one_id_make_one_event_and_all_name_it) {
  warm world;
  std::vector<std::uint64_t> sequences;
  for (int i = 0; i < 200; ++i)
    sequences.push_back(world.submit({.id = "same"}));
  world.settle();
  const auto id = world.answer(sequences[0])->id;
  for (const auto each : sequences)
    BOOST_TEST((world.answer(each)->id == id));
  BOOST_TEST(world.requests.started().size() == 2U);
  const auto credits = credits_lent(world);
  BOOST_TEST(credits >= 4);
  for (int i = 0; i < 200; ++i)
    world.submit({.id = "same"});
  world.settle();
  BOOST_TEST(credits_lent(world) == credits);
}

BOOST_AUTO_TEST_CASE(a_full_queue_of_the_store_is_503_and_returns_the_credit) {
  warm world;
  const auto credits = credits_lent(world);
  world.door.full = true;
  BOOST_TEST((world.post({.id = "d-2"}) == ingest_result::overloaded));
  world.door.full = false;
  BOOST_TEST(credits_lent(world) == credits);
}

BOOST_AUTO_TEST_CASE(with_the_database_away_an_event_is_503_within_its_deadline_and_returns_the_credit) {
  warm world;
  const auto credits = credits_lent(world);
  world.database.set_available(false);
  const auto sequence = world.submit({.id = "d-2"});
  world.advance(4'900ms);
  BOOST_TEST(!world.answer(sequence).has_value());
  world.advance(200ms);
  BOOST_TEST((world.answer(sequence)->result == ingest_result::unavailable));
  world.database.set_available(true);
  world.settle();
  BOOST_TEST(credits_lent(world) == credits);
  BOOST_TEST(world.admission->events() == 0);
}

BOOST_AUTO_TEST_CASE(with_the_database_away_a_refusal_is_503_because_nobody_can_know) {
  warm world;
  world.advance(200ms);
  world.database.set_available(false);
  const auto sequence = world.submit({.id = "d-2", .secret = "other"});
  world.advance(5s);
  BOOST_TEST((world.answer(sequence)->result == ingest_result::unavailable));
  BOOST_TEST((world.post({.tenant = "nobody"}) == ingest_result::unavailable));
}

BOOST_AUTO_TEST_CASE(failed_reloads_do_not_multiply_while_the_database_is_away) {
  warm world;
  world.advance(200ms);
  world.database.set_available(false);
  for (int i = 0; i < 100; ++i)
    BOOST_TEST((world.post({.source = "gitlab"}) == ingest_result::unavailable));
  const auto loads = world.database.load_calls();
  world.advance(10s);
  BOOST_TEST(world.database.load_calls() - loads <= 21U); // one each 500 ms
  world.database.set_available(true);
  world.advance(1s);
  const auto calm = world.database.load_calls();
  world.advance(10s);
  BOOST_TEST(world.database.load_calls() == calm);
}

BOOST_AUTO_TEST_CASE(a_disabled_tenant_or_source_is_404) {
  warm world;
  auto config = virtual_system::config_of({1}, 2);
  config.sources[0].enabled = false;
  world.put(config);
  world.advance(200ms);
  BOOST_TEST((world.post({.id = "d-2"}) == ingest_result::unknown));
  config = virtual_system::config_of({1}, 3);
  world.put(config);
  world.advance(3s);
  BOOST_TEST((world.post({.id = "d-2"}) == ingest_result::accepted));
  config.version = 4;
  config.enabled = false;
  world.put(config);
  world.advance(200ms);
  BOOST_TEST((world.post({.id = "d-3"}) == ingest_result::unknown));
}

BOOST_AUTO_TEST_CASE(a_deleted_tenant_is_404_and_its_actors_end) {
  warm world;
  world.database.remove_tenant(1);
  world.advance(3s);
  BOOST_TEST((world.post({.id = "d-2"}) == ingest_result::unknown));
  BOOST_TEST(world.tree().size() == 1U);
  BOOST_TEST(world.verifiers.size() == 0U);
}

BOOST_AUTO_TEST_CASE(who_reaches_a_verifier_of_a_deleted_tenant_is_refused_at_once) {
  warm world;
  provider_verifier_actor leaving;
  BOOST_REQUIRE(world.verifiers.with("acme", "github", [&](const auto& found) { leaving = found; }));
  world.database.remove_tenant(1);
  world.advance(1s);
  BOOST_REQUIRE(world.verifiers.size() == 0U);
  world.verifiers.publish("acme", "github", leaving); // LISTENER had found it before
  const auto sequence = world.submit({.id = "d-2"});
  world.settle();
  BOOST_REQUIRE(world.answer(sequence).has_value());
  BOOST_TEST((world.answer(sequence)->result == ingest_result::unknown));
  world.verifiers.withdraw("acme", "github", leaving->address());
}

BOOST_AUTO_TEST_CASE(requests_that_wait_for_a_tenant_are_bounded) {
  engine_limits limits;
  limits.waiting_requests_max = 10;
  virtual_system world{limits};
  std::vector<std::uint64_t> sequences;
  for (int i = 0; i < 15; ++i)
    sequences.push_back(world.submit({.tenant = "nobody"}));
  world.run_actors();
  for (int i = 0; i < 15; ++i)
    BOOST_TEST(world.answer(sequences[static_cast<std::size_t>(i)]).has_value() == (i >= 10));
  BOOST_TEST((world.answer(sequences[14])->result == ingest_result::overloaded));
  world.settle();
  BOOST_TEST((world.answer(sequences[0])->result == ingest_result::unknown));
}

BOOST_AUTO_TEST_SUITE_END()
