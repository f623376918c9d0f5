#include "actors/steward.hpp"

#include "config/log_fields.hpp"

#include <caf/exit_reason.hpp>

#include <utility>

namespace postrider {

namespace {

using self_pointer = steward_actor::stateful_pointer<steward_state>;

void start_inspector(self_pointer self) {
  self->state.inspector = self->spawn<caf::linked + caf::monitored>(inspector, self->state.given.inspection);
}

void on_down(self_pointer self, const caf::down_msg& down) {
  auto& state = self->state;
  if (down.source == state.inspector->address())
    return start_inspector(self);
  if (down.reason == caf::exit_reason::user_shutdown)
    return;
  const auto why = caf::to_string(down.reason);
  log_event(spdlog::level::critical, "the node's top actor has ended", {{"reason", why}});
  if (state.given.failed)
    state.given.failed(why);
}

} // namespace

steward_actor::behavior_type steward(self_pointer self, steward_arguments given) {
  self->state.given = std::move(given);
  self->monitor(self->state.given.node);
  self->set_down_handler([=](const caf::down_msg& down) { on_down(self, down); });
  self->set_exit_handler([=](const caf::exit_msg& message) {
    if (message.source != self->state.inspector->address()) // its monitor tells
      self->quit(message.reason);
  });
  start_inspector(self);
  return {
    [=](atom::drain, std::int64_t deadline_ms, const handed<drain_callback>& callback) {
      const auto done = std::make_shared<drain_callback>(callback.take());
      self->request(self->state.given.node, milliseconds{deadline_ms}, atom::drain::value)
        .then([done](bool ended) { (*done)(ended); }, [done](const caf::error&) { (*done)(false); });
    },
    [=](atom::tree, const handed<page_question>& question) {
      self->send(self->state.inspector, atom::tree::value, question);
    },
    [=](atom::status, const handed<actor_question>& question) {
      self->send(self->state.inspector, atom::status::value, question);
    },
    [=](atom::loaded, std::uint64_t ticket, const handed<result<resting_stretch>>& answer) {
      self->send(self->state.inspector, atom::loaded::value, ticket, answer);
    },
    [=](atom::loaded, std::uint64_t ticket, const handed<result<std::optional<resting_actor>>>& answer) {
      self->send(self->state.inspector, atom::loaded::value, ticket, answer);
    },
  };
}

} // namespace postrider
