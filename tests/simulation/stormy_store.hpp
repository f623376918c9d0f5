#pragma once

#include "actors/store.hpp"
#include "tests/simulation/delivery_check.hpp"
#include "tests/simulation/gate_check.hpp"
#include "tests/simulation/surroundings.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace postrider::simulation {

/// One life of one node's STORE: the way to the shared database and back, as the weather makes it. A call takes time
/// both ways, may be told that the database is away, may throw (as a mistake of ours in an actor's handler would), and
/// its connection may be lost at COMMIT. Then it was executed, or was not, or will be when nobody waits for it any
/// more; what the real STORE runs again (accepts, outcomes, breakers) is run again with the same ids.
///
/// With the node's end everything here is dropped; what had left for the database may still arrive there.
class stormy_store final : public store {
public:
  /// `jobs` are the node's: they end with it.
  stormy_store(surroundings& around, timeline& jobs, std::map<endpoint_no, gate_check>& gates, delivery_check& checks);

  /// Where accepts are reported. Set before the first.
  std::function<void(std::vector<accept_item_ptr>)> report;
  /// What the answer to each attempt said of `Retry-After`, by SENDER.
  std::function<std::optional<milliseconds>(const delivery_id&)> retry_after;
  /// From now on nothing is taken, answered or thrown. Some of what is on its way still reaches the database.
  void end();

  bool accept(accept_item_ptr& item) override;
  void record(std::vector<outcome_write> writes) override;
  void claim(claim_request request, std::function<void(claim_result)> done) override;
  void close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                         std::vector<delivery_id> known, std::function<void(std::optional<std::size_t>)> done) override;
  void close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                     std::function<void(deleted_closing)> done) override;
  void load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) override;
  void count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) override;
  void load_runtime(endpoint_no endpoint, std::function<void(result<std::optional<endpoint_runtime>>)> done) override;
  void save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) override;
  void disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) override;

private:
  /// What becomes of a call at the database.
  enum class fate : std::uint8_t { done, answer_lost, not_done, done_late };
  struct accepting {
    accept_item_ptr item;
    std::vector<bool> rides; ///< as asked for: a run changes the item's own
    bool in_doubt = false;
  };

  void throw_perhaps(const char* call);
  void check_may_claim(const claim_request& request) const;
  [[nodiscard]] fate draw_fate();
  [[nodiscard]] milliseconds leg();
  void after(milliseconds delay, std::function<void()> job);
  /// Executed once at the database, or answered as `away`; not run again. `arrives`: when it reaches the database,
  /// whether or not it is executed then.
  template <class Answer>
  void ask(std::function<Answer()> execute, Answer away, std::function<void(Answer)> done, endpoint_no cuts,
           std::function<void()> arrives = {});
  void run_accept(const std::shared_ptr<accepting>& what);
  bool decide_accept(accepting& what);
  void finish_accept(accept_item_ptr item);
  void run_record(const std::shared_ptr<std::vector<outcome_write>>& writes);
  void command(std::function<void()> execute);
  void run_commands();

  surroundings& around_;
  timeline& jobs_;
  std::map<endpoint_no, gate_check>& gates_;
  delivery_check& checks_;
  bool ended_ = false;
  std::vector<accept_item_ptr> finished_;
  std::deque<std::function<void()>> commands_;                 ///< in order, each until it is done
  std::map<std::uint64_t, std::function<void()>> on_the_wire_; ///< what the database does even if we are gone
  std::uint64_t wire_ = 0;
};

} // namespace postrider::simulation
