#pragma once

#include "actors/inspection.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace postrider::test {

/// What the database would know of actors at rest and of the cluster, over a sorted map. Calls back at once, on the
/// caller's thread. Thread-safe.
class fake_operator_reads final : public operator_reads {
public:
  std::atomic<bool> away{false};   ///< everything is refused with 503
  std::atomic<bool> silent{false}; ///< nothing is called back
  std::atomic<std::size_t> calls{0};

  void add(const tree_path& path, shard_no shard, wall_time since = {}, endpoint_status status = {}) {
    const std::lock_guard lock{mutex_};
    rows_[path] = {shard, since, resting_word(status)};
  }
  /// Stored of an actor that was added, newest first.
  void tell(const tree_path& path, std::vector<actor_status::transition> story) {
    const std::lock_guard lock{mutex_};
    stories_[path] = std::move(story);
  }
  void add_node(cluster_node node) {
    const std::lock_guard lock{mutex_};
    nodes_.push_back(std::move(node));
  }

  void resting(resting_query query, std::function<void(result<resting_stretch>)> done) override {
    ++calls;
    if (silent)
      return;
    if (away)
      return done(problem{503, "store-unavailable", "away", {}, {}});
    const std::lock_guard lock{mutex_};
    resting_stretch out;
    out.places.complete = true;
    for (auto it = query.after ? rows_.upper_bound(*query.after) : rows_.begin(); it != rows_.end(); ++it) {
      if (!fits(query, it->first, it->second.shard))
        continue;
      if (out.rows.size() == query.limit) {
        out.places.complete = false;
        out.places.read_to = out.places.places.back();
        break;
      }
      out.places.places.push_back(it->first);
      out.rows.push_back(it->second);
    }
    done(std::move(out));
  }
  void resting(tree_path path, std::vector<shard_no> shards,
               std::function<void(result<std::optional<resting_actor>>)> done) override {
    ++calls;
    if (silent)
      return;
    if (away)
      return done(problem{503, "store-unavailable", "away", {}, {}});
    const std::lock_guard lock{mutex_};
    const auto found = rows_.find(path);
    const bool ours =
      found != rows_.end() && std::find(shards.begin(), shards.end(), found->second.shard) != shards.end();
    if (!ours)
      return done(std::optional<resting_actor>{});
    resting_actor out;
    out.status.path = to_string(path);
    out.status.kind = to_string(path.kind);
    out.status.state = found->second.state;
    out.status.since = found->second.since;
    out.shard = found->second.shard;
    if (const auto story = stories_.find(path); story != stories_.end())
      out.status.transitions = story->second;
    done(std::optional{std::move(out)});
  }
  void nodes(std::function<void(result<std::vector<cluster_node>>)> done) override {
    if (away)
      return done(problem{503, "store-unavailable", "away", {}, {}});
    const std::lock_guard lock{mutex_};
    done(nodes_);
  }

private:
  static bool fits(const resting_query& query, const tree_path& path, shard_no shard) {
    const bool wanted = (path.kind == tree_kind::tenant_supervisor && query.supervisors) ||
                        (path.kind == tree_kind::delivery && query.deliveries) ||
                        (path.kind == tree_kind::provider_verifier && query.verifiers);
    return wanted && std::find(query.shards.begin(), query.shards.end(), shard) != query.shards.end();
  }

  std::mutex mutex_;
  std::map<tree_path, resting_stretch::row> rows_;
  std::map<tree_path, std::vector<actor_status::transition>> stories_;
  std::vector<cluster_node> nodes_;
};

} // namespace postrider::test
