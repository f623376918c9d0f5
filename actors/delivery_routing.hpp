#pragma once

#include "actors/delivery.hpp"

/// How DELIVERY's messages become inputs of core/endpoint_dispatch.hpp, and its effects become work of SENDER and
/// STORE. Used by delivery.cpp alone.
namespace postrider {

using delivery_self = delivery_actor::stateful_pointer<delivery_state_data>;

dispatch_policy policy_of(const endpoint_config& endpoint, milliseconds disable_after);
dispatch_now now_of(delivery_self self);

/// Executes and clears `state.effects`, lends credits anew, sets the timer, asks to leave when there is nothing left.
void apply(delivery_self self, const dispatch_now& now);
/// The same, with the results that `effects.writes` refer to.
void apply(delivery_self self, const dispatch_now& now, std::vector<attempt_result>& results);
void set_timer(delivery_self self, mono_time at);

void on_committed(delivery_self self, committed_batch batch);
void on_due(delivery_self self, wall_time at);
void on_claimed(delivery_self self, claim_result answer, fence under);
void on_finished(delivery_self self, std::vector<attempt_result> results);
void on_recorded(delivery_self self, std::vector<record_result> results);
void on_withdraw(delivery_self self, withdrawal_ptr what);
/// Lets those go of which nothing is being written any more.
void end_withdrawals(delivery_state_data& state);
void on_lease(delivery_self self, shard_ownership ownership);
caf::result<bool> on_drain(delivery_self self);
/// Shows its state: that its endpoint is paused or disabled, else where its breaker stands.
void show_state(delivery_state_data& state, wall_time at, std::string_view cause);
/// Keeps the count of open breakers.
void count_open_breaker(delivery_state_data& state, bool open);
/// Has the breaker and the clock stored where `state.effects` says that they changed.
void keep_runtime(delivery_self self, const dispatch_now& now);
/// What it has in memory from now on, for its tenant and its node (core/held_work.hpp).
void hold(delivery_state_data& state, work_size now);
actor_status describe(delivery_self self);

} // namespace postrider
