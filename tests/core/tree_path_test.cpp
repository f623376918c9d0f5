#include "core/tree_path.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace postrider;

namespace {

tree_path node() {
  return {"n1", {}, tree_kind::node, {}};
}
tree_path supervisor(const std::string& tenant) {
  return supervisor_path("n1", tenant);
}
tree_path delivery(const std::string& tenant, const std::string& id) {
  return {"n1", tenant, tree_kind::delivery, id};
}
tree_path verifier(const std::string& tenant, const std::string& name) {
  return {"n1", tenant, tree_kind::provider_verifier, name};
}

/// The first `limit` after the cursor.
tree_stretch stretch_of(const std::set<tree_path>& all, const std::optional<tree_path>& after, std::size_t limit) {
  tree_stretch out;
  auto it = after ? all.upper_bound(*after) : all.begin();
  for (; it != all.end() && out.places.size() < limit; ++it)
    out.places.push_back(*it);
  out.complete = it == all.end();
  if (!out.complete && !out.places.empty())
    out.read_to = out.places.back();
  return out;
}

std::vector<std::string> paths(const tree_page& page) {
  std::vector<std::string> out;
  for (const auto& each : page.entries)
    out.push_back(to_string(each.at));
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_tree_path)

BOOST_AUTO_TEST_CASE(paths_are_read_as_they_are_written) {
  for (const auto& path : {node(), supervisor("acme"), delivery("acme", "ep_1"), verifier("acme", "git-hub_2")}) {
    const auto read = parse_tree_path(to_string(path));
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST((*read == path));
  }
  BOOST_TEST(to_string(delivery("acme", "ep_1")) == "/node/n1/tenants/acme/deliveries/ep_1");
  BOOST_TEST(to_string(verifier("acme", "github")) == "/node/n1/tenants/acme/sources/github");
  for (const auto* wrong : {"", "/", "/node", "/node/", "node/n1", "/node/n1/", "/node/n1/tenants", "/node/n1/tenants/",
                            "/node/n1/tenants/a/endpoints/b", "/node/n1/tenants/a/sources",
                            "/node/n1/tenants/a/sources/", "/node/n1/tenants/a/sources/b/c", "/tenants/a"})
    BOOST_TEST(!parse_tree_path(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_CASE(kinds_have_the_words_of_the_interface) {
  for (const auto* word : {"node", "tenant_supervisor", "delivery", "provider_verifier"}) {
    BOOST_REQUIRE(parse_tree_kind(word).has_value());
    BOOST_TEST(to_string(*parse_tree_kind(word)) == word);
  }
  BOOST_TEST(!parse_tree_kind("actor").has_value());
}

BOOST_AUTO_TEST_CASE(a_parent_comes_before_its_children_and_these_before_its_next_sibling) {
  const std::vector<tree_path> wanted{node(),
                                      supervisor("acme"),
                                      delivery("acme", "ep_1"),
                                      delivery("acme", "ep_2"),
                                      verifier("acme", "Z"),
                                      verifier("acme", "a"),
                                      end_of_tenant("n1", "acme"),
                                      supervisor("acme-2"), // though `-` is less than `/`
                                      delivery("acme-2", "ep_0"),
                                      supervisor("b")};
  BOOST_TEST(std::is_sorted(wanted.begin(), wanted.end()));
}

BOOST_AUTO_TEST_CASE(who_stands_in_both_lives_and_who_stands_in_the_database_alone_rests) {
  const tree_stretch live{{supervisor("a"), delivery("a", "2"), verifier("a", "x")}, true, {}};
  const tree_stretch resting{{supervisor("a"), delivery("a", "1"), delivery("a", "2")}, true, {}};
  const auto page = merge_stretches(live, resting, {}, 10);
  BOOST_TEST(page.complete);
  BOOST_TEST(!page.next.has_value());
  BOOST_REQUIRE(page.entries.size() == 4U);
  BOOST_TEST((page.entries[0].live == 0U && page.entries[0].resting == 0U));
  BOOST_TEST((!page.entries[1].live && page.entries[1].resting == 1U));
  BOOST_TEST((page.entries[2].live == 1U && page.entries[2].resting == 2U));
  BOOST_TEST((page.entries[3].live == 2U && !page.entries[3].resting)); // deleted just now
}

BOOST_AUTO_TEST_CASE(nothing_is_shown_beyond_the_place_up_to_which_both_were_read) {
  const tree_stretch live{{delivery("a", "1"), delivery("a", "4")}, false, delivery("a", "4")};
  const tree_stretch resting{{delivery("a", "2"), delivery("a", "5")}, true, {}};
  const auto page = merge_stretches(live, resting, {}, 10);
  BOOST_TEST(page.entries.size() == 3U);
  BOOST_TEST(!page.complete);
  BOOST_TEST((page.next == delivery("a", "4")));
}

BOOST_AUTO_TEST_CASE(a_stream_that_was_read_to_a_place_without_rows_moves_the_cursor_there) {
  const tree_stretch live{{}, false, end_of_tenant("n1", "m")};
  const tree_stretch resting{{supervisor("z")}, true, {}};
  const auto page = merge_stretches(live, resting, {}, 10);
  BOOST_TEST(page.entries.empty());
  BOOST_TEST((page.next == end_of_tenant("n1", "m")));
}

BOOST_AUTO_TEST_CASE(where_one_stream_was_not_read_at_all_nothing_is_shown) {
  const tree_stretch live{{}, false, {}};
  const tree_stretch resting{{supervisor("z")}, true, {}};
  const auto page = merge_stretches(live, resting, {}, 10);
  BOOST_TEST(page.entries.empty());
  BOOST_TEST(!page.complete);
  BOOST_TEST(!page.next.has_value());
}

BOOST_AUTO_TEST_CASE(below_a_supervisor_that_did_not_answer_nobody_is_said_to_rest) {
  const tree_stretch live{{supervisor("a"), supervisor("b")}, true, {}};
  const tree_stretch resting{
    {supervisor("a"), delivery("a", "1"), verifier("a", "x"), supervisor("b"), delivery("b", "1")}, true, {}};
  const std::vector<tree_path> silent{supervisor("a")};
  const auto page = merge_stretches(live, resting, silent, 10);
  const std::vector<std::string> wanted{"/node/n1/tenants/a", "/node/n1/tenants/b", "/node/n1/tenants/b/deliveries/1"};
  BOOST_TEST(paths(page) == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_place_is_met_once_and_in_order_whatever_the_pages) {
  std::mt19937 chance{20'261'121};
  for (int round = 0; round < 300; ++round) {
    std::set<tree_path> live, resting, all;
    for (int i = 0, count = static_cast<int>(chance() % 40); i < count; ++i) {
      const auto tenant = std::string(1, static_cast<char>('a' + chance() % 4)) + (chance() % 2 ? "-1" : "");
      const auto name = std::to_string(chance() % 6);
      const auto kind = chance() % 3;
      const auto path = kind == 0 ? supervisor(tenant) : kind == 1 ? delivery(tenant, name) : verifier(tenant, name);
      if (chance() % 3 != 0)
        resting.insert(path);
      if (chance() % 3 != 0)
        live.insert(path);
    }
    std::set_union(live.begin(), live.end(), resting.begin(), resting.end(), std::inserter(all, all.end()));
    const auto limit = 1 + chance() % 7;
    const auto read_live = 1 + chance() % 9, read_resting = 1 + chance() % 9;
    std::vector<tree_path> met;
    std::optional<tree_path> after;
    for (int pages = 0; pages < 200; ++pages) {
      const auto page =
        merge_stretches(stretch_of(live, after, read_live), stretch_of(resting, after, read_resting), {}, limit);
      BOOST_REQUIRE(page.entries.size() <= limit);
      for (const auto& each : page.entries) {
        BOOST_REQUIRE(each.live.has_value() == live.contains(each.at));
        met.push_back(each.at);
      }
      if (page.complete)
        break;
      BOOST_REQUIRE(page.next.has_value());
      after = page.next;
    }
    BOOST_TEST_REQUIRE(std::equal(met.begin(), met.end(), all.begin(), all.end()), "round " << round);
  }
}

BOOST_AUTO_TEST_SUITE_END()
