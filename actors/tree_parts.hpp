#pragma once

#include "actors/interfaces.hpp"
#include "core/tree_path.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

/// How INSPECTOR reads the tree, one level at a time: what NODE and supervisors say of those directly below them,
/// without asking them. Each answer is one turn of the actor, and as long as was asked for.
namespace postrider {

struct node_part {
  struct tenant {
    std::string slug;
    tenant_supervisor_actor actor; ///< nothing: `known` is all there is
    actor_status known;            ///< as its parent knows it: its former incarnations' ends among `transitions`
  };
  actor_status self; ///< where it was asked from the first slug on
  std::array<shard_ownership, shard_count> shards{};
  std::vector<tenant> tenants; ///< by slug
  bool more = false;           ///< there are further ones
};

struct child_question {
  tree_path from;       ///< kind and child count
  bool exactly = false; ///< that child alone; else those after it
  bool deliveries = true, verifiers = true;
  std::size_t limit = 0;
};
struct supervisor_part {
  struct child {
    tree_path at;
    delivery_actor delivery;          ///< at most one of the two
    provider_verifier_actor verifier; ///< neither: `known` is all there is
    actor_status known;
  };
  std::vector<child> children; ///< in the tree's order
  bool more = false;
};

/// What happened to a child as its parent saw it, newest first: its own memory ends with each crash.
using child_history = std::vector<actor_status::transition>;
inline constexpr std::size_t transitions_kept = 20;

inline void note_transition(child_history& history, actor_status::transition what) {
  history.insert(history.begin(), std::move(what));
  if (history.size() > transitions_kept)
    history.pop_back();
}

/// Both, newest first.
inline void add_history(actor_status& status, const child_history& history) {
  auto& all = status.transitions;
  all.insert(all.end(), history.begin(), history.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& left, const auto& right) { return left.at > right.at; });
  if (all.size() > transitions_kept)
    all.resize(transitions_kept);
}

} // namespace postrider
