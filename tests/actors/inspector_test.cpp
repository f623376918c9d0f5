#include "tests/actors/supervised.hpp"

#include <algorithm>
#include <cctype>

using namespace postrider;
using namespace postrider::test;
using namespace std::chrono_literals;

namespace {

/// Tenants `t-10`, `t-11`, … with one source and two endpoints each; all have their rows in the database, the first
/// `awake` of them live.
struct forest : virtual_system {
  explicit forest(int tenants, int awake) {
    requests.endpoint = [](const attempt_request&) { return std::optional{attempt_facts{.http_status = 204}}; };
    for (int i = 0; i < tenants; ++i) {
      auto config = config_of({});
      config.no = 100 + i;
      config.slug = slug(i);
      config.id.value.bytes[14] = static_cast<std::uint8_t>(i + 1);
      for (int e = 0; e < 2; ++e) {
        auto& endpoint = config.endpoints.emplace_back();
        endpoint.no = 1'000 + i * 2 + e;
        endpoint.id.value.bytes[14] = static_cast<std::uint8_t>(i + 1);
        endpoint.id.value.bytes[15] = static_cast<std::uint8_t>(e);
        endpoint.url = "https://example.com/";
        rest({"n1", config.slug, tree_kind::delivery, to_string(endpoint.id)});
      }
      rest(supervisor_path("n1", config.slug));
      rest({"n1", config.slug, tree_kind::provider_verifier, "github"});
      put(std::move(config));
    }
    for (int i = 0; i < awake; ++i)
      BOOST_REQUIRE((post({.tenant = slug(i), .id = "d-" + std::to_string(i)}) == ingest_result::accepted));
    advance(100ms);
  }
  static std::string slug(int i) { return "t-" + std::to_string(10 + i); }
  void rest(const tree_path& path) {
    resting.add(path, 3);
    all.push_back(to_string(path));
  }

  std::vector<std::string> read(actor_query query) {
    std::vector<std::string> out;
    for (int pages = 0; pages < 1'000; ++pages) {
      auto found = page(query);
      BOOST_REQUIRE(found.data.size() <= query.limit);
      for (const auto& each : found.data)
        out.push_back(each.path);
      if (!found.next)
        return out;
      query.after = found.next;
    }
    BOOST_FAIL("the list does not end");
    return out;
  }

  std::vector<std::string> all{"/node/n1"};
};

std::vector<std::string> in_order(std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end(),
            [](const auto& left, const auto& right) { return *parse_tree_path(left) < *parse_tree_path(right); });
  return paths;
}

} // namespace

BOOST_AUTO_TEST_SUITE(inspector_pages)

BOOST_AUTO_TEST_CASE(living_and_resting_actors_are_one_tree_over_any_pages) {
  forest world{20, 9};
  const auto wanted = in_order(world.all);
  for (const std::size_t limit : {1U, 7U, 50U, 250U}) {
    const auto read = world.read({.limit = limit});
    BOOST_TEST(read == wanted, boost::test_tools::per_element());
  }
  const auto page = world.page({.limit = 250});
  const auto living =
    std::count_if(page.data.begin(), page.data.end(), [](const auto& each) { return each.state != "passive"; });
  BOOST_TEST(living == 1 + 9 * 4); // the node; of each tenant its supervisor, its verifier and both deliveries
  for (const auto& each : page.data) {
    BOOST_TEST(each.node == "n1");
    BOOST_TEST((each.kind == "node" || each.epoch == 5));
  }
  BOOST_TEST(page.nodes.size() == 1U);
  BOOST_TEST(page.nodes.front().answered);
  BOOST_TEST(page.nodes.front().error == "");
}

BOOST_AUTO_TEST_CASE(filters_and_depth_hold_over_pages) {
  forest world{12, 5};
  BOOST_TEST(world.read({.depth = 0}).size() == 1U);
  BOOST_TEST(world.read({.depth = 1, .limit = 5}).size() == 13U);
  BOOST_TEST(world.read({.kind = tree_kind::tenant_supervisor, .limit = 5}).size() == 12U);
  BOOST_TEST(world.read({.kind = tree_kind::delivery, .limit = 5}).size() == 24U);
  BOOST_TEST(world.read({.kind = tree_kind::provider_verifier, .limit = 5}).size() == 12U);
  BOOST_TEST(world.read({.kind = tree_kind::node}).size() == 1U);
  BOOST_TEST(world.read({.kind = tree_kind::delivery, .depth = 1}).empty());
  BOOST_TEST(world.read({.state = "passive", .limit = 3}).size() == 7U * 4U);
  BOOST_TEST(world.read({.state = "closed", .kind = tree_kind::delivery, .limit = 3}).size() == 10U);
  BOOST_TEST(world.read({.state = "verifying", .limit = 2}).size() == 5U);
  BOOST_TEST(world.read({.state = "no such state"}).empty());
  const tree_path held{"n1", "t-30", tree_kind::delivery, "ep_held"};
  world.resting.add(held, 3, {}, endpoint_status::paused);
  BOOST_TEST(world.read({.state = "paused"}) == std::vector{to_string(held)}, boost::test_tools::per_element());
  BOOST_TEST(world.read({.state = "disabled"}).empty());
  BOOST_TEST(world.one(to_string(held))->state == "paused");
  const auto elsewhere = world.page({.node = "n2"});
  BOOST_TEST(elsewhere.nodes.empty());
  BOOST_TEST(elsewhere.data.empty());
}

BOOST_AUTO_TEST_CASE(a_cursor_holds_while_the_tree_changes) {
  forest world{6, 6};
  const auto first = world.page({.limit = 9});
  BOOST_REQUIRE(first.next.has_value());
  world.advance(60s); // the deliveries are let go: what was alive is at rest now
  auto rest = world.read({.limit = 4, .after = first.next});
  std::vector<std::string> both;
  for (const auto& each : first.data)
    both.push_back(each.path);
  both.insert(both.end(), rest.begin(), rest.end());
  BOOST_TEST(both == in_order(world.all), boost::test_tools::per_element());
  // Where the cursor points to nobody, those after it follow.
  const auto beside = world.page({.limit = 1, .after = supervisor_path("n1", "t-10x")});
  BOOST_TEST(beside.data.front().path == "/node/n1/tenants/t-11");
}

BOOST_AUTO_TEST_CASE(with_the_database_away_memory_alone_is_shown_and_said_so) {
  forest world{6, 2};
  world.resting.away = true;
  const auto away = world.page({.limit = 250});
  BOOST_TEST(away.data.size() == 1U + 2 * 4);
  BOOST_TEST(away.nodes.front().answered);
  BOOST_TEST(away.nodes.front().error == "the database did not answer: actors at rest are not shown");
  world.resting.away = false;
  world.resting.silent = true;
  const auto silent = world.begin_page({.limit = 250});
  world.settle();
  BOOST_TEST(!silent->has_value());
  world.advance(1'100ms);
  BOOST_REQUIRE(silent->has_value());
  BOOST_TEST((*silent)->data.size() == 1U + 2 * 4);
  BOOST_TEST((*silent)->nodes.front().error != "");
  // Of those that live the database is not asked.
  BOOST_TEST(world.one("/node/n1/tenants/t-10")->state == "owner");
}

BOOST_AUTO_TEST_CASE(a_page_costs_one_question_to_the_database) {
  forest world{20, 3};
  const auto before = world.resting.calls.load();
  world.page({.limit = 50});
  BOOST_TEST(world.resting.calls.load() == before + 1);
  world.page({.state = "quarantined"}); // none of those at rest is
  BOOST_TEST(world.resting.calls.load() == before + 1);
}

BOOST_AUTO_TEST_CASE(without_a_lease_nobody_is_said_to_rest_here) {
  forest world{4, 0};
  world.own(0);
  BOOST_TEST(world.read({}).size() == 1U);
  BOOST_TEST(world.one("/node/n1/tenants/t-10").error().code == "actor-unknown");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(inspector_actors)

BOOST_AUTO_TEST_CASE(each_kind_is_found_by_its_path_alive_or_at_rest) {
  forest world{4, 2};
  for (const auto& path : world.all) {
    const auto found = world.one(path);
    BOOST_REQUIRE_MESSAGE(found.has_value(), path);
    BOOST_TEST(found->path == path);
    BOOST_TEST(found->node == "n1");
  }
  BOOST_TEST(world.one("/node/n1/tenants/t-13")->state == "passive");
  BOOST_TEST(world.one("/node/n1/tenants/t-13/sources/github")->state == "passive");
  auto shouted = *std::find_if(world.all.begin(), world.all.end(),
                               [](const auto& path) { return path.starts_with("/node/n1/tenants/t-10/deliveries/"); });
  const auto id = shouted.find("ep_") + 3;
  std::transform(shouted.begin() + static_cast<std::ptrdiff_t>(id), shouted.end(),
                 shouted.begin() + static_cast<std::ptrdiff_t>(id),
                 [](char each) { return static_cast<char>(std::toupper(static_cast<unsigned char>(each))); });
  BOOST_TEST(world.one(shouted)->state == "closed"); // alive, however its id is written
  const auto supervisor = *world.one("/node/n1/tenants/t-10");
  BOOST_TEST(supervisor.state == "owner");
  BOOST_TEST(supervisor.children == 3U);
  BOOST_TEST(!supervisor.transitions.empty());
  BOOST_TEST(supervisor.next_wake_at.has_value());
}

BOOST_AUTO_TEST_CASE(who_is_neither_is_unknown_and_who_cannot_be_told_is_503) {
  forest world{2, 1};
  for (const auto* path : {"/node/n2", "/node/n1/tenants/nobody", "/node/n1/tenants/t-10/sources/none",
                           "/node/n1/tenants/t-10/deliveries/ep_x", "/node/n2/tenants/t-10"}) {
    const auto found = world.one(path);
    BOOST_REQUIRE(!found);
    BOOST_TEST(found.error().status == 404);
    BOOST_TEST(found.error().code == "actor-unknown");
  }
  world.resting.away = true;
  BOOST_TEST(world.one("/node/n1/tenants/t-11").error().status == 503);
}

BOOST_AUTO_TEST_CASE(a_verifier_counts_its_refusals_by_reason) {
  supervised world;
  world.hangs = false;
  world.post({.id = "a"});
  world.advance(1s);
  BOOST_TEST((world.post({.id = "b", .secret = "wrong"}) == ingest_result::rejected));
  const auto status = *world.actor("/sources/github");
  const auto count = [&](const std::string& name) {
    const auto found = std::find_if(status.counters.begin(), status.counters.end(),
                                    [&](const auto& each) { return each.first == name; });
    return found == status.counters.end() ? -1 : found->second;
  };
  BOOST_TEST(count("accepted") == 1);
  BOOST_TEST(count("rejected") == 1);
  BOOST_TEST(count("rejected:signature-mismatch") == 1);
  BOOST_TEST(count("rejected:header-missing") == 0);
  BOOST_TEST(world.counts.ingest_refusals[static_cast<std::size_t>(verify_reason::signature_mismatch)].value() == 1U);
}

BOOST_AUTO_TEST_CASE(a_restarted_child_keeps_the_story_of_its_crash) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.crash_delivery("b");
  const auto down = *world.actor(first_path);
  BOOST_TEST(down.state == "restarting");
  BOOST_TEST(down.next_wake_at.has_value());
  world.advance(5s);
  const auto up = *world.actor(first_path);
  BOOST_TEST(up.state == "closed");
  BOOST_TEST(up.restarts == 1U);
  const auto told = [&](const std::string& to, const std::string& cause) {
    return std::any_of(up.transitions.begin(), up.transitions.end(),
                       [&](const auto& each) { return each.to == to && each.cause == cause; });
  };
  BOOST_TEST(told("restarting", "crashed"));
  BOOST_TEST(told("running", "restarted"));
  BOOST_TEST(std::is_sorted(up.transitions.begin(), up.transitions.end(),
                            [](const auto& left, const auto& right) { return left.at > right.at; }));
  const auto parent = *world.actor("/tenants/acme");
  const auto crashes = std::find_if(parent.counters.begin(), parent.counters.end(),
                                    [](const auto& each) { return each.first == "crashes"; });
  BOOST_TEST(crashes->second == 1);
}

BOOST_AUTO_TEST_CASE(a_delivery_tells_what_was_stored_of_it_before_it_was_woken) {
  forest world{1, 1};
  const auto path = world.all.at(1); // behind the node
  const auto parsed = parse_tree_path(path);
  BOOST_REQUIRE((parsed && parsed->kind == tree_kind::delivery));
  const auto now = world.context.wall_now();
  world.resting.tell(*parsed, {{now + 1s, "closed", "open", "its own memory tells"},
                               {now - 2h, "open", "closed", "probe_succeeded"},
                               {now - 3h, "closed", "open", "attempts_failed"}});
  const auto causes = [&] {
    std::vector<std::string> out;
    const auto shown = world.one(path);
    for (const auto& each : shown->transitions)
      out.push_back(each.cause);
    return out;
  };
  const auto all = causes();
  BOOST_REQUIRE(all.size() > 2U);
  BOOST_TEST(all.at(all.size() - 2) == "probe_succeeded");
  BOOST_TEST(all.back() == "attempts_failed");
  BOOST_TEST(std::count(all.begin(), all.end(), "its own memory tells") == 0);
  world.resting.away = true;
  BOOST_TEST(causes().size() == all.size() - 2);
}

BOOST_AUTO_TEST_CASE(a_quarantined_child_is_found_by_its_state) {
  supervised world;
  world.submit({.id = "a"});
  world.settle();
  world.door.throw_at("claim", 1'000);
  world.crash_delivery("b");
  world.advance(30s);
  const auto page = world.page({.state = "quarantined"});
  BOOST_REQUIRE(page.data.size() == 1U);
  BOOST_TEST(page.data.front().path.ends_with(first_path));
  BOOST_TEST(page.data.front().restarts == 6U);
}

BOOST_AUTO_TEST_CASE(breakers_that_are_open_are_counted_while_their_actor_lives) {
  supervised world;
  world.requests.endpoint = [](const attempt_request&) { return std::optional{attempt_facts{.http_status = 500}}; };
  for (int i = 0; i < 12; ++i)
    world.post({.id = "d-" + std::to_string(i)});
  BOOST_TEST(world.counts.breakers_open.value() == 2);
  BOOST_TEST(world.actor(first_path)->delivery->breaker_state == "open");
  world.requests.endpoint = [](const attempt_request&) { return std::optional{attempt_facts{.http_status = 204}}; };
  world.advance(300s);
  BOOST_TEST(world.counts.breakers_open.value() == 0);
  BOOST_TEST(world.counts.attempt_failures[static_cast<std::size_t>(attempt_reason::http_status)].value() > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
