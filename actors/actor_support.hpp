#pragma once

#include "actors/inspection.hpp"
#include "actors/tree_parts.hpp"
#include "config/log_fields.hpp"

#include <caf/exit_reason.hpp>
#include <caf/scheduled_actor.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>

namespace postrider {

/// What every actor remembers of itself for operators: its state since when, and its last transitions. At most 20.
class biography {
public:
  void enter(wall_time at, std::string_view state, std::string_view cause) {
    if (state == state_)
      return;
    note_transition(transitions_, {at, state_, std::string{state}, std::string{cause}});
    state_ = state;
    since_ = at;
  }
  void describe(actor_status& out) const {
    out.state = state_;
    out.since = since_;
    out.transitions = transitions_;
  }
  [[nodiscard]] const std::string& state() const noexcept { return state_; }

private:
  std::string state_;
  wall_time since_{};
  child_history transitions_;
};

/// Calls `last` once, when all that were expected are done. For one actor's several answers; not shared between
/// threads.
class countdown {
public:
  explicit countdown(std::function<void()> last) : last_{std::move(last)} {}
  void expect() noexcept { ++left_; }
  /// The caller's own `done` ends the counting: it is expected from the start.
  void done() {
    if (--left_ == 0)
      last_();
  }

private:
  std::size_t left_ = 1;
  std::function<void()> last_;
};

/// How many messages waited when the actor's present turn began. (CAF 0.17.6: `mailbox().size()` would fetch what came
/// since, and casts the empty queue's head to a message in doing so: undefined, and the sanitizers say so.)
inline std::size_t messages_waiting(caf::scheduled_actor& self) noexcept {
  return self.mailbox().queue().total_task_size();
}

/// An exception that leaves a handler ends the actor with `unhandled_exception`; its supervisor decides what follows.
/// Logged here, once.
inline void log_and_end_on_exception(caf::scheduled_actor* self, std::string path) {
  self->set_exception_handler([path = std::move(path)](std::exception_ptr& failure) -> caf::error {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      log_event(spdlog::level::err, "actor crashed", {{"actor", path}, {"error", e.what()}});
    } catch (...) {
      log_event(spdlog::level::err, "actor crashed", {{"actor", path}, {"error", "an exception of unknown type"}});
    }
    return caf::exit_reason::unhandled_exception;
  });
}

} // namespace postrider
