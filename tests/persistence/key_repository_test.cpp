#include "persistence/key_repository.hpp"

#include "persistence/api_key_cache.hpp"
#include "persistence/tenant_access.hpp"
#include "tests/persistence/management_fixture.hpp"

using namespace postrider;
using fixture = tests::management_fixture;
using store = postgres_management_store;
using tests::check_refused;

namespace {

created_api_key made(const std::string& url, const new_api_key& wanted) {
  auto out = create_api_key(url, wanted);
  BOOST_REQUIRE_MESSAGE(out, (out ? "" : out.error().detail));
  return std::move(*out);
}

/// Until the cached answer is over: at most a second by contract, watched for longer.
bool eventually_refused(fixture& f, const std::string& key) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  for (;;) {
    const auto found = f.ask(&store::find_key, hash_api_key(key));
    if (found && !*found)
      return true;
    if (std::chrono::steady_clock::now() > end)
      return false;
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(key_repository)

BOOST_AUTO_TEST_CASE(a_tenant_has_a_thousand_keys_at_most_that_are_not_revoked) {
  fixture f;
  f.tenant("acme");
  f.tenant("umbrella");
  const auto first = made(f.url, {"first", api_role::tenant_admin, "acme", {}});
  f.sql("insert into api_key (id, tenant_no, name, role, hash, expires_at) select gen_random_uuid(), no, 'n', 2, "
        "decode(lpad(to_hex(i), 64, '0'), 'hex'), now() - interval '1 day' from tenant, generate_series(1, 999) i "
        "where slug = 'acme'");
  const new_api_key wanted{"n", api_role::tenant_viewer, "acme", {}};
  check_refused(f.ask(&store::create_api_key, wanted), 422, "quota-exceeded");
  check_refused(create_api_key(f.url, wanted), 422, "quota-exceeded");
  BOOST_TEST(f.ask(&store::create_api_key, new_api_key{"n", api_role::tenant_viewer, "umbrella", {}}).has_value());
  made(f.url, {"operator", api_role::operator_, "", {}});
  BOOST_REQUIRE(f.ask(&store::revoke_api_key, "acme", first.record.id));
  BOOST_TEST(f.ask(&store::create_api_key, wanted).has_value());
  check_refused(f.ask(&store::create_api_key, wanted), 422, "quota-exceeded");
  BOOST_TEST(f.version("acme") == 1);
}

BOOST_AUTO_TEST_CASE(a_key_knows_its_tenants_slug) {
  fixture f;
  f.tenant("acme");
  const auto of_tenant = made(f.url, {"n", api_role::tenant_viewer, "acme", {}});
  const auto of_operator = made(f.url, {"n", api_role::operator_, "", {}});
  BOOST_TEST(f.ask(&store::find_key, hash_api_key(of_tenant.key)).value().value().tenant_slug == "acme");
  BOOST_TEST(f.ask(&store::find_key, hash_api_key(of_operator.key)).value().value().tenant_slug.empty());
}

BOOST_AUTO_TEST_CASE(an_operators_key_is_made_found_listed_and_revoked) {
  fixture f;
  const auto key = made(f.url, {"first", api_role::operator_, "", {}});
  BOOST_TEST(key.key.starts_with("prk_"));
  BOOST_TEST(!key.record.tenant);
  const auto found = f.ask(&store::find_key, hash_api_key(key.key));
  BOOST_REQUIRE(found);
  BOOST_REQUIRE(*found);
  BOOST_TEST(((*found)->id == key.record.id));
  BOOST_TEST(((*found)->role == api_role::operator_));
  BOOST_TEST((*found)->name == "first");
  BOOST_TEST(f.sql("select last_used_at is not null from api_key") == "t");

  made(f.url, {"second", api_role::operator_, "", {}});
  const auto listed = list_api_keys(f.url);
  BOOST_REQUIRE(listed);
  BOOST_REQUIRE(listed->size() == 2U);
  BOOST_TEST(listed->front().name == "second"); // newest first

  BOOST_REQUIRE(revoke_api_key(f.url, key.record.id));
  check_refused(revoke_api_key(f.url, key.record.id), 404, "not-found");
  BOOST_TEST(eventually_refused(f, key.key));
  BOOST_TEST(list_api_keys(f.url)->size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_key_itself_is_stored_nowhere) {
  fixture f;
  const auto key = made(f.url, {"first", api_role::operator_, "", {}});
  BOOST_TEST(f.sql("select length(hash) = 32 from api_key") == "t");
  BOOST_TEST(f.sql("select count(*) from api_key k where k::text like '%" + key.key.substr(4, 20) + "%'") == "0");
}

BOOST_AUTO_TEST_CASE(a_tenants_key_belongs_to_it_and_dies_with_it) {
  fixture f;
  const auto tenant = f.tenant("acme");
  const auto by_slug = made(f.url, {"admin", api_role::tenant_admin, "acme", {}});
  const auto by_id = made(f.url, {"viewer", api_role::tenant_viewer, to_string(tenant.id), {}});
  BOOST_TEST((by_slug.record.tenant == tenant.id));
  BOOST_TEST((by_id.record.tenant == tenant.id));
  BOOST_TEST(list_api_keys(f.url)->empty());
  BOOST_TEST(list_api_keys(f.url, "acme")->size() == 2U);
  BOOST_REQUIRE(f.ask(&store::find_key, hash_api_key(by_slug.key)).value());
  BOOST_REQUIRE(f.ask(&store::delete_tenant, "acme"));
  const auto after = f.ask(&store::find_key, hash_api_key(by_slug.key)); // at once on this node
  BOOST_REQUIRE(after);
  BOOST_TEST(!after->has_value());
}

BOOST_AUTO_TEST_CASE(keys_that_cannot_be_are_refused) {
  fixture f;
  check_refused(create_api_key(f.url, {"x", api_role::tenant_admin, "", {}}), 422, "validation-failed");
  check_refused(create_api_key(f.url, {"x", api_role::operator_, "acme", {}}), 422, "validation-failed");
  check_refused(create_api_key(f.url, {"x", api_role::tenant_admin, "nobody", {}}), 404, "not-found");
  check_refused(list_api_keys(f.url, "nobody"), 404, "not-found");
  check_refused(revoke_api_key(f.url, key_id{new_uuid(wall_time{})}), 404, "not-found");
  BOOST_TEST(f.sql("select count(*) from api_key") == "0");
}

BOOST_AUTO_TEST_CASE(expired_and_unknown_keys_are_not_found_and_a_new_one_works_at_once) {
  fixture f;
  const auto past = std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) - std::chrono::hours{1};
  const auto expired = made(f.url, {"old", api_role::operator_, "", past});
  BOOST_TEST((expired.record.expires_at == past));
  BOOST_TEST(!f.ask(&store::find_key, hash_api_key(expired.key)).value().has_value());
  const auto text = make_api_key(random_bytes<32>());
  BOOST_TEST(!f.ask(&store::find_key, hash_api_key(text)).value().has_value());
  const auto fresh = made(f.url, {"new", api_role::operator_, "", past + std::chrono::hours{2}});
  BOOST_TEST(f.ask(&store::find_key, hash_api_key(fresh.key)).value().has_value());
}

BOOST_AUTO_TEST_CASE(a_cached_key_needs_no_database_and_lives_less_than_a_second) {
  api_key_cache cache;
  const api_key_hash hash = hash_api_key("prk_x");
  const mono_time start{std::chrono::hours{1}};
  const wall_time wall{milliseconds{1'000'000}};
  cache.put(hash, {}, start, cache.generation());
  BOOST_TEST(cache.find(hash, start + milliseconds{899}, wall).has_value());
  BOOST_TEST(!cache.find(hash, start + api_key_cache::lifetime, wall).has_value());

  api_key_record expiring;
  expiring.expires_at = wall;
  cache.put(hash, expiring, start, cache.generation());
  BOOST_TEST(!cache.find(hash, start, wall).has_value());

  const auto before = cache.generation();
  cache.clear();
  cache.put(hash, {}, start, before); // asked before the clear: may be out of date
  BOOST_TEST(!cache.find(hash, start, wall).has_value());
}

BOOST_AUTO_TEST_CASE(the_cache_is_bounded) {
  api_key_cache cache;
  const mono_time start{std::chrono::hours{1}};
  for (std::size_t i = 0; i <= api_key_cache::entries_max; ++i)
    cache.put(hash_api_key(std::to_string(i)), {}, start, cache.generation());
  std::size_t kept = 0;
  for (std::size_t i = 0; i <= api_key_cache::entries_max; ++i)
    kept += cache.find(hash_api_key(std::to_string(i)), start, {}) ? 1 : 0;
  BOOST_TEST(kept <= api_key_cache::entries_max);
  BOOST_TEST(kept >= 1U);
}

BOOST_AUTO_TEST_SUITE_END()
