#pragma once

#include "actors/store.hpp"

#include <map>
#include <stdexcept>
#include <string>

namespace postrider::test {

/// Another STORE behind a door that can throw, as a mistake of ours in an actor's handler would, or turn accepts away.
class faulty_store final : public store {
public:
  explicit faulty_store(store& behind) : behind_{behind} {}

  /// So many of the next calls of that name throw.
  void throw_at(const std::string& call, int times = 1) { throws_[call] = times; }
  /// The accept queue is full.
  bool full = false;

  bool accept(accept_item_ptr& item) override {
    pass("accept");
    return !full && behind_.accept(item);
  }
  void record(std::vector<outcome_write> writes) override {
    pass("record");
    behind_.record(std::move(writes));
  }
  void claim(claim_request request, std::function<void(claim_result)> done) override {
    pass("claim");
    behind_.claim(request, std::move(done));
  }
  void close_interrupted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                         std::vector<delivery_id> known,
                         std::function<void(std::optional<std::size_t>)> done) override {
    pass("close_interrupted");
    behind_.close_interrupted(tenant, endpoint, shard, under, std::move(known), std::move(done));
  }
  void close_deleted(tenant_no tenant, endpoint_no endpoint, shard_no shard, fence under,
                     std::function<void(deleted_closing)> done) override {
    pass("close_deleted");
    behind_.close_deleted(tenant, endpoint, shard, under, std::move(done));
  }
  void load_tenant(tenant_key key, std::function<void(result<tenant_config_ptr>)> done) override {
    pass("load_tenant");
    behind_.load_tenant(std::move(key), std::move(done));
  }
  void count_live(tenant_no tenant, std::function<void(result<std::int64_t>)> done) override {
    pass("count_live");
    behind_.count_live(tenant, std::move(done));
  }
  void load_runtime(endpoint_no endpoint, std::function<void(result<std::optional<endpoint_runtime>>)> done) override {
    pass("load_runtime");
    behind_.load_runtime(endpoint, std::move(done));
  }
  void save_runtime(endpoint_runtime now, shard_no shard, fence under, std::string cause) override {
    pass("save_runtime");
    behind_.save_runtime(now, shard, under, std::move(cause));
  }
  void disable_endpoint(tenant_no tenant, endpoint_no endpoint, std::string reason) override {
    pass("disable_endpoint");
    behind_.disable_endpoint(tenant, endpoint, std::move(reason));
  }

  /// How often that was called, thrown ones included.
  [[nodiscard]] std::size_t calls(const std::string& call) const {
    const auto found = calls_.find(call);
    return found == calls_.end() ? 0 : found->second;
  }

private:
  void pass(const std::string& call) {
    ++calls_[call];
    if (auto& left = throws_[call]; left > 0) {
      --left;
      throw std::runtime_error("the faulty store was told to throw at " + call);
    }
  }

  store& behind_;
  std::map<std::string, int> throws_;
  std::map<std::string, std::size_t> calls_;
};

} // namespace postrider::test
