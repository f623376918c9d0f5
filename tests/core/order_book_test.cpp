#include "core/order_book.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

using ids = std::vector<delivery_id>;
using texts = std::vector<std::string>;

delivery_id id_of(std::uint8_t number) {
  delivery_id out;
  out.value.bytes[15] = number;
  return out;
}

struct book_fixture {
  order_book book;
  wall_time wall{std::chrono::hours{24 * 365 * 56}};
  mono_time mono{1h};

  void pass(milliseconds time) {
    wall += time;
    mono += time;
  }
  order_look look(bool all = false) { return book.look(all, wall, mono); }
  /// A round that finds nothing.
  void finish_round() {
    book.look_around();
    look();
    book.looked(std::nullopt, false, mono);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(order_books, book_fixture)

BOOST_AUTO_TEST_CASE(only_the_front_of_a_key_has_its_turn) {
  BOOST_TEST(book.add(id_of(1), "a"));
  BOOST_TEST(!book.add(id_of(2), "a"));
  BOOST_TEST(!book.add(id_of(3), "a"));
  BOOST_TEST(book.add(id_of(4), "b"));
  BOOST_TEST((book.left(id_of(1), {}, wall) == id_of(2)));
  BOOST_TEST((book.left(id_of(2), {}, wall) == id_of(3)));
  BOOST_TEST(!book.left(id_of(4), {}, wall).has_value());
}

BOOST_AUTO_TEST_CASE(a_key_whose_chain_has_ended_is_asked_for_at_once) {
  book.add(id_of(1), "a");
  BOOST_TEST(!book.wants_look(wall, mono));
  book.left(id_of(1), {}, wall);
  BOOST_TEST(book.wants_look(wall, mono));
  const auto asked = look();
  BOOST_TEST((asked.keys == texts{"a"}));
  BOOST_TEST(!asked.from.has_value());
  book.looked(std::nullopt, false, mono);
  BOOST_TEST(!book.wants_look(wall, mono));
}

BOOST_AUTO_TEST_CASE(a_front_that_failed_takes_all_behind_it_back_and_is_asked_for_when_it_is_due) {
  for (std::uint8_t i = 1; i <= 3; ++i)
    book.add(id_of(i), "a");
  BOOST_TEST((book.cut(id_of(1)) == ids{id_of(2), id_of(3)}));
  BOOST_TEST(book.cut(id_of(1)).empty());
  book.expect("a", wall); // a commit: but the key is open until all of it has left
  BOOST_TEST(!book.wants_look(wall, mono));
  book.left(id_of(2), wall, wall);
  book.left(id_of(1), wall + 5s, wall);
  BOOST_TEST(!book.expected_at().has_value());
  BOOST_TEST((look().open_keys == texts{"a"}));
  book.left(id_of(3), wall, wall);
  BOOST_TEST((book.expected_at() == wall + 5s));
  BOOST_TEST((book.look_at(wall, mono) == mono + 5s));
  BOOST_TEST(look().open_keys.empty());
}

BOOST_AUTO_TEST_CASE(one_in_the_middle_is_cut_with_those_behind_it_and_those_ahead_go_on) {
  for (std::uint8_t i = 1; i <= 4; ++i)
    book.add(id_of(i), "a");
  BOOST_TEST((book.cut(id_of(3)) == ids{id_of(4)}));
  BOOST_TEST((book.left(id_of(1), {}, wall) == id_of(2)));
  BOOST_TEST(!book.left(id_of(3), wall, wall).has_value());
  BOOST_TEST(!book.left(id_of(2), {}, wall).has_value());
  BOOST_TEST(!book.expected_at().has_value());
  book.left(id_of(4), wall, wall);
  BOOST_TEST((book.expected_at() == wall));
}

BOOST_AUTO_TEST_CASE(fronts_stay_when_the_rest_is_cut) {
  for (std::uint8_t i = 1; i <= 3; ++i)
    book.add(id_of(i), "a");
  book.add(id_of(4), "b");
  BOOST_TEST((book.cut_behind() == ids{id_of(2), id_of(3)}));
  BOOST_TEST(book.cut_behind().empty());
  book.left(id_of(2), {}, wall);
  book.left(id_of(3), {}, wall);
  BOOST_TEST(!book.left(id_of(1), {}, wall).has_value());
  BOOST_TEST((look().open_keys == texts{"b"}));
}

BOOST_AUTO_TEST_CASE(an_adopted_one_keeps_its_key_open_until_it_is_closed) {
  book.adopt(id_of(1), "a");
  BOOST_TEST((look().open_keys == texts{"a"}));
  book.left(id_of(1), wall, wall);
  BOOST_TEST((look().keys == texts{"a"}));
}

BOOST_AUTO_TEST_CASE(keys_are_asked_for_when_they_are_due_the_soonest_first) {
  book.expect("late", wall + 2s);
  book.expect("soon", wall + 1s);
  book.expect("later", wall + 1h);
  BOOST_TEST(!book.wants_look(wall, mono));
  pass(2s);
  BOOST_TEST((look().keys == texts{"soon", "late"}));
  book.looked(std::nullopt, false, mono);
  BOOST_TEST((look(true).keys == texts{"later"}));
}

BOOST_AUTO_TEST_CASE(when_the_breaker_closes_all_keys_are_due) {
  book.expect("a", wall + 1h);
  book.expect("b", wall - 1s);
  book.expect_all(wall);
  BOOST_TEST((look().keys == texts{"b", "a"}));
}

BOOST_AUTO_TEST_CASE(a_look_that_failed_is_made_again) {
  book.expect("a", wall);
  book.look_around();
  BOOST_TEST(look().from.has_value());
  book.failed(wall);
  const auto again = look();
  BOOST_TEST((again.keys == texts{"a"}));
  BOOST_TEST((again.from == std::string{}));
}

BOOST_AUTO_TEST_CASE(a_round_goes_page_by_page_and_begins_no_sooner_than_its_interval) {
  book.look_around();
  BOOST_TEST((look().from == std::string{}));
  book.looked("m", false, mono); // nothing found: a pause before the next page
  BOOST_TEST(!book.wants_look(wall, mono));
  BOOST_TEST((book.look_at(wall, mono) == mono + order_book::page_every));
  pass(order_book::page_every);
  BOOST_TEST((look().from == std::string{"m"}));
  book.looked("t", true, mono); // something found: at once
  BOOST_TEST((look().from == std::string{"t"}));
  BOOST_TEST(book.looks_around());
  book.looked(std::nullopt, true, mono);
  BOOST_TEST(!book.looks_around());
  book.look_around();
  BOOST_TEST(!book.wants_look(wall, mono));
  pass(order_book::round_every);
  BOOST_TEST((look().from == std::string{}));
}

BOOST_AUTO_TEST_CASE(keys_that_do_not_fit_are_found_by_a_round_when_the_first_of_them_is_due) {
  for (std::size_t i = 0; i < order_book::keys_max; ++i)
    book.expect("key " + std::to_string(i), wall + 1h);
  finish_round();
  pass(order_book::round_every);
  book.expect("one more", wall + 10s);
  book.expect("another", wall + 20s);
  BOOST_TEST(!book.wants_look(wall, mono));
  BOOST_TEST((book.look_at(wall, mono) == mono + 10s));
  pass(10s);
  const auto asked = look();
  BOOST_TEST(asked.keys.empty());
  BOOST_TEST(asked.from.has_value());
}

BOOST_AUTO_TEST_CASE(a_look_asks_for_a_bounded_number_of_keys) {
  for (std::size_t i = 0; i < order_book::wanted_max + 1; ++i)
    book.expect("key " + std::to_string(i), wall);
  BOOST_TEST(look().keys.size() == order_book::wanted_max);
  book.looked(std::nullopt, true, mono);
  BOOST_TEST(look().keys.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_failure_makes_runs_short_and_successes_make_them_long) {
  book.note_end(false);
  BOOST_TEST(look().run == 1U);
  for (int i = 0; i < 200; ++i)
    book.note_end(true);
  BOOST_TEST(look().run == order_book::run_max);
}

BOOST_AUTO_TEST_SUITE_END()
