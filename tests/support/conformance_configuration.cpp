#include "tests/support/conformance_steps.hpp"

namespace postrider::tests {

namespace {

using namespace std::chrono_literals;

void a_tenant_is_found_by_slug_id_and_number(store_under_test& on) {
  const auto tenant = on.add_tenant();
  for (const auto& key : {tenant_key{tenant.slug, 0}, tenant_key{to_string(tenant.id), 0}, tenant_key{"", tenant.no}}) {
    const auto found = loaded<tenant_config_ptr>(on, [&](auto done) { on.subject().load_tenant(key, done); });
    BOOST_REQUIRE(found != nullptr);
    BOOST_TEST(found->no == tenant.no);
    BOOST_TEST(found->version == tenant.version);
    BOOST_TEST(found->shard == tenant.shard);
    BOOST_REQUIRE(found->sources.size() == 1U);
    BOOST_TEST(found->sources[0].no == tenant.source);
    BOOST_REQUIRE(found->sources[0].secrets.size() == 1U);
    BOOST_TEST(found->sources[0].secrets[0].text == "source secret");
    BOOST_REQUIRE(found->endpoints.size() == 2U);
    BOOST_TEST(found->endpoints[0].no == tenant.endpoints[0]);
    BOOST_REQUIRE(found->endpoints[0].secrets.size() == 1U);
    BOOST_TEST(found->endpoints[0].secrets[0].text == "whsec_ZW5kcG9pbnQgc2VjcmV0");
  }
  const auto unknown = loaded<tenant_config_ptr>(on, [&](auto done) {
    on.subject().load_tenant({"nobody-of-that-name", 0}, done);
  });
  BOOST_TEST(unknown == nullptr);
}

void live_deliveries_are_counted_until_they_are_final(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto live = [&] {
    return loaded<std::int64_t>(on, [&](auto done) { on.subject().count_live(tenant.no, done); });
  };
  BOOST_TEST(live() == 0);
  const auto made = send_and_commit(on, make_accept_item(on.now(), tenant, "one", 1, on.fence_of(tenant.shard)));
  BOOST_TEST(live() == 2);
  BOOST_TEST(record(on, end_of_attempt(on, tenant, made.deliveries[0], 1, delivery_state::succeeded)).recorded);
  BOOST_TEST(live() == 1);
}

void a_runtime_is_saved_under_the_fence_alone(store_under_test& on) {
  const auto tenant = on.add_tenant();
  const auto under = on.fence_of(tenant.shard);
  const auto load = [&] {
    return loaded<std::optional<endpoint_runtime>>(
      on, [&](auto done) { on.subject().load_runtime(tenant.endpoints[0], done); });
  };
  BOOST_TEST(!load().has_value());
  endpoint_runtime now{tenant.no, tenant.endpoints[0], breaker_state::open, 2, on.now(), on.now() + 5s};
  on.subject().save_runtime(now, tenant.shard, under + 1, "not mine");
  BOOST_TEST(!load().has_value()); // in order: it was looked at after the write
  on.subject().save_runtime(now, tenant.shard, under, "failures");
  const auto saved = load();
  BOOST_REQUIRE(saved.has_value());
  BOOST_TEST((saved->state == breaker_state::open));
  BOOST_TEST(saved->opened_in_a_row == 2U);
  BOOST_TEST((saved->next_probe_at == now.next_probe_at));
}

void disabling_an_endpoint_is_a_new_version(store_under_test& on) {
  const auto tenant = on.add_tenant();
  on.subject().disable_endpoint(tenant.no, tenant.endpoints[0], "gone");
  const auto found = loaded<tenant_config_ptr>(on, [&](auto done) { on.subject().load_tenant({"", tenant.no}, done); });
  BOOST_REQUIRE(found != nullptr);
  BOOST_TEST(found->version > tenant.version);
  BOOST_TEST((found->endpoints[0].status == endpoint_status::disabled));
  BOOST_TEST((found->endpoints[1].status == endpoint_status::active));
  BOOST_TEST(on.eventually([&] { return on.events().was_changed(tenant.no); }));
}

} // namespace

std::vector<conformance_case> configuration_cases() {
  return {
    {"a_tenant_is_found_by_slug_id_and_number", a_tenant_is_found_by_slug_id_and_number},
    {"live_deliveries_are_counted_until_they_are_final", live_deliveries_are_counted_until_they_are_final},
    {"a_runtime_is_saved_under_the_fence_alone", a_runtime_is_saved_under_the_fence_alone},
    {"disabling_an_endpoint_is_a_new_version", disabling_an_endpoint_is_a_new_version},
  };
}

} // namespace postrider::tests
