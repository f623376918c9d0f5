#pragma once

#include "core/metrics.hpp"
#include "persistence/postgres_store.hpp"
#include "tests/support/postgres_fixture.hpp"
#include "tests/support/store_conformance.hpp"

#include <pqxx/pqxx>

#include <memory>
#include <string>

namespace postrider::tests {

/// Looks every few milliseconds until it holds; false after `deadline`.
bool eventually(const std::function<bool()>& condition, milliseconds deadline = milliseconds{15'000});

/// A postgres_store on a database of its own, and a connection beside it to look and to meddle.
class postgres_world final : public store_under_test {
public:
  struct options {
    std::string node = "n1";
    milliseconds lease_ttl{6'000};
    postgres_fixture* server = nullptr; ///< null: the process's
    std::string url{};                  ///< empty: a fresh database
    bool start = true;                  ///< and wait until all shards are held
  };
  explicit postgres_world(options chosen);
  postgres_world() : postgres_world(options{}) {}
  ~postgres_world() override;

  store& subject() override { return *store_; }
  recorded_events& events() override { return events_; }
  bool eventually(const std::function<bool()>& condition) override { return tests::eventually(condition); }
  wall_time now() override { return clock->now(); }
  conformance_tenant add_tenant() override;
  void change_tenant(const conformance_tenant& tenant) override;
  void delete_endpoint(const conformance_tenant& tenant, std::size_t index) override;
  void ask_to_cancel(delivery_id id) override;
  fence fence_of(shard_no shard) override;
  void lose_lease(shard_no shard) override;
  std::optional<stored_delivery> read(delivery_id id) override;
  bool has_event(event_id id) override;
  std::array<std::int64_t, delivery_state_count> counters(tenant_no tenant) override;
  std::array<std::int64_t, delivery_state_count> counted(tenant_no tenant) override;

  [[nodiscard]] postgres_store& real() { return *store_; }
  result<void> start();
  bool wait_until_ready();
  /// One statement on the connection beside it.
  pqxx::result sql(const std::string& statement);
  /// The connection beside it anew: the server has crashed.
  void reconnect();
  /// Backends of the store's session of that role (`accept`, `outcome`, `lease` …).
  std::vector<int> backends(const std::string& role);
  [[nodiscard]] const std::string& url() const noexcept { return url_; }

  const std::shared_ptr<metrics> counts = std::make_shared<metrics>();
  const std::shared_ptr<db_clock> clock = std::make_shared<db_clock>();
  const std::shared_ptr<lease_trust> trust = std::make_shared<lease_trust>();

private:
  std::string url_;
  recorded_events events_;
  secret_key master_key_{};
  std::unique_ptr<pqxx::connection> beside_;
  std::unique_ptr<postgres_store> store_;
  int tenants_ = 0;
};

} // namespace postrider::tests
