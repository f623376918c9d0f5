#pragma once

#include "actors/sender.hpp"
#include "actors/store.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace postrider::test {

/// SENDER in memory: remembers what it was asked, answers by script or by the test's hand. No threads: reports wait
/// until `run`, which calls back from there. Not thread-safe.
class fake_sender final : public sender {
public:
  /// What the endpoint says at once; nothing: the attempt runs until `finish`.
  std::function<std::optional<attempt_facts>(const attempt_request&)> endpoint;
  /// So many of the next `start`s throw, as a mistake of ours would: nothing of them is taken.
  int throws = 0;
  /// Attempts started from now on are refused before the first byte.
  bool refuses = false;

  void start(std::vector<attempt_request> attempts) override;
  void abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) override;

  /// Ends a running attempt; false when it does not run.
  bool finish(const delivery_id& delivery, attempt_facts facts);
  /// Reports what has ended and calls back; how many things were done.
  std::size_t run();

  /// Everything that was ever started, in order.
  [[nodiscard]] const std::vector<attempt_request>& started() const noexcept { return started_; }
  [[nodiscard]] const std::vector<attempt_request>& running() const noexcept { return running_; }
  [[nodiscard]] std::size_t aborted() const noexcept { return aborted_; }

private:
  void report(attempt_request request, attempt_facts facts, bool sent);

  std::vector<attempt_request> started_, running_;
  std::deque<std::function<void()>> jobs_;
  std::size_t aborted_ = 0;
};

} // namespace postrider::test
