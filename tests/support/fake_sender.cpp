#include "tests/support/fake_sender.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace postrider::test {

void fake_sender::start(std::vector<attempt_request> attempts) {
  if (throws > 0) {
    --throws;
    throw std::runtime_error("the fake sender was told to throw");
  }
  for (auto& each : attempts) {
    started_.push_back(each);
    if (refuses)
      report(std::move(each), {.failure = attempt_reason::connect_timeout}, false);
    else if (const auto facts = endpoint ? endpoint(each) : std::nullopt)
      report(std::move(each), *facts, true);
    else
      running_.push_back(std::move(each));
  }
}

void fake_sender::report(attempt_request request, attempt_facts facts, bool sent) {
  jobs_.push_back([request = std::move(request), facts, sent] {
    attempt_result result;
    result.delivery = request.delivery;
    result.number = request.number;
    result.breaker_epoch = request.breaker_epoch;
    result.facts = facts;
    result.sent = sent;
    request.owner->finished({std::move(result)});
  });
}

bool fake_sender::finish(const delivery_id& delivery, attempt_facts facts) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [&](const attempt_request& each) { return each.delivery == delivery; });
  if (found == running_.end())
    return false;
  auto request = std::move(*found);
  running_.erase(found);
  report(std::move(request), facts, true);
  return true;
}

void fake_sender::abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) {
  jobs_.push_back([this, owner, done = std::move(done)] {
    std::vector<attempt_result> results;
    std::erase_if(running_, [&](const attempt_request& each) {
      if (each.owner.get() != owner)
        return false;
      attempt_result result;
      result.delivery = each.delivery;
      result.number = each.number;
      result.facts.failure = attempt_reason::interrupted;
      results.push_back(std::move(result));
      return true;
    });
    aborted_ += results.size();
    done(std::move(results));
  });
}

std::size_t fake_sender::run() {
  std::size_t done = 0;
  while (!jobs_.empty()) {
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
    ++done;
  }
  return done;
}

} // namespace postrider::test
