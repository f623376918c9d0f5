#pragma once

#include "core/time.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace postrider {

/// The io threads (design.md section 7): N threads with one `io_context` each, shared by LISTENER and SENDER. What is
/// created on a context stays on its thread for ever, so nothing that lives on one needs a lock.
///
/// Order at the end: stop listening and close SENDER, `stop()`, destroy server and sender, destroy this. The contexts
/// themselves (and the handlers still in them) live until this object is destroyed.
class io_threads {
public:
  /// `count`: 1 to 64; anything else is clamped. No thread runs before `start()`, so acceptors can be opened on the
  /// contexts first.
  explicit io_threads(std::size_t count);
  ~io_threads(); ///< stops
  io_threads(const io_threads&) = delete;
  io_threads& operator=(const io_threads&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }
  [[nodiscard]] boost::asio::io_context& context(std::size_t index) noexcept;

  void start();
  /// Ends the loops at once (what waits in them is not run any more) and joins. Not from an io thread. Idempotent; no
  /// second start.
  void stop();
  [[nodiscard]] bool running() const noexcept { return running_; }

  /// Runs `work` on that thread; from any thread, never blocks. An exception out of it is logged and ends nothing else.
  void post(std::size_t index, std::function<void()> work);
  /// When that thread last made a turn: each handles a timer of its own every `turn_gap`, so a thread that is held up
  /// shows. Nothing: it does not run. From any thread.
  static constexpr milliseconds turn_gap{500};
  [[nodiscard]] std::optional<mono_time> last_turn(std::size_t index) const noexcept;
  /// Whether the caller is that thread.
  [[nodiscard]] bool on_thread(std::size_t index) const noexcept;

private:
  struct worker;
  std::vector<std::unique_ptr<worker>> workers_;
  bool running_ = false;
  bool stopped_ = false;
};

} // namespace postrider
