#pragma once

#include "actors/ingest.hpp"
#include "actors/sender.hpp"
#include "actors/store.hpp"
#include "tests/simulation/surroundings.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace postrider::simulation {

/// I1 to I6, I10 and I14, from outside: what providers were answered and endpoints saw, held against the rows.
class delivery_check {
public:
  explicit delivery_check(surroundings& around) : around_{around} {}

  /// Any configuration that an endpoint ever had counts: nobody outside knows when an actor heard of a change.
  void allow(const endpoint_config& endpoint);
  /// An accept that was committed, at the moment of its commit, with the tenant's configuration of that moment.
  void committed(const accept_item& item, const tenant_config& config);
  /// The first byte of a request reaches the endpoint, which is going to answer so (nothing: it never does).
  void seen(const attempt_request& request, const std::optional<attempt_facts>& answer);
  /// A write as it is handed to STORE.
  void asked(const outcome_write& write, std::optional<milliseconds> retry_after);
  /// The answer to a request for that event of that provider.
  void answered(const std::string& key, const ingest_answer& answer);

  /// All rows, at any moment: attempts without gaps, the accounting.
  void check_rows() const;
  /// After all deliveries have ended.
  void check_end() const;
  [[nodiscard]] bool all_final() const;
  [[nodiscard]] std::size_t requests() const noexcept { return requests_; }

private:
  struct sight {
    std::uint32_t number = 0;
    bool good = false; ///< answered 2xx
  };
  using row = tests::fake_store::row;

  void check_attempts(const row& of) const;
  void check_final(const row& of) const;
  void check_events() const;
  [[nodiscard]] bool within_schedule(endpoint_no endpoint, const outcome_write& write,
                                     std::optional<milliseconds> retry_after) const;

  surroundings& around_;
  std::map<endpoint_no, std::vector<retry_policy>> retries_;
  std::map<event_id, std::map<endpoint_no, delivery_id>> expected_;
  std::unordered_map<delivery_id, std::vector<sight>> sights_;
  std::map<std::string, event_id> first_;
  std::size_t requests_ = 0;
};

} // namespace postrider::simulation
