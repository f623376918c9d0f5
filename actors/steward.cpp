#include "actors/steward.hpp"

#include "config/log_fields.hpp"

#include <caf/exit_reason.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace postrider {

namespace {
constexpr milliseconds inspection_max{2'000};
} // namespace

steward_actor::behavior_type steward(steward_actor::pointer self, node_actor node,
                                     std::function<void(std::string)> failed) {
  self->monitor(node);
  self->set_down_handler([failed = std::move(failed)](const caf::down_msg& down) {
    if (down.reason == caf::exit_reason::user_shutdown)
      return;
    const auto why = caf::to_string(down.reason);
    log_event(spdlog::level::critical, "the node's top actor has ended", {{"reason", why}});
    if (failed)
      failed(why);
  });
  return {
    [=](atom::tree, const handed<tree_callback>& callback) {
      const auto done = std::make_shared<tree_callback>(callback.take());
      self->request(node, inspection_max, atom::tree::value)
        .then([done](const handed<actor_statuses>& statuses) { (*done)(statuses.take()); },
              [done](const caf::error&) { (*done)(std::nullopt); });
    },
    [=](atom::drain, std::int64_t deadline_ms, const handed<drain_callback>& callback) {
      const auto done = std::make_shared<drain_callback>(callback.take());
      self->request(node, milliseconds{deadline_ms}, atom::drain::value)
        .then([done](bool ended) { (*done)(ended); }, [done](const caf::error&) { (*done)(false); });
    },
  };
}

} // namespace postrider
