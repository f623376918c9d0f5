#include "net/prepared_endpoint.hpp"

#include "core/signature.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

const std::string newest = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
const std::string oldest = "whsec_ZmVkY2JhOTg3NjU0MzIxMA==";
const wall_time expiry{std::chrono::hours{24 * 365 * 56}};

std::string value_of(const std::string& head, const std::string& name) {
  const auto start = head.find(name + ": ") + name.size() + 2;
  return head.substr(start, head.find("\r\n", start) - start);
}

std::string signature_by(const std::string& secret, const event& what, wall_time at) {
  const std::vector keys{*decode_whsec(secret)};
  return sign_standard_webhook(keys, to_string(what.id),
                               std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count(), what.body);
}

/// An endpoint in the middle of a rotation, made once; the time is that of each attempt.
struct rotating {
  rotating() {
    auto config = std::make_shared<endpoint_config>();
    config->url = "https://example.com/hook";
    config->secrets = {{newest, std::nullopt}, {oldest, expiry}};
    kept = config;
    prepared = prepare_endpoint(kept, true);
    what.body = "{}";
  }
  std::string signature_at(wall_time now) const {
    std::string head;
    compose_request_head(*prepared, what, 1, now, head);
    BOOST_TEST(value_of(head, "webhook-id") == to_string(what.id));
    return value_of(head, "webhook-signature");
  }

  std::shared_ptr<const endpoint_config> kept;
  std::shared_ptr<prepared_endpoint> prepared;
  event what;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(prepared_endpoints, rotating)

BOOST_AUTO_TEST_CASE(both_secrets_sign_newest_first_until_the_very_moment_at_which_the_old_one_ends) {
  for (const auto before : {3600'000ms, 1'000ms, 1ms}) {
    const auto now = expiry - before;
    BOOST_TEST(signature_at(now) == signature_by(newest, what, now) + " " + signature_by(oldest, what, now));
  }
  for (const auto after : {0ms, 1ms, 1'000ms})
    BOOST_TEST(signature_at(expiry + after) == signature_by(newest, what, expiry + after));
}

BOOST_AUTO_TEST_SUITE_END()
