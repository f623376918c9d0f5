#include "tests/persistence/management_fixture.hpp"

#include "persistence/maintenance.hpp"
#include "persistence/watchdog.hpp"

using namespace postrider;
using namespace std::chrono_literals;
using fixture = tests::management_fixture;
using store = postgres_management_store;
using tests::check_refused;

namespace {

/// A source of Box, whose keys stand sealed in its config.
source_record box_of(fixture& f) {
  const new_source wanted{
    "box",
    "box",
    "box",
    {},
    true,
    unverified_mode::reject,
    dedupe_mode::id,
    {R"({"public_url":"https://a.example","primary_key":{"set":true},"secondary_key":{"set":true}})",
     R"({"primary_key":"pppp","secondary_key":"qqqq"})"}};
  const auto made = f.ask(&store::create_sources, "acme", std::vector{wanted});
  BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
  return made->front();
}

/// The change that only looks.
source_change looks(stored_source& seen) {
  return [&seen](const stored_source& now) {
    seen = now;
    return result<new_source>{now.given};
  };
}

std::vector<std::string> valid_secrets(fixture& f, const std::string& source) {
  const auto rules = f.ask(&store::get_source_rules, "acme", source);
  BOOST_REQUIRE(rules);
  std::vector<std::string> out;
  for (const auto& each : rules->secrets)
    out.push_back(each.text);
  return out;
}

using texts = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(management_store_changes_of_sources)

BOOST_AUTO_TEST_CASE(a_change_starts_from_all_that_is_stored_and_is_written_whole) {
  fixture f;
  f.tenant("acme");
  const auto made = box_of(f);
  stored_source seen;
  const auto before = f.version("acme");
  f.changed.clear();
  const auto changed = f.ask(&store::change_source, "acme", "box", [&seen](const stored_source& now) {
    seen = now;
    auto to = now.given;
    to.name = "renamed";
    to.enabled = false;
    to.dedupe = dedupe_mode::off;
    to.settings.secret = R"({"primary_key":"new","secondary_key":"qqqq"})";
    return result<new_source>{to};
  });
  BOOST_REQUIRE_MESSAGE(changed, (changed ? "" : changed.error().detail));
  BOOST_TEST((seen.shown.id == made.id));
  BOOST_TEST(seen.given.settings.secret == R"({"primary_key":"pppp","secondary_key":"qqqq"})");
  BOOST_TEST(changed->name == "renamed");
  BOOST_TEST(!changed->enabled);
  BOOST_TEST((changed->updated_at >= made.updated_at));
  BOOST_TEST(changed->config.find("new") == std::string::npos);
  BOOST_TEST(changed->config.find(R"("primary_key": {"set": true})") != std::string::npos);
  BOOST_TEST(f.version("acme") == before + 1);
  BOOST_TEST(f.changed.size() == 1U);
  BOOST_TEST(f.sql("select count(*) from audit_log where action = 'source.update'") == "1");
  BOOST_TEST(f.sql("select position('qqqq'::bytea in config_sealed) from source") == "0");
  BOOST_REQUIRE(f.ask(&store::change_source, "acme", to_string(made.id), looks(seen)));
  BOOST_TEST(seen.given.settings.secret == R"({"primary_key":"new","secondary_key":"qqqq"})");
  BOOST_TEST((seen.given.dedupe == dedupe_mode::off));
}

BOOST_AUTO_TEST_CASE(a_change_that_is_refused_changes_nothing) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github");
  f.source("acme", "other");
  const auto before = f.version("acme");
  const auto no = [](const stored_source&) { return result<new_source>{problem{422, "validation-failed", "no"}}; };
  check_refused(f.ask(&store::change_source, "acme", "github", no), 422, "validation-failed");
  const auto taken = [](const stored_source& now) {
    auto to = now.given;
    to.name = "other";
    return result<new_source>{to};
  };
  check_refused(f.ask(&store::change_source, "acme", "github", taken), 409, "name-taken");
  check_refused(f.ask(&store::change_source, "acme", "nobody", no), 404, "not-found");
  f.tenant("umbrella");
  check_refused(f.ask(&store::change_source, "umbrella", "github", no), 404, "not-found");
  BOOST_TEST(f.version("acme") == before);
  BOOST_REQUIRE(f.ask(&store::delete_source, "acme", "other"));
  BOOST_REQUIRE(f.ask(&store::change_source, "acme", "github", taken)); // free again
}

BOOST_AUTO_TEST_CASE(a_rotated_secret_is_valid_for_the_overlap_and_then_removed) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github", {"one"});
  const auto rotate = [&](const std::string& secret, std::chrono::seconds overlap) {
    return f.ask(&store::rotate_source_secret, "acme", "github", secret_rotation{secret, overlap});
  };
  const auto first = rotate("two", 3600s);
  BOOST_REQUIRE_MESSAGE(first, (first ? "" : first.error().detail));
  BOOST_TEST(first->secret_count == 2U);
  BOOST_TEST(valid_secrets(f, "github") == (texts{"two", "one"}), boost::test_tools::per_element());
  // A longer overlap does not prolong what is on its way out.
  BOOST_REQUIRE(rotate("three", 7200s));
  BOOST_TEST(
    f.sql("select expires_at < clock_timestamp() + interval '3601 seconds' from source_secret where ordinal = 1") ==
    "t");
  BOOST_TEST(f.sql("select count(*) from source_secret where expires_at is null") == "1");
  f.sql("update source_secret set expires_at = clock_timestamp() - interval '1 second' where ordinal = 1");
  const auto got = f.ask(&store::get_source, "acme", "github");
  BOOST_REQUIRE(got);
  BOOST_TEST(got->secret_count == 2U); // only what is valid counts
  BOOST_TEST(valid_secrets(f, "github") == (texts{"three", "two"}), boost::test_tools::per_element());
  BOOST_REQUIRE(rotate("four", 60s));
  BOOST_TEST(f.sql("select string_agg(ordinal::text, ',' order by ordinal) from source_secret") == "2,3,4");
  const auto last = rotate("five", 0s);
  BOOST_REQUIRE(last);
  BOOST_TEST(last->secret_count == 1U);
  BOOST_TEST(f.sql("select string_agg(ordinal::text, ',') from source_secret") == "5"); // no ordinal twice
  BOOST_TEST(valid_secrets(f, "github") == texts{"five"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(there_is_a_bound_on_secrets_that_are_valid_at_once) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github", {"0"});
  const auto rotate = [&](const std::string& secret, std::chrono::seconds overlap) {
    return f.ask(&store::rotate_source_secret, "acme", "github", secret_rotation{secret, overlap});
  };
  for (std::size_t i = 1; i < live_secrets_max; ++i)
    BOOST_REQUIRE(rotate(std::to_string(i), 3600s));
  check_refused(rotate("one too many", 3600s), 409, "too-many-secrets");
  BOOST_TEST(valid_secrets(f, "github").size() == live_secrets_max);
  BOOST_REQUIRE(rotate("alone", 0s));
  BOOST_TEST(valid_secrets(f, "github") == texts{"alone"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(only_secrets_of_the_schemes_form_are_rotated_in) {
  fixture f;
  f.tenant("acme");
  box_of(f);
  const auto code = [&](const std::string& source, const std::string& secret) {
    const auto answer = f.ask(&store::rotate_source_secret, "acme", source, secret_rotation{secret, 0s});
    check_refused(answer, 422, "validation-failed");
    return answer.error().errors.empty() ? "" : answer.error().errors[0].pointer + " " + answer.error().errors[0].code;
  };
  BOOST_TEST(code("box", "x") == "/secret scheme-without-secrets");
  const new_source wanted{"sw", "standard-webhooks", "standard-webhooks", {"whsec_MDEyMzQ1Njc4OWFiY2RlZg=="}};
  BOOST_REQUIRE(f.ask(&store::create_sources, "acme", std::vector{wanted}));
  BOOST_TEST(code("sw", "no base64!") == "/secret bad-format");
  check_refused(f.ask(&store::rotate_source_secret, "acme", "nobody", secret_rotation{"x", 0s}), 404, "not-found");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(management_store_changes_of_endpoints)

BOOST_AUTO_TEST_CASE(every_field_of_an_endpoint_can_change) {
  fixture f;
  f.tenant("acme");
  const auto source = f.source("acme", "github");
  const auto made = f.endpoint("acme");
  const auto before = f.version("acme");
  const auto changed = f.ask(&store::change_endpoint, "acme", made.config.id, [](const endpoint_record& now) {
    changed_endpoint to{{now.config, {"github"}, "/sources", "new words"}, "disabled_by_user", true};
    auto& config = to.fields.config;
    config.url = "https://example.org/new";
    config.event_types = {"a.*", "b\"{}"};
    config.headers = {{"x-one", "1"}};
    config.max_in_flight = 3;
    config.timeout = 777ms;
    config.status = endpoint_status::disabled;
    config.retry.jitter = 0;
    config.breaker.failures = 4;
    return result<changed_endpoint>{to};
  });
  BOOST_REQUIRE_MESSAGE(changed, (changed ? "" : changed.error().detail));
  const auto got = f.ask(&store::get_endpoint, "acme", made.config.id);
  BOOST_REQUIRE(got);
  BOOST_TEST(got->config.url == "https://example.org/new");
  BOOST_TEST(got->config.event_types == (texts{"a.*", "b\"{}"}), boost::test_tools::per_element());
  BOOST_TEST((got->config.headers == std::vector<std::pair<std::string, std::string>>{{"x-one", "1"}}));
  BOOST_TEST(got->config.max_in_flight == 3U);
  BOOST_TEST((got->config.timeout == 777ms));
  BOOST_TEST((got->config.status == endpoint_status::disabled));
  BOOST_TEST(got->disabled_reason == "disabled_by_user");
  BOOST_TEST(got->config.retry.jitter == 0.0);
  BOOST_TEST(got->config.breaker.failures == 4U);
  BOOST_TEST(got->description == "new words");
  BOOST_TEST(got->source_ids == texts{to_string(source.id)}, boost::test_tools::per_element());
  BOOST_TEST(f.version("acme") == before + 1);
  BOOST_TEST(f.sql("select from_state || ' ' || to_state || ' ' || cause from transition where kind = 'endpoint'") ==
             "active disabled changed_by_user");
  BOOST_TEST(f.sql("select count(*) from audit_log where action = 'endpoint.update'") == "1");
}

BOOST_AUTO_TEST_CASE(sources_that_are_not_named_stay_even_if_one_was_deleted) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github");
  const auto made = f.endpoint("acme");
  const auto with = [&](std::vector<std::string> names, bool named) {
    return f.ask(&store::change_endpoint, "acme", made.config.id, [=](const endpoint_record& now) {
      return result<changed_endpoint>{changed_endpoint{{now.config, names, "/sources", "x"}, "", named}};
    });
  };
  BOOST_REQUIRE(with({"github"}, true));
  BOOST_REQUIRE(f.ask(&store::delete_source, "acme", "github"));
  BOOST_REQUIRE(with({}, false));
  BOOST_TEST(f.sql("select cardinality(source_nos) from endpoint") == "1"); // else it would take all
  const auto unknown = with({"github"}, true);
  check_refused(unknown, 422, "validation-failed");
  BOOST_TEST(unknown.error().errors.at(0).pointer == "/sources/0");
  BOOST_REQUIRE(with({}, true));
  BOOST_TEST(f.sql("select cardinality(source_nos) from endpoint") == "0");
}

BOOST_AUTO_TEST_CASE(an_endpoints_secret_rotates_with_and_without_overlap) {
  fixture f;
  f.tenant("acme");
  const auto made = f.endpoint("acme");
  const auto rotate = [&](const std::string& secret, std::chrono::seconds overlap) {
    return f.ask(&store::rotate_endpoint_secret, "acme", made.config.id, secret_rotation{secret, overlap});
  };
  BOOST_REQUIRE(rotate("whsec_second", 60s));
  BOOST_TEST(f.sql("select count(*) from endpoint_secret") == "2");
  const auto newest = f.ask(&store::get_endpoint_secret, "acme", made.config.id);
  BOOST_REQUIRE(newest);
  BOOST_TEST(*newest == "whsec_second");
  BOOST_REQUIRE(rotate("whsec_third", 0s));
  BOOST_TEST(f.sql("select count(*) from endpoint_secret") == "1");
  for (std::size_t i = 1; i < live_secrets_max; ++i)
    BOOST_REQUIRE(rotate("whsec_" + std::to_string(i), 60s));
  check_refused(rotate("whsec_more", 60s), 409, "too-many-secrets");
  BOOST_REQUIRE(f.ask(&store::delete_endpoint, "acme", made.config.id));
  check_refused(rotate("whsec_late", 0s), 404, "not-found");
}

BOOST_AUTO_TEST_CASE(an_endpoint_made_disabled_says_by_whom) {
  fixture f;
  f.tenant("acme");
  new_endpoint wanted;
  wanted.config.url = "https://example.com";
  wanted.config.secrets = {{"whsec_x"}};
  wanted.config.status = endpoint_status::disabled;
  const auto made = f.ask(&store::create_endpoints, "acme", std::vector{wanted});
  BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
  BOOST_TEST(made->front().disabled_reason == "disabled_by_user");
}

BOOST_AUTO_TEST_CASE(secrets_past_their_overlap_are_removed_by_maintenance_too) {
  fixture f;
  f.tenant("acme");
  f.source("acme", "github", {"new", "old"});
  f.endpoint("acme");
  f.sql("update source_secret set expires_at = clock_timestamp() - interval '2 hours' where ordinal = 1");
  f.sql("update endpoint_secret set expires_at = clock_timestamp() - interval '2 minutes'");
  watchdog dog;
  session_options options;
  options.url = f.url;
  options.role = "maintenance test";
  session on{options, dog, f.counts};
  BOOST_REQUIRE(!on.connect());
  BOOST_TEST(!drop_expired(on));
  BOOST_TEST(f.sql("select string_agg(ordinal::text, ',') from source_secret") == "2");
  BOOST_TEST(f.sql("select count(*) from endpoint_secret") == "1"); // not yet: an hour's grace
}

BOOST_AUTO_TEST_SUITE_END()
