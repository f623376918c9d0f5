// What DELIVERY takes back because somebody asked to cancel it.

#include "actors/delivery_routing.hpp"

#include <algorithm>

namespace postrider {

void end_withdrawals(delivery_state_data& state) {
  std::erase_if(state.withdrawals, [&](const withdrawal_ptr& each) {
    const auto& ids = each->deliveries();
    return std::none_of(ids.begin(), ids.end(), [&](const delivery_id& id) { return state.dispatch->records(id); });
  });
}

void on_withdraw(delivery_self self, withdrawal_ptr what) {
  auto& state = self->state;
  ++state.seen;
  const auto now = now_of(self);
  state.dispatch->withdraw(what->deliveries(), now, state.effects);
  apply(self, now);
  state.withdrawals.push_back(std::move(what));
  end_withdrawals(state);
}

} // namespace postrider
