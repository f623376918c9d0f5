#include "core/provider_verification.hpp"

#include "core/header_block.hpp"
#include "tests/support/github_scheme.hpp"
#include "tests/support/provider_vectors.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

const wall_time noon{std::chrono::hours{24 * 365 * 50}};
constexpr std::string_view body = R"({"zen":"Keep it logically awesome."})";

source_config source_with(std::vector<secret> secrets) {
  source_config out;
  out.id.value.bytes[15] = 1;
  out.provider = "github";
  out.rules = test::github_scheme();
  out.secrets = std::move(secrets);
  return out;
}

std::string signed_headers(std::string_view key,
                           std::string_view more = "X-GitHub-Event: push\r\nX-GitHub-Delivery: d-1\r\n") {
  return "X-Hub-Signature-256: sha256=" + encode_hex(hmac_sha256(key, body)) + "\r\n" + std::string{more};
}

verification verify(const source_config& source, std::string_view headers, std::string_view what, wall_time now) {
  return verify_request(source, {"POST", "https://example.com/in/acme/github", headers, what}, now);
}

/// The vectors have words of their own for the reasons.
verify_reason reason_of(std::string_view word) {
  return word == "missing_header"     ? verify_reason::signature_missing
         : word == "malformed_header" ? verify_reason::header_malformed
                                      : verify_reason::signature_mismatch;
}

} // namespace

BOOST_AUTO_TEST_SUITE(provider_verifications)

BOOST_AUTO_TEST_CASE(every_github_vector_gets_its_verdict_its_id_and_its_type) {
  const auto vectors = test::load_provider_vectors(POSTRIDER_SOURCE_DIR "/tests/vectors/providers/github.json");
  BOOST_TEST(vectors.size() >= 3U);
  for (const auto& each : vectors) {
    BOOST_TEST_CONTEXT(each.id) {
      std::vector<secret> secrets;
      for (const auto& text : each.secrets)
        secrets.push_back({text, {}});
      std::string headers;
      for (const auto& [name, value] : each.headers)
        headers.append(name).append(": ").append(value).append("\r\n");
      const auto verified = verify(source_with(secrets), headers, each.body, noon);
      BOOST_TEST(verified.accepted() == each.accept);
      if (!each.accept)
        BOOST_TEST((verified.reason == reason_of(each.reason)));
      if (!each.event_id.empty())
        BOOST_TEST(verified.provider_event_id == each.event_id);
      if (!each.event_type.empty())
        BOOST_TEST(verified.event_type == each.event_type);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_rotated_secret_counts_until_it_expires_and_not_at_that_moment) {
  const auto source = source_with({{"new", {}}, {"old", noon}});
  BOOST_TEST(verify(source, signed_headers("old"), body, noon - 1ms).accepted());
  BOOST_TEST(!verify(source, signed_headers("old"), body, noon).accepted());
  BOOST_TEST(verify(source, signed_headers("new"), body, noon).accepted());
}

BOOST_AUTO_TEST_CASE(a_source_without_a_valid_secret_believes_nothing) {
  BOOST_TEST(!verify(source_with({}), signed_headers(""), body, noon).accepted());
  BOOST_TEST(!verify(source_with({{"old", noon - 1h}}), signed_headers("old"), body, noon).accepted());
}

BOOST_AUTO_TEST_CASE(a_missing_signature_is_told_from_one_that_does_not_match) {
  const auto source = source_with({{"key", {}}});
  BOOST_TEST((verify(source, "X-GitHub-Event: push\r\n", body, noon).reason == verify_reason::signature_missing));
  BOOST_TEST((verify(source, signed_headers("other"), body, noon).reason == verify_reason::signature_mismatch));
}

BOOST_AUTO_TEST_CASE(nothing_is_read_of_a_request_that_is_not_verified) {
  const auto verified = verify(source_with({{"key", {}}}), signed_headers("other"), body, noon);
  BOOST_TEST(verified.provider_event_id.empty());
  BOOST_TEST(verified.event_type.empty());
}

BOOST_AUTO_TEST_CASE(an_id_or_type_that_is_present_but_unreadable_is_refused_and_an_absent_one_is_not) {
  const auto source = source_with({{"key", {}}});
  const auto reason = [&](std::string_view more) {
    return verify(source, signed_headers("key", more), body, noon).reason;
  };
  BOOST_TEST((reason("X-GitHub-Event: two words\r\n") == verify_reason::ok)); // GitLab's types are like that
  BOOST_TEST((reason("X-GitHub-Delivery: two words\r\n") == verify_reason::unreadable_id));
  BOOST_TEST((reason("X-GitHub-Delivery: a\x01"
                     "b\r\n") == verify_reason::unreadable_id));
  BOOST_TEST((reason("X-GitHub-Event: " + std::string(129, 'e') + "\r\n") == verify_reason::unreadable_id));
  BOOST_TEST((reason("X-GitHub-Event: " + std::string(128, 'e') + "\r\n") == verify_reason::ok));
  BOOST_TEST((reason("") == verify_reason::ok));
}

BOOST_AUTO_TEST_CASE(the_dedupe_key_tells_sources_types_and_ids_apart_and_nothing_else) {
  const auto source = source_with({});
  auto other = source;
  other.id.value.bytes[15] = 2;
  const verification push{verify_reason::ok, {}, "d-1", "push"};
  const event_id own{uuid{{9}}};
  const auto key = dedupe_key_of(source, push, body, own);
  BOOST_TEST((key == dedupe_key_of(source, push, "another body", event_id{uuid{{8}}})));
  BOOST_TEST((key != dedupe_key_of(other, push, body, own)));
  BOOST_TEST((key != dedupe_key_of(source, {verify_reason::ok, {}, "d-2", "push"}, body, own)));
  BOOST_TEST((key != dedupe_key_of(source, {verify_reason::ok, {}, "d-1", "pull"}, body, own)));
}

BOOST_AUTO_TEST_CASE(without_an_id_or_by_wish_the_body_stands_for_it_and_with_dedupe_off_nothing_does) {
  auto source = source_with({});
  const verification anonymous{verify_reason::ok, {}, "", "push"};
  const verification named{verify_reason::ok, {}, "d-1", "push"};
  const event_id one{uuid{{1}}}, two{uuid{{2}}};
  BOOST_TEST((dedupe_key_of(source, anonymous, "a", one) == dedupe_key_of(source, anonymous, "a", two)));
  BOOST_TEST((dedupe_key_of(source, anonymous, "a", one) != dedupe_key_of(source, anonymous, "b", one)));
  source.dedupe = dedupe_mode::body_hash;
  BOOST_TEST((dedupe_key_of(source, named, "a", one) == dedupe_key_of(source, anonymous, "a", two)));
  source.dedupe = dedupe_mode::off;
  BOOST_TEST((dedupe_key_of(source, named, "a", one) == one.value));
}

BOOST_AUTO_TEST_CASE(only_the_providers_id_and_type_go_on_to_endpoints) {
  const auto source = source_with({});
  const auto headers = signed_headers("key") + "X-Other: 1\r\n";
  BOOST_TEST(only_headers(headers, source.rules->forwarded_headers) ==
             "X-GitHub-Event: push\r\nX-GitHub-Delivery: d-1\r\n");
}

BOOST_AUTO_TEST_SUITE_END()
