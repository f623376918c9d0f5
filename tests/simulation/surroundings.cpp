#include "tests/simulation/surroundings.hpp"

#include <algorithm>
#include <iterator>

namespace postrider::simulation {

namespace {

const wall_time birth{std::chrono::hours{24 * 365 * 56}};

/// Keeps what is reported of writes.
class kept_results final : public delivery_port {
public:
  void finished(std::vector<attempt_result>) override {}
  void recorded(std::vector<record_result> results) override {
    std::move(results.begin(), results.end(), std::back_inserter(all));
  }
  std::vector<record_result> all;
};

} // namespace

void shared_database::accepted(std::vector<accept_item_ptr> batch) {
  std::move(batch.begin(), batch.end(), std::back_inserter(accepted_));
}

accept_item_ptr shared_database::accept(accept_item_ptr item) {
  rows.accept(item);
  rows.run();
  auto out = std::move(accepted_.at(0));
  accepted_.clear();
  return out;
}

std::vector<record_result> shared_database::record(std::vector<outcome_write> writes) {
  const auto kept = std::make_shared<kept_results>();
  for (auto& each : writes)
    each.owner = kept;
  rows.record(std::move(writes));
  rows.run();
  return std::move(kept->all);
}

std::vector<due_hint> shared_database::poll(wall_time until) {
  rows.poll_due(until);
  rows.run();
  return std::exchange(hints_, {});
}

surroundings::surroundings(std::uint64_t seed) : chance{seed} {
  set_now(start);
}

void surroundings::set_now(mono_time to) {
  now = to;
  database.rows.set_now(wall());
  database.rows.set_mono_now(now);
}

wall_time surroundings::wall() const {
  return birth + elapsed();
}

milliseconds surroundings::elapsed() const {
  return std::chrono::floor<milliseconds>(now - start);
}

std::int64_t surroundings::number_of(const delivery_id& delivery) {
  return numbers_.emplace(delivery, static_cast<std::int64_t>(numbers_.size()) + 1).first->second;
}

bool surroundings::disturbed(endpoint_no endpoint, wall_time from, wall_time until) const {
  for (const auto which : {endpoint, endpoint_no{0}}) {
    const auto found = disturbances_.find(which);
    if (found == disturbances_.end())
      continue;
    const auto at = std::lower_bound(found->second.begin(), found->second.end(), from);
    if (at != found->second.end() && *at <= until)
      return true;
  }
  return false;
}

} // namespace postrider::simulation
