#pragma once

#include "tests/support/virtual_system.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace postrider::test {

inline const auto delivery_path = "/deliveries/" + to_string(virtual_system::id_of(1));

/// Endpoint answers `status` while it is set; else attempts run until the test ends them.
struct delivering : virtual_system {
  explicit delivering(engine_limits limits = {}) : virtual_system{limits} {
    requests.endpoint = [this](const attempt_request&) {
      return status == 0 ? std::nullopt : std::optional{attempt_facts{.http_status = status}};
    };
  }
  /// A new event for each name.
  void events(const std::vector<std::string>& ids) {
    for (const auto& id : ids)
      submit({.id = id});
    settle();
  }
  [[nodiscard]] std::size_t in_state(delivery_state state) const {
    std::size_t count = 0;
    for (const auto& [id, row] : database.deliveries())
      count += row.state == state ? 1 : 0;
    return count;
  }
  /// Attempts 1..n of every delivery have their rows, and no request was made without one.
  void check_attempts() const {
    for (const auto& [id, row] : database.deliveries()) {
      BOOST_REQUIRE(row.attempts.size() == row.attempt_count);
      for (std::size_t i = 0; i < row.attempts.size(); ++i)
        BOOST_TEST(row.attempts[i].number == i + 1);
    }
    std::set<std::pair<delivery_id, std::uint32_t>> sent;
    for (const auto& each : requests.started())
      BOOST_TEST(sent.emplace(each.delivery, each.number).second);
  }

  int status = 204;
};

} // namespace postrider::test
