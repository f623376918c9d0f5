#include "actors/steward.hpp"

namespace postrider {

namespace {
constexpr milliseconds inspection_max{2'000};
} // namespace

steward_actor::behavior_type steward(steward_actor::pointer self, node_actor node) {
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
