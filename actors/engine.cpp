#include "actors/engine.hpp"

#include "actors/directory.hpp"
#include "actors/engine_context.hpp"
#include "actors/node.hpp"
#include "actors/steward.hpp"
#include "actors/store_bridge.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <future>
#include <mutex>
#include <optional>
#include <utility>

namespace postrider {

namespace {
constexpr milliseconds drain_answer_margin{1'000};
} // namespace

class actor_engine::implementation final : public ingest_gate, public inspection, public delivery_withdrawal {
public:
  implementation(actor_engine_options options, metrics& counts, const db_clock& clock)
      : options_{std::move(options)}, counts_{counts}, clock_{clock} {}

  void submit(ingest_request_ptr request) override {
    if (!running_.load(std::memory_order_acquire))
      return request->ticket.answer(ingest_result::unavailable);
    const bool known = directory_.with(request->tenant, request->source, [&](const provider_verifier_actor& verifier) {
      caf::anon_send(verifier, atom::ingest::value, request);
    });
    if (known)
      return;
    const std::lock_guard lock{handles_mutex_};
    if (node_) // else stopped meanwhile: the ticket answers 503
      caf::anon_send(node_, atom::ingest::value, std::move(request));
  }

  void page(actor_query query, operator_reads& reads, std::function<void(actor_page)> done) override {
    actor_page lost;
    lost.nodes.push_back({options_.node_name, false, "the node's actors do not run"});
    auto duty = std::make_shared<answer_duty<actor_page>>(std::move(done), std::move(lost));
    tell_steward(atom::tree::value, hand(page_question{std::move(query), &reads, std::move(duty)}));
  }

  void actor(tree_path path, operator_reads& reads, std::function<void(result<actor_status>)> done) override {
    auto duty = std::make_shared<answer_duty<result<actor_status>>>(
      std::move(done),
      problem{503, "actors-not-answering", "the node's actors do not run", {}, std::chrono::seconds{2}});
    tell_steward(atom::status::value, hand(actor_question{std::move(path), &reads, std::move(duty)}));
  }

  void withdraw(withdrawal_ptr what) override {
    const std::lock_guard lock{handles_mutex_};
    if (node_) // else nothing is sent, and `what` ends here
      caf::anon_send(node_, atom::withdraw::value, hand(std::move(what)));
  }

  void start(store& database, sender& requests) {
    config_.set("scheduler.max-threads", options_.scheduler_threads);
    config_.set("scheduler.policy", caf::atom("sharing"));
    system_.emplace(config_);
    context_.emplace(engine_context{.node_name = options_.node_name,
                                    .database = database,
                                    .requests = requests,
                                    .counts = counts_,
                                    .verifiers = directory_,
                                    .wall_now = [this] { return clock_.now(); },
                                    .limits = {.disable_after = options_.disable_after}});
    const auto top = system_->spawn(node, node_arguments{&*context_, beat_});
    {
      const std::lock_guard lock{handles_mutex_};
      node_ = top;
      steward_ = system_->spawn(steward, steward_arguments{top, inspection_of(top), options_.failed});
    }
    running_.store(true, std::memory_order_release);
    bridge_.connect(top);
  }

  bool drain(milliseconds deadline) {
    auto ended = std::make_shared<std::promise<bool>>();
    auto answer = ended->get_future();
    if (!tell_steward(atom::drain::value, deadline.count(),
                      hand(drain_callback{[ended](bool all) { ended->set_value(all); }})))
      return true;
    return answer.wait_for(deadline + drain_answer_margin) == std::future_status::ready && answer.get();
  }

  void stop() {
    if (!running_.exchange(false))
      return;
    bridge_.disconnect();
    {
      const std::lock_guard lock{handles_mutex_};
      caf::anon_send_exit(steward_, caf::exit_reason::user_shutdown); // first: NODE's end is none of its business then
      caf::anon_send_exit(node_, caf::exit_reason::user_shutdown);
      node_ = nullptr;
      steward_ = nullptr;
    }
    system_.reset(); // waits for all actors
  }

  [[nodiscard]] milliseconds since_last_turn() const noexcept {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<milliseconds>(now -
                                                    std::chrono::nanoseconds{beat_->load(std::memory_order_relaxed)});
  }

  store_bridge& bridge() noexcept { return bridge_; }

private:
  inspector_arguments inspection_of(const node_actor& top) {
    inspection_mail mail;
    mail.stretch = [this](std::uint64_t ticket, result<resting_stretch> answer) {
      tell_steward(atom::loaded::value, ticket, hand(std::move(answer)));
    };
    mail.actor = [this](std::uint64_t ticket, result<std::optional<resting_actor>> answer) {
      tell_steward(atom::loaded::value, ticket, hand(std::move(answer)));
    };
    return {options_.node_name, top, std::move(mail), [this] { return clock_.now(); }};
  }

  // False: the actors do not run. A handle never leaves the lock: it must not outlive the actor system.
  template <class... Parts>
  bool tell_steward(Parts&&... parts) {
    const std::lock_guard lock{handles_mutex_};
    if (steward_)
      caf::anon_send(steward_, std::forward<Parts>(parts)...);
    return static_cast<bool>(steward_);
  }

  actor_engine_options options_;
  metrics& counts_;
  const db_clock& clock_;
  directory directory_;
  store_bridge bridge_;
  std::shared_ptr<heartbeat> beat_ = std::make_shared<heartbeat>(0);
  std::optional<engine_context> context_;
  caf::actor_system_config config_;
  std::optional<caf::actor_system> system_;
  // Guards the handles against `stop`, on another thread than those that ask. Requests for a known VERIFIER, the hot
  // path, never take it.
  mutable std::mutex handles_mutex_;
  node_actor node_;
  steward_actor steward_;
  std::atomic<bool> running_{false};
};

actor_engine::actor_engine(actor_engine_options options, metrics& counts, const db_clock& clock)
    : implementation_{std::make_unique<implementation>(std::move(options), counts, clock)} {}
actor_engine::~actor_engine() {
  implementation_->stop();
}
store_events& actor_engine::events() noexcept {
  return implementation_->bridge();
}
ingest_gate& actor_engine::gate() noexcept {
  return *implementation_;
}
inspection& actor_engine::inspect() noexcept {
  return *implementation_;
}
delivery_withdrawal& actor_engine::withdrawals() noexcept {
  return *implementation_;
}
void actor_engine::start(store& database, sender& requests) {
  implementation_->start(database, requests);
}
bool actor_engine::drain(std::chrono::milliseconds deadline) {
  return implementation_->drain(deadline);
}
void actor_engine::stop() {
  implementation_->stop();
}
std::chrono::milliseconds actor_engine::since_last_turn() const noexcept {
  return implementation_->since_last_turn();
}

} // namespace postrider
