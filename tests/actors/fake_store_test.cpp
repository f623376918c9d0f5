#include "tests/support/fake_store.hpp"

#include "tests/support/store_conformance.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace postrider::tests;
using namespace std::chrono_literals;

namespace {

/// The fake with a world like that of the real store.
class fake_world final : public store_under_test {
public:
  fake_world() {
    for (shard_no shard = 0; shard < shard_count; ++shard)
      fake_.set_lease(shard, make_fence(1, static_cast<std::uint32_t>(shard) + 1));
    fake_.report_leases();
    fake_.run();
  }

  store& subject() override { return fake_; }
  recorded_events& events() override { return events_; }
  bool eventually(const std::function<bool()>& condition) override {
    fake_.run();
    return condition();
  }
  wall_time now() override { return fake_.now(); }

  conformance_tenant add_tenant() override {
    auto config = std::make_shared<tenant_config>();
    config->no = ++tenants_;
    config->id = {make_uuid_v7(now(), {1, static_cast<std::uint8_t>(tenants_)})};
    config->slug = "tenant-" + std::to_string(tenants_);
    config->shard = 5;
    config->version = 1;
    source_config source;
    source.no = tenants_ * 10;
    source.name = "github";
    source.secrets.push_back({"source secret", std::nullopt});
    config->sources.push_back(std::move(source));
    conformance_tenant out{
      config->no, config->id, config->slug, 1, 5, tenants_ * 10, {tenants_ * 10 + 1, tenants_ * 10 + 2}};
    for (const auto each : out.endpoints) {
      endpoint_config endpoint;
      endpoint.no = each;
      endpoint.secrets.push_back({"whsec_ZW5kcG9pbnQgc2VjcmV0", std::nullopt});
      config->endpoints.push_back(std::move(endpoint));
    }
    configs_[out.no] = config;
    fake_.put_tenant(config);
    return out;
  }
  void change_tenant(const conformance_tenant& tenant) override {
    change(tenant, [](tenant_config&) {});
  }
  void delete_endpoint(const conformance_tenant& tenant, std::size_t index) override {
    change(tenant, [&](tenant_config& config) {
      std::erase_if(config.endpoints, [&](const auto& each) { return each.no == tenant.endpoints.at(index); });
    });
  }
  void ask_to_cancel(delivery_id id) override {
    fake_.change(id, [](fake_store::row& row) { row.cancel_asked = delivery_reason::cancelled_by_user; });
  }
  fence fence_of(shard_no shard) override {
    for (const auto& each : events_.held())
      if (each.shard == shard)
        return each.under;
    return 0;
  }
  void lose_lease(shard_no shard) override { fake_.set_lease(shard, 0); }

  std::optional<stored_delivery> read(delivery_id id) override {
    const auto* found = fake_.find(id);
    if (found == nullptr)
      return std::nullopt;
    stored_delivery out{found->state, found->reason, found->under,           found->attempt_count,
                        found->step,  found->lane,   found->next_attempt_at, {}};
    for (const auto& each : found->attempts)
      out.attempts.push_back({each.number, each.outcome, each.reason});
    return out;
  }
  bool has_event(event_id id) override { return fake_.has_event(id); }
  std::array<std::int64_t, delivery_state_count> counters(tenant_no tenant) override { return fake_.counters(tenant); }
  std::array<std::int64_t, delivery_state_count> counted(tenant_no tenant) override {
    std::array<std::int64_t, delivery_state_count> out{};
    for (const auto& [id, each] : fake_.deliveries())
      if (each.tenant == tenant)
        ++out[static_cast<std::size_t>(each.state)];
    return out;
  }

  fake_store& fake() { return fake_; }

private:
  template <class Change>
  void change(const conformance_tenant& tenant, Change how) {
    auto changed = std::make_shared<tenant_config>(*configs_.at(tenant.no));
    ++changed->version;
    how(*changed);
    configs_[tenant.no] = changed;
    fake_.put_tenant(changed);
  }

  recorded_events events_;
  fake_store fake_{events_};
  std::map<tenant_no, std::shared_ptr<tenant_config>> configs_;
  tenant_no tenants_ = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(fake_store_conformance)

BOOST_DATA_TEST_CASE(fake_store_does, conformance_cases(), which) {
  fake_world world;
  which.run(world);
}

BOOST_AUTO_TEST_CASE(while_it_is_away_events_wait_until_their_deadline_and_outcomes_for_ever) {
  fake_world world;
  const auto tenant = world.add_tenant();
  world.fake().set_available(false);
  auto item = make_accept_item(world.now(), tenant, "one");
  item->deadline = mono_time{5s};
  const auto id = item->what->id;
  BOOST_REQUIRE(world.fake().accept(item));
  world.fake().run();
  BOOST_TEST(world.events().answered(id) == nullptr);
  BOOST_TEST(!world.events().available());
  world.fake().set_mono_now(mono_time{5s});
  world.fake().run();
  BOOST_REQUIRE(world.events().answered(id) != nullptr);
  BOOST_TEST((world.events().answered(id)->outcome == accept_outcome::unavailable));

  const auto owner = std::make_shared<recorded_results>();
  outcome_write write;
  write.owner = owner;
  world.fake().record({write});
  world.fake().run();
  BOOST_TEST(owner->count() == 0U);
  world.fake().set_available(true);
  world.fake().run();
  BOOST_TEST(owner->count() == 1U);
}

// As the real one (claims_in_doubt in tests/persistence).
BOOST_AUTO_TEST_CASE(what_stands_in_an_order_under_a_former_fence_is_not_closed_as_ones_own_is) {
  fake_world world;
  const auto tenant = world.add_tenant();
  auto item = make_accept_item(world.now(), tenant, "one");
  item->deliveries[0].order_key = "a";
  const auto id = item->deliveries[0].id;
  BOOST_REQUIRE(world.fake().accept(item));
  world.fake().run();
  const auto close_under = [&](fence under) {
    std::optional<std::size_t> out;
    world.fake().change(id, [&](fake_store::row& each) {
      each.under = under;
      each.attempt_count = 1;
    });
    world.fake().close_interrupted(tenant.no, tenant.endpoints[0], tenant.shard, world.fence_of(tenant.shard), {},
                                   [&](std::optional<std::size_t> closed) { out = closed; });
    world.fake().run();
    return out;
  };
  world.fake().change(id, [](fake_store::row& each) { each.state = delivery_state::in_flight; });
  BOOST_TEST(close_under(make_fence(1, 99)).value() == 0U); // its owner may send it until its deadline
  BOOST_TEST(close_under(world.fence_of(tenant.shard)).value() == 1U);
}

BOOST_AUTO_TEST_CASE(it_takes_no_more_than_its_bound) {
  fake_world world;
  const auto tenant = world.add_tenant();
  for (std::size_t i = 0; i < fake_store::accepts_max; ++i) {
    auto item = make_accept_item(world.now(), tenant, std::to_string(i));
    BOOST_REQUIRE(world.fake().accept(item));
  }
  auto item = make_accept_item(world.now(), tenant, "one too many");
  BOOST_TEST(!world.fake().accept(item));
  BOOST_TEST(item != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
