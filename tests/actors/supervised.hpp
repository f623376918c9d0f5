#pragma once

#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <utility>

namespace postrider::test {

inline const auto first_path = "/deliveries/" + to_string(virtual_system::id_of(1));
inline const auto second_path = "/deliveries/" + to_string(virtual_system::id_of(2));

/// Two endpoints; endpoint 1's attempts run until the test ends them, endpoint 2 accepts.
struct supervised : virtual_system {
  explicit supervised(engine_limits limits = {}) : virtual_system{limits} {
    put(config_of({1, 2}, 2));
    requests.endpoint = [this](const attempt_request& each) {
      return each.endpoint->no == 1 && hangs ? std::nullopt : std::optional{attempt_facts{.http_status = 204}};
    };
    settle();
  }
  [[nodiscard]] std::size_t count(endpoint_no endpoint, delivery_state state) const {
    std::size_t out = 0;
    for (const auto& row : database.deliveries_of(endpoint))
      out += row.state == state ? 1 : 0;
    return out;
  }
  /// The DELIVERY of endpoint 1 crashes in the handler that starts its next attempt.
  void crash_delivery(const std::string& id) {
    requests.throws = 1;
    submit({.id = id});
    settle();
  }
  /// Attempts 1..n of every delivery have their rows, and no request was made twice or without one.
  void check_attempts() const {
    std::set<std::pair<delivery_id, std::uint32_t>> sent;
    for (const auto& each : requests.started())
      BOOST_TEST(sent.emplace(each.delivery, each.number).second);
    for (const auto& [id, row] : database.deliveries()) {
      BOOST_REQUIRE(row.attempts.size() == row.attempt_count);
      for (std::size_t i = 0; i < row.attempts.size(); ++i)
        BOOST_TEST(row.attempts[i].number == i + 1);
    }
  }
  [[nodiscard]] std::size_t interrupted() const {
    std::size_t out = 0;
    for (const auto& [id, row] : database.deliveries())
      for (const auto& each : row.attempts)
        out += each.outcome == attempt_outcome::interrupted ? 1 : 0;
    return out;
  }

  bool hangs = true;
};

} // namespace postrider::test
