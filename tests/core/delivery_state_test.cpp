#include "core/delivery_state.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <map>
#include <set>
#include <utility>

using namespace postrider;

namespace {

using state = delivery_state;
using input = delivery_input;

constexpr std::array states{state::pending,   state::in_flight, state::retry_wait,
                            state::succeeded, state::dead,      state::cancelled};
constexpr std::array inputs{input::claim,     input::succeed, input::fail,   input::give_up,
                            input::interrupt, input::release, input::cancel, input::revive};
static_assert(states.size() == delivery_state_count && inputs.size() == delivery_input_count);

/// All that is allowed; every other pair is refused.
const std::map<std::pair<state, input>, state> allowed{
  {{state::pending, input::claim}, state::in_flight},        {{state::pending, input::give_up}, state::dead},
  {{state::pending, input::cancel}, state::cancelled},       {{state::in_flight, input::succeed}, state::succeeded},
  {{state::in_flight, input::fail}, state::retry_wait},      {{state::in_flight, input::give_up}, state::dead},
  {{state::in_flight, input::interrupt}, state::retry_wait}, {{state::in_flight, input::release}, state::pending},
  {{state::in_flight, input::cancel}, state::cancelled},     {{state::retry_wait, input::claim}, state::in_flight},
  {{state::retry_wait, input::give_up}, state::dead},        {{state::retry_wait, input::cancel}, state::cancelled},
  {{state::succeeded, input::revive}, state::pending},       {{state::dead, input::revive}, state::pending},
  {{state::cancelled, input::revive}, state::pending},
};

} // namespace

BOOST_AUTO_TEST_SUITE(delivery_states)

BOOST_AUTO_TEST_CASE(every_cell_of_the_table_is_as_documented) {
  for (const auto from : states)
    for (const auto what : inputs) {
      const auto found = allowed.find({from, what});
      std::optional<state> expected;
      if (found != allowed.end())
        expected = found->second;
      BOOST_TEST((next_state(from, what) == expected), to_string(from) << " + input " << static_cast<int>(what));
    }
}

BOOST_AUTO_TEST_CASE(values_outside_the_enumerations_are_refused) {
  BOOST_TEST(!next_state(static_cast<state>(6), input::claim));
  BOOST_TEST(!next_state(state::pending, static_cast<input>(8)));
  BOOST_TEST(!next_state(static_cast<state>(255), static_cast<input>(255)));
}

BOOST_AUTO_TEST_CASE(final_states_are_left_only_by_a_person) {
  for (const auto from : states)
    for (const auto what : inputs)
      if (is_final(from) && what != input::revive)
        BOOST_TEST(!next_state(from, what));
}

BOOST_AUTO_TEST_CASE(every_state_can_be_reached_and_every_live_one_can_end) {
  std::set<state> reached{state::pending};
  for (std::size_t round = 0; round < states.size(); ++round)
    for (const auto from : std::set<state>{reached})
      for (const auto what : inputs)
        if (const auto next = next_state(from, what))
          reached.insert(*next);
  BOOST_TEST(reached.size() == states.size());
  for (const auto from : states)
    if (!is_final(from))
      BOOST_TEST((next_state(from, input::give_up) == state::dead));
}

BOOST_AUTO_TEST_CASE(final_are_succeeded_dead_and_cancelled) {
  for (const auto at : states)
    BOOST_TEST(is_final(at) == (at == state::succeeded || at == state::dead || at == state::cancelled));
}

BOOST_AUTO_TEST_CASE(words_of_states_are_the_contracts_and_read_back) {
  const std::array<std::string_view, 6> words{"pending", "in_flight", "retry_wait", "succeeded", "dead", "cancelled"};
  for (std::size_t i = 0; i < states.size(); ++i) {
    BOOST_TEST(to_string(states[i]) == words[i]);
    BOOST_TEST((parse_delivery_state(words[i]) == states[i]));
    BOOST_TEST(static_cast<std::size_t>(states[i]) == i, "stored numbers never change");
  }
  for (const std::string_view word : {"", "Pending", "pending ", "in-flight", "canceled", "dea"})
    BOOST_TEST(!parse_delivery_state(word));
  BOOST_TEST(to_string(static_cast<state>(6)).empty());
}

BOOST_AUTO_TEST_CASE(words_of_reasons_are_the_contracts_in_stored_order) {
  const std::array<std::string_view, delivery_reason_count> words{"",
                                                                  "exhausted",
                                                                  "endpoint_gone",
                                                                  "aborted_by_receiver",
                                                                  "endpoint_deleted",
                                                                  "expired",
                                                                  "quarantined",
                                                                  "cancelled_by_user",
                                                                  "erased",
                                                                  "tenant_deleted"};
  for (std::size_t i = 0; i < words.size(); ++i)
    BOOST_TEST(to_string(static_cast<delivery_reason>(i)) == words[i]);
  BOOST_TEST(to_string(static_cast<delivery_reason>(delivery_reason_count)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
