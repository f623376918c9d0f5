// Every scheme of the presets against requests that were signed by hand (tests/config/scheme_rows.hpp), whole and with
// each of their parts damaged; and every handshake, byte for byte.
#include "config/presets.hpp"
#include "core/provider_verification.hpp"
#include "tests/config/scheme_rows.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace postrider;
using namespace postrider::test;

namespace {

using reason = verify_reason;

constexpr std::int64_t noon = 1'760'000'000;
const std::set<reason> mismatches{reason::signature_mismatch, reason::token_mismatch};
const std::set<reason> missing{reason::header_missing, reason::field_missing, reason::signature_missing,
                               reason::timestamp_missing};

wall_time at(std::int64_t seconds) {
  return wall_time{std::chrono::seconds{seconds}};
}

source_config source_of(const scheme_row& row, const std::string& secret) {
  source_config out;
  out.rules = find_preset(row.scheme);
  out.config = row.config;
  if (row.secret_setting.empty())
    out.secrets = {{secret, {}}};
  else
    out.config[row.secret_setting] = secret;
  return out;
}

verification verify(const source_config& source, const signed_request& what, std::int64_t now = noon) {
  std::string headers;
  for (const auto& [name, value] : what.headers)
    headers.append(name).append(": ").append(value).append("\r\n");
  return verify_request(source, {what.method, what.url, headers, what.body}, at(now));
}

void replace(std::string& in, const std::string& from, const std::string& to) {
  if (const auto found = in.find(from); found != std::string::npos)
    in.replace(found, from.size(), to);
}

/// The same with another proof in place of its own, wherever that stands.
signed_request with_proof(signed_request what, const std::string& proof) {
  for (auto& [name, value] : what.headers)
    replace(value, what.signature, proof);
  replace(what.body, what.signature, proof);
  replace(what.url, what.signature, proof);
  return what;
}

std::string damaged(std::string text) {
  text.front() = text.front() == 'A' || text.front() == 'a' ? 'b' : 'a'; // hex and base64 both
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(every_scheme)

BOOST_AUTO_TEST_CASE(each_scheme_has_a_row) {
  std::set<std::string> rows;
  for (const auto& row : scheme_rows())
    rows.insert(row.scheme);
  for (const auto& [name, scheme] : presets().schemes)
    BOOST_TEST(rows.contains(name), name);
}

BOOST_AUTO_TEST_CASE(a_request_signed_as_the_provider_does_is_accepted_with_its_id_and_type) {
  for (const auto& row : scheme_rows()) {
    BOOST_TEST_CONTEXT(row.scheme) {
      const auto found = verify(source_of(row, row.secret), row.make(row.secret, noon));
      BOOST_TEST((found.reason == reason::ok), to_string(found.reason));
      BOOST_TEST(found.provider_event_id == row.id);
      BOOST_TEST(found.event_type == row.type);
    }
  }
}

BOOST_AUTO_TEST_CASE(another_secret_a_damaged_or_a_missing_proof_and_a_damaged_body_are_refused) {
  for (const auto& row : scheme_rows()) {
    BOOST_TEST_CONTEXT(row.scheme) {
      const auto source = source_of(row, row.secret);
      const auto whole = row.make(row.secret, noon);
      BOOST_TEST(mismatches.contains(verify(source_of(row, row.other), whole).reason));
      BOOST_TEST(mismatches.contains(verify(source, row.make(row.other, noon)).reason));
      BOOST_TEST(mismatches.contains(verify(source, with_proof(whole, damaged(whole.signature))).reason));
      const auto without = verify(source, with_proof(whole, "")).reason;
      BOOST_TEST((missing.contains(without) || without == reason::header_malformed), to_string(without));
      auto other_body = whole;
      other_body.body.back() = static_cast<char>(other_body.body.back() ^ 1);
      const auto of_body = verify(source, other_body).reason;
      if (row.is_body_signed)
        BOOST_TEST((of_body != reason::ok));
      auto longer = whole;
      longer.body += row.scheme == "braintree" || row.scheme == "twilio-form" ? "&z=1" : " ";
      if (row.is_body_signed && row.scheme != "braintree" && row.scheme != "phonepe-x-verify")
        BOOST_TEST((verify(source, longer).reason ==
                    (row.scheme == "twilio-json" ? reason::body_digest_mismatch : reason::signature_mismatch)),
                   to_string(verify(source, longer).reason));
    }
  }
}

BOOST_AUTO_TEST_CASE(without_a_header_that_the_scheme_needs_it_is_refused_as_missing) {
  const std::set<std::string> of_identity{"X-GitHub-Delivery",
                                          "X-GitHub-Event",
                                          "X-Request-UUID",
                                          "X-Event-Key",
                                          "X-Shopify-Webhook-Id",
                                          "X-Shopify-Topic",
                                          "X-Razorpay-Event-Id",
                                          "X-WC-Webhook-Delivery-ID",
                                          "X-WC-Webhook-Topic",
                                          "Request-ID",
                                          "Sentry-Hook-Resource",
                                          "X-Gitlab-Event",
                                          "X-Zendesk-Webhook-Invocation-Id",
                                          "Linear-Delivery",
                                          "Linear-Event",
                                          "Idempotency-Key",
                                          "I-Twilio-Idempotency-Token"};
  for (const auto& row : scheme_rows()) {
    const auto whole = row.make(row.secret, noon);
    for (std::size_t i = 0; i < whole.headers.size(); ++i) {
      BOOST_TEST_CONTEXT(row.scheme << " without " << whole.headers[i].first) {
        auto less = whole;
        less.headers.erase(less.headers.begin() + static_cast<std::ptrdiff_t>(i));
        const auto found = verify(source_of(row, row.secret), less).reason;
        BOOST_TEST((of_identity.contains(whole.headers[i].first) ? found == reason::ok : missing.contains(found)),
                   to_string(found));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_timestamp_counts_to_the_end_of_its_window_and_not_beyond) {
  for (const auto& row : scheme_rows()) {
    BOOST_TEST_CONTEXT(row.scheme) {
      const auto source = source_of(row, row.secret);
      const auto is_in_time = [&](std::int64_t sent) {
        const auto found = verify(source, row.make(row.secret, sent)).reason;
        BOOST_TEST((found == reason::ok || found == reason::timestamp_out_of_tolerance), to_string(found));
        return found == reason::ok;
      };
      constexpr std::int64_t year = 365 * 86'400;
      BOOST_TEST(is_in_time(noon - (row.past < 0 ? year : row.past)));
      BOOST_TEST(is_in_time(noon + (row.future < 0 ? year : row.future)));
      BOOST_TEST((row.past < 0 || !is_in_time(noon - row.past - 1)));
      BOOST_TEST((row.future < 0 || !is_in_time(noon + row.future + 1)));
    }
  }
}

BOOST_AUTO_TEST_CASE(in_a_rotation_the_old_secret_counts_until_it_expires) {
  for (const auto& row : scheme_rows()) {
    if (!row.secret_setting.empty())
      continue;
    BOOST_TEST_CONTEXT(row.scheme) {
      auto source = source_of(row, row.secret);
      source.secrets.push_back({row.other, at(noon + 60)});
      const auto old = row.make(row.other, noon);
      BOOST_TEST((verify(source, row.make(row.secret, noon)).reason == reason::ok));
      BOOST_TEST((verify(source, old).reason == reason::ok));
      source.secrets.back().expires_at = at(noon);
      BOOST_TEST(mismatches.contains(verify(source, old).reason));
    }
  }
}

// DocuSign sends one signature for each active key, of which up to 100 can be.
BOOST_AUTO_TEST_CASE(one_right_signature_among_a_hundred_is_enough) {
  for (const auto& row : scheme_rows()) {
    if (row.scheme != "docusign")
      continue;
    const auto source = source_of(row, row.secret);
    auto what = row.make(row.secret, noon);
    for (int i = 101; i < 200; ++i)
      what.headers.insert(what.headers.begin(),
                          {"X-DocuSign-Signature-" + std::to_string(i), row.make(row.other, noon).signature});
    BOOST_TEST((verify(source, what).reason == reason::ok));
    what.headers.emplace_back("X-DocuSign-Signature-200", what.signature);
    BOOST_TEST((verify(source, what).reason == reason::header_malformed));
  }
}

BOOST_AUTO_TEST_CASE(every_item_of_a_list_must_be_proven) {
  for (const auto& row : scheme_rows()) {
    if (row.scheme != "microsoft-graph")
      continue;
    auto what = row.make(row.secret, noon);
    replace(what.body, row.secret, row.other); // the first of two
    BOOST_TEST((verify(source_of(row, row.secret), what).reason == reason::token_mismatch));
    replace(what.body, row.other, "");
    BOOST_TEST((verify(source_of(row, row.secret), what).reason == reason::signature_missing));
  }
}

BOOST_AUTO_TEST_CASE(each_signature_of_box_counts_under_its_own_key_alone) {
  for (const auto& row : scheme_rows()) {
    if (row.scheme != "box")
      continue;
    auto source = source_of(row, "the first key");
    source.config["secondary_key"] = row.secret;
    auto what = row.make(row.secret, noon);
    BOOST_TEST((verify(source, what).reason == reason::signature_mismatch));
    what.headers.back().first = "BOX-SIGNATURE-SECONDARY";
    BOOST_TEST((verify(source, what).reason == reason::ok));
    source.config.erase("secondary_key");
    BOOST_TEST((verify(source, what).reason == reason::signature_mismatch));
  }
}

BOOST_AUTO_TEST_SUITE_END()
