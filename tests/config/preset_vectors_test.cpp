#include "config/presets.hpp"
#include "core/provider_verification.hpp"
#include "tests/support/provider_vectors.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <map>
#include <set>

using namespace postrider;
using namespace postrider::test;

namespace {

std::map<std::string, std::vector<provider_vector>> all_vectors() {
  std::map<std::string, std::vector<provider_vector>> out;
  for (const auto& file : std::filesystem::directory_iterator{POSTRIDER_SOURCE_DIR "/tests/vectors/providers"})
    out.emplace(file.path().stem(), load_provider_vectors(file.path()));
  return out;
}

source_config source_of(const provider_vector& vector) {
  source_config out;
  out.rules = find_preset(vector.scheme);
  out.config = vector.config;
  for (const auto& text : vector.secrets)
    out.secrets.push_back({text, {}});
  return out;
}

verification verify(const provider_vector& vector, const source_config& source) {
  std::string headers;
  for (const auto& [name, value] : vector.headers)
    headers.append(name).append(": ").append(value).append("\r\n");
  return verify_request(source, {vector.method, vector.url, headers, vector.body},
                        wall_time{std::chrono::seconds{vector.now}});
}

/// The vectors' words for a reason, in ours: any of these.
std::set<verify_reason> reasons_of(const provider_vector& vector) {
  using reason = verify_reason;
  // Where the interface names a reason more exactly than the vectors do.
  static const std::map<std::string_view, reason> exact{
    {"gitlab-signed-034-only-unknown-versions", reason::signature_missing},
    {"standard-webhooks-034-only-unknown-versions", reason::signature_missing},
    {"slack-031-unknown-version-prefix", reason::signature_missing},
    {"paystack-023-base64-instead-of-hex", reason::header_malformed},
  };
  if (const auto found = exact.find(vector.id); found != exact.end())
    return {found->second};
  static const std::map<std::string_view, std::set<reason>> all{
    {"missing_header", {reason::header_missing, reason::signature_missing, reason::timestamp_missing}},
    {"missing_field", {reason::field_missing}},
    {"missing_signature", {reason::signature_missing}},
    {"missing_timestamp", {reason::timestamp_missing}},
    {"malformed_header", {reason::header_malformed}},
    {"stale_timestamp", {reason::timestamp_out_of_tolerance}},
    {"future_timestamp", {reason::timestamp_out_of_tolerance}},
    {"bad_verify_token", {reason::verify_token_mismatch}},
    {"bad_signature", {reason::signature_mismatch, reason::token_mismatch, reason::body_digest_mismatch}},
  };
  return all.at(vector.reason);
}

void check(const provider_vector& vector) {
  BOOST_TEST_CONTEXT(vector.id) {
    const auto source = source_of(vector);
    const auto found = verify(vector, source);
    if (!vector.accept) {
      BOOST_TEST(reasons_of(vector).contains(found.reason), to_string(found.reason) << " for " << vector.reason);
      BOOST_TEST(!found.handshake.has_value());
      return;
    }
    BOOST_TEST((found.reason == verify_reason::ok), to_string(found.reason));
    BOOST_TEST(found.handshake.has_value() == vector.is_handshake);
    if (vector.is_handshake && vector.answer && found.handshake) {
      BOOST_TEST(found.handshake->status == vector.answer->status);
      if (vector.answer->json.empty())
        BOOST_TEST(found.handshake->body == vector.answer->body);
      else
        BOOST_TEST((boost::json::parse(found.handshake->body) == boost::json::parse(vector.answer->json)));
      if (!vector.answer->content_type.empty())
        BOOST_TEST(found.handshake->content_type == vector.answer->content_type);
    } else if (vector.answer && source.rules->accept) {
      BOOST_TEST(source.rules->accept->body == vector.answer->body);
    }
    if (!vector.event_id.empty())
      BOOST_TEST(found.provider_event_id == vector.event_id);
    if (!vector.event_type.empty())
      BOOST_TEST(found.event_type == vector.event_type);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(preset_vectors)

BOOST_AUTO_TEST_CASE(every_vector_of_a_scheme_that_is_known_gets_its_verdict) {
  std::map<std::string, int> checked;
  std::map<std::string, int> skipped;
  for (const auto& [file, vectors] : all_vectors())
    for (const auto& vector : vectors) {
      if (!find_preset(vector.scheme)) {
        BOOST_TEST(presets().not_supported.contains(vector.scheme), vector.scheme);
        ++skipped[vector.scheme];
        continue;
      }
      ++checked[vector.scheme];
      check(vector);
    }
  for (const auto& [scheme, count] : skipped)
    BOOST_TEST_MESSAGE("skipped, as its family is not supported yet: " << scheme << ", " << count << " vectors");
  BOOST_TEST(skipped.size() <= 4U);
  BOOST_TEST(checked.size() >= 17U);
}

// One bit of the body, a secret of another, no secret, an empty one: nothing of that may verify.
BOOST_AUTO_TEST_CASE(what_verifies_does_so_under_its_own_secrets_only) {
  for (const auto& [file, vectors] : all_vectors())
    for (const auto& vector : vectors) {
      if (!find_preset(vector.scheme) || !vector.accept || vector.secrets.empty() || vector.reason == "handshake")
        continue;
      BOOST_TEST_CONTEXT(vector.id) {
        auto source = source_of(vector);
        source.secrets = {{"an entirely different secret", {}}};
        BOOST_TEST((verify(vector, source).reason != verify_reason::ok));
        source.secrets = {{"", {}}};
        BOOST_TEST((verify(vector, source).reason != verify_reason::ok));
        source.secrets.clear();
        BOOST_TEST((verify(vector, source).reason != verify_reason::ok));
        source = source_of(vector);
        for (auto& each : source.secrets)
          each.expires_at = wall_time{std::chrono::seconds{vector.now}};
        BOOST_TEST((verify(vector, source).reason != verify_reason::ok));
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
