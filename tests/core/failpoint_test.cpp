#include "core/failpoint.hpp"

// Only in programs that have them: the preset `dev`. What `kill` does is seen by tests/fault.
#ifdef POSTRIDER_FAILPOINTS

#include <boost/test/unit_test.hpp>

#include <chrono>

namespace {

using namespace postrider;

constexpr auto here = failpoint_number("accept.before");
constexpr auto elsewhere = failpoint_number("claim.before");

struct disarmed {
  ~disarmed() { arm_failpoints({}); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(failpoint_test, disarmed)

BOOST_AUTO_TEST_CASE(what_is_not_armed_does_nothing) {
  BOOST_TEST(!arm_failpoints("accept.before=cut").has_value());
  BOOST_TEST(!hit_failpoint(elsewhere));
  BOOST_TEST(hit_failpoint(here));
}

BOOST_AUTO_TEST_CASE(a_number_names_the_one_hit_that_acts) {
  BOOST_TEST(!arm_failpoints("claim.before=cut,accept.before=cut@2").has_value());
  BOOST_TEST(!hit_failpoint(here));
  BOOST_TEST(hit_failpoint(here));
  BOOST_TEST(!hit_failpoint(here));
  BOOST_TEST(hit_failpoint(elsewhere));
  BOOST_TEST(hit_failpoint(elsewhere)); // without a number: every hit
}

BOOST_AUTO_TEST_CASE(a_stall_lasts_as_long_as_it_says_and_is_no_cut) {
  BOOST_TEST(!arm_failpoints("accept.before=stall:20").has_value());
  const auto before = std::chrono::steady_clock::now();
  BOOST_TEST(!hit_failpoint(here));
  BOOST_TEST((std::chrono::steady_clock::now() - before >= std::chrono::milliseconds{20}));
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_an_error_that_lists_the_known_ones) {
  const auto wrong = arm_failpoints("accept.befor=kill");
  BOOST_REQUIRE(wrong.has_value());
  for (const auto& each : failpoints)
    BOOST_TEST(wrong->find(each.name) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_action_is_an_error_and_nothing_is_armed) {
  BOOST_TEST(!arm_failpoints("accept.before=cut").has_value());
  for (const auto* text :
       {"accept.before", "accept.before=", "accept.before=die", "accept.before=kill@0", "accept.before=kill@",
        "accept.before=kill@1x", "accept.before=stall", "accept.before=stall:", "accept.before=stall:60001",
        "accept.before=stall:-1", "claim.before=kill,,"})
    BOOST_TEST(arm_failpoints(text).has_value(), text);
  BOOST_TEST(hit_failpoint(here)); // what was armed before stays
  BOOST_TEST(!arm_failpoints({}).has_value());
  BOOST_TEST(!hit_failpoint(here));
}

BOOST_AUTO_TEST_SUITE_END()

#endif
