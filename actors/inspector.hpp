#pragma once

#include "actors/interfaces.hpp"
#include "actors/tree_parts.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace postrider {

/// Called exactly once, also where the question is lost with actors that end (its last copy calls).
template <class Answer>
class answer_duty {
public:
  using callback = std::function<void(Answer)>;
  answer_duty(callback done, Answer otherwise) : done_{std::move(done)}, otherwise_{std::move(otherwise)} {}
  answer_duty(const answer_duty&) = delete;
  answer_duty& operator=(const answer_duty&) = delete;
  ~answer_duty() { answer(std::move(otherwise_)); }
  void answer(Answer with) {
    if (const auto done = std::exchange(done_, nullptr))
      done(std::move(with));
  }

private:
  callback done_;
  Answer otherwise_;
};

struct page_question {
  actor_query query;
  operator_reads* reads = nullptr;
  std::shared_ptr<answer_duty<actor_page>> duty;
};
struct actor_question {
  tree_path path;
  operator_reads* reads = nullptr;
  std::shared_ptr<answer_duty<result<actor_status>>> duty;
};

/// The way from the database's threads back to INSPECTOR, for a ticket that it gave out. A handle of an actor must not
/// outlive the actor system, and such a call may: so the engine keeps the handle.
struct inspection_mail {
  std::function<void(std::uint64_t ticket, result<resting_stretch>)> stretch;
  std::function<void(std::uint64_t ticket, result<std::optional<resting_actor>>)> actor;
};

struct inspector_arguments {
  std::string node_name;
  node_actor node;
  inspection_mail mail;
  std::function<wall_time()> wall_now;
};

struct inspector_state {
  static inline const char* name = "inspector";

  inspector_arguments given;
  std::uint64_t tickets = 0;
  /// Who waits for the database. Each is called once: with its answer, or at the end of its patience.
  std::unordered_map<std::uint64_t, std::function<void(result<resting_stretch>)>> stretches;
  std::unordered_map<std::uint64_t, std::function<void(result<std::optional<resting_actor>>)>> actors;
};
using inspector_self = inspector_actor::stateful_pointer<inspector_state>;

/// INSPECTOR. Goes down the tree one level at a time (node → supervisor → child); nobody above a level waits for it.
inspector_actor::behavior_type inspector(inspector_self self, inspector_arguments given);

/// How long each part may take; together below 2 s.
inline constexpr milliseconds inspection_total_max{1'800};
inline constexpr milliseconds inspection_node_max{500};
inline constexpr milliseconds inspection_level_max{400}; ///< supervisors, then children: each all at once
inline constexpr milliseconds inspection_database_max{1'000};
inline constexpr std::size_t inspection_scan_max = 5'000; ///< places that one page looks at, however few fit its filter

/// Asks the database, at most so long.
void ask_resting(inspector_self self, operator_reads& reads, resting_query query, milliseconds patience,
                 std::function<void(result<resting_stretch>)> then);
void ask_resting(inspector_self self, operator_reads& reads, const tree_path& path, std::vector<shard_no> shards,
                 milliseconds patience, std::function<void(result<std::optional<resting_actor>>)> then);

/// A page: inspector_page.cpp. One actor: inspector.cpp.
void read_page(inspector_self self, page_question question);

/// The shards that are owned.
std::vector<shard_no> owned_shards(const std::array<shard_ownership, shard_count>& shards);
/// An actor at rest, of this node.
actor_status shown_at_rest(inspector_self self, resting_actor found,
                           const std::array<shard_ownership, shard_count>& shards);
/// As its parent knows it: it did not answer in time.
actor_status shown_silent(inspector_self self, actor_status known);
/// Whether it was too slow, or crashed over the question, rather than let go.
bool is_silence(const caf::error& why);

} // namespace postrider
