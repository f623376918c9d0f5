#include "tests/config/scheme_rows.hpp"

#include "core/signature.hpp"
#include "core/time.hpp"

#include <span>
#include <string_view>

namespace postrider::test {

namespace {

using request = signed_request;
using text = const std::string&;

std::string hex(std::string_view bytes) {
  return encode_hex(std::span{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}
std::string base64(std::string_view bytes) {
  return encode_base64(std::span{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}
std::string mac(hash_kind kind, std::string_view key, std::string_view message) {
  return std::string{hmac_of(kind, key, std::span{&message, 1}).view()};
}
std::string mac(std::string_view key, std::string_view message) {
  return mac(hash_kind::sha256, key, message);
}
std::string hash(hash_kind kind, std::string_view message) {
  return std::string{hash_of(kind, std::span{&message, 1}).view()};
}
std::string iso(std::int64_t at) {
  return to_rfc3339(wall_time{std::chrono::seconds{at}});
}

/// The many that sign the body and nothing else.
using encoder = std::string (*)(std::string_view);
scheme_row of_body(std::string scheme, std::string header, encoder encode, std::string prefix, std::string body,
                   std::string id, std::string type, std::vector<std::pair<std::string, std::string>> more = {},
                   hash_kind kind = hash_kind::sha256) {
  return {std::move(scheme),
          [=](text secret, std::int64_t) {
            const auto signature = encode(mac(kind, secret, body));
            auto headers = more;
            headers.emplace_back(header, prefix + signature);
            return request{headers, body, signature};
          },
          std::move(id), std::move(type)};
}

std::vector<scheme_row> of_bodies() {
  std::vector<scheme_row> out{
    of_body("github", "X-Hub-Signature-256", hex, "sha256=", "{}", "d-1", "push",
            {{"X-GitHub-Delivery", "d-1"}, {"X-GitHub-Event", "push"}}),
    of_body("bitbucket", "X-Hub-Signature", hex, "sha256=", "{}", "u-1", "repo:push",
            {{"X-Request-UUID", "u-1"}, {"X-Event-Key", "repo:push"}}),
    of_body("meta", "X-Hub-Signature-256", hex, "sha256=", R"({"object":"page"})", "", "page"),
    of_body("shopify", "X-Shopify-Hmac-Sha256", base64, "", "{}", "w-1", "orders/create",
            {{"X-Shopify-Webhook-Id", "w-1"}, {"X-Shopify-Topic", "orders/create"}}),
    of_body("paystack", "x-paystack-signature", hex, "", R"({"event":"charge.success","data":{"id":302961}})", "302961",
            "charge.success", {}, hash_kind::sha512),
    of_body("razorpay", "X-Razorpay-Signature", hex, "", R"({"event":"payment.captured"})", "r-1", "payment.captured",
            {{"X-Razorpay-Event-Id", "r-1"}}),
    of_body("flutterwave-hmac", "flutterwave-signature", base64, "", R"({"type":"charge.completed"})", "",
            "charge.completed"),
    of_body("intercom", "X-Hub-Signature", hex, "sha1=", R"({"id":"notif_1","topic":"user.created"})", "notif_1",
            "user.created", {}, hash_kind::sha1),
    of_body("typeform", "Typeform-Signature", base64, "sha256=", R"({"event_id":"e1","event_type":"form_response"})",
            "e1", "form_response"),
    of_body("dropbox", "X-Dropbox-Signature", hex, "", R"({"list_folder":{}})", "", ""),
    of_body("woocommerce", "X-WC-Webhook-Signature", base64, "", "{}", "wc1", "order.created",
            {{"X-WC-Webhook-Delivery-ID", "wc1"}, {"X-WC-Webhook-Topic", "order.created"}}),
    of_body("xero", "x-xero-signature", base64, "", R"({"events":[]})", "", ""),
    of_body("sentry", "Sentry-Hook-Signature", hex, "", "{}", "q1", "issue",
            {{"Request-ID", "q1"}, {"Sentry-Hook-Resource", "issue"}}),
    of_body("sonarqube", "X-Sonar-Webhook-HMAC-SHA256", hex, "", R"({"taskId":"AVh"})", "AVh", ""),
    of_body("line", "x-line-signature", base64, "", R"({"events":[{"webhookEventId":"01F","type":"message"}]})", "01F",
            "message"),
    of_body("gocardless", "Webhook-Signature", hex, "", R"({"events":[{"id":"EV1"}]})", "EV1", ""),
    of_body("pagerduty", "X-PagerDuty-Signature", hex,
            "v1=", R"({"event":{"id":"01D","event_type":"incident.triggered"}})", "01D", "incident.triggered"),
    of_body("docusign", "X-DocuSign-Signature-3", base64, "", R"({"event":"envelope-sent"})", "", "envelope-sent"),
  };
  auto& platform = out.emplace_back(scheme_row{"adyen-platform",
                                               [](text secret, std::int64_t) {
                                                 const std::string body =
                                                   R"({"type":"balancePlatform.transfer.created"})";
                                                 const auto signature = base64(mac(decode_hex(secret).value(), body));
                                                 return request{{{"HmacSignature", signature}}, body, signature};
                                               },
                                               "", "balancePlatform.transfer.created"});
  platform.secret = std::string(64, 'a');
  platform.other = std::string(64, 'b');
  return out;
}

scheme_row standard(std::string scheme, std::string before, std::string type,
                    std::vector<std::pair<std::string, std::string>> more, std::string body) {
  scheme_row out{std::move(scheme),
                 [=](text secret, std::int64_t at) {
                   const auto time = std::to_string(at);
                   const auto key = decode_base64(std::string_view{secret}.substr(6)).value();
                   const auto signature = base64(mac(key, "msg_1." + time + "." + body));
                   auto headers = more;
                   headers.emplace_back(before + "id", "msg_1");
                   headers.emplace_back(before + "timestamp", time);
                   headers.emplace_back(before + "signature", "v1a,AAAA v1," + signature);
                   return request{headers, body, signature};
                 },
                 "msg_1",
                 std::move(type),
                 300,
                 300};
  out.secret = "whsec_" + base64(std::string(32, 'k'));
  out.other = "whsec_" + base64(std::string(32, 'o'));
  return out;
}

/// `t=…,v1=…` over time, a sign and the body.
scheme_row timed(std::string scheme, std::string header, std::string time_word, std::string word, char split,
                 char between, std::string body, std::string id, std::string type, int past) {
  return {std::move(scheme),
          [=](text secret, std::int64_t at) {
            const auto time = std::to_string(at);
            const auto signature = hex(mac(secret, time + between + body));
            return request{{{header, time_word + time + split + word + signature}}, body, signature};
          },
          std::move(id), std::move(type), past};
}

/// `v0:` time `:` body (Slack, Zoom).
scheme_row versioned(std::string scheme, std::string header, std::string time_header, std::string body, std::string id,
                     std::string type, int past) {
  return {std::move(scheme),
          [=](text secret, std::int64_t at) {
            const auto time = std::to_string(at);
            const auto signature = hex(mac(secret, "v0:" + time + ":" + body));
            return request{{{time_header, time}, {header, "v0=" + signature}}, body, signature};
          },
          std::move(id), std::move(type), past};
}

std::vector<scheme_row> of_time() {
  std::vector<scheme_row> rows{
    timed("stripe", "Stripe-Signature", "t=", "v1=", ',', '.', R"({"id":"evt_1","type":"invoice.paid"})", "evt_1",
          "invoice.paid", 300),
    timed("calendly", "Calendly-Webhook-Signature", "t=", "v1=", ',', '.', R"({"event":"invitee.created"})", "",
          "invitee.created", 180),
    timed("paddle", "Paddle-Signature", "ts=", "h1=", ';', ':',
          R"({"event_id":"ntf_1","event_type":"transaction.paid"})", "ntf_1", "transaction.paid", 5),
    versioned("slack", "X-Slack-Signature", "X-Slack-Request-Timestamp",
              R"({"event_id":"Ev1","type":"event_callback","event":{"type":"app_mention"}})", "Ev1", "app_mention",
              300),
    versioned("zoom", "x-zm-signature", "x-zm-request-timestamp", R"({"event":"meeting.started"})", "",
              "meeting.started", -1),
    standard("standard-webhooks", "webhook-", "user.created", {}, R"({"type":"user.created"})"),
    standard("svix", "svix-", "user.created", {}, R"({"type":"user.created"})"),
    standard("resend", "svix-", "email.sent", {}, R"({"type":"email.sent"})"),
    standard("gitlab-signed", "webhook-", "Push Hook", {{"X-Gitlab-Event", "Push Hook"}}, "{}"),
  };
  rows.push_back({"hubspot-v3",
                  [](text secret, std::int64_t at) {
                    request out{{}, R"([{"eventId":7,"subscriptionType":"contact.creation"}])"};
                    out.url = "https://hooks.example.com/in/acme/shop?a=%40x%20y%2Fz";
                    const auto time = std::to_string(at * 1'000);
                    // Of the escapes %40 and %2F are decoded, %20 is not.
                    out.signature =
                      base64(mac(secret, "POSThttps://hooks.example.com/in/acme/shop?a=@x%20y/z" + out.body + time));
                    out.headers = {{"X-HubSpot-Request-Timestamp", time}, {"X-HubSpot-Signature-v3", out.signature}};
                    return out;
                  },
                  "7", "contact.creation", 300});
  rows.push_back({"zendesk",
                  [](text secret, std::int64_t at) {
                    request out{{}, R"({"type":"zen:event-type:user.created"})"};
                    out.signature = base64(mac(secret, iso(at) + out.body));
                    out.headers = {{"X-Zendesk-Webhook-Signature-Timestamp", iso(at)},
                                   {"X-Zendesk-Webhook-Signature", out.signature},
                                   {"X-Zendesk-Webhook-Invocation-Id", "z1"}};
                    return out;
                  },
                  "z1", "zen:event-type:user.created"});
  rows.push_back(
    {"linear",
     [](text secret, std::int64_t at) {
       request out{{}, R"({"webhookTimestamp":)" + std::to_string(at * 1'000) + "}"};
       out.signature = hex(mac(secret, out.body));
       out.headers = {{"Linear-Signature", out.signature}, {"Linear-Delivery", "l1"}, {"Linear-Event", "Issue"}};
       return out;
     },
     "l1", "Issue", 60, 60});
  rows.push_back({"sanity",
                  [](text secret, std::int64_t at) {
                    request out{{{"Idempotency-Key", "s1"}}, R"({"_id":"x"})"};
                    const auto time = std::to_string(at * 1'000);
                    out.signature = encode_base64url(mac(secret, time + "." + out.body));
                    out.headers.emplace_back("sanity-webhook-signature", "t=" + time + ",v1=" + out.signature);
                    return out;
                  },
                  "s1", ""});
  rows.push_back({"mailgun",
                  [](text secret, std::int64_t at) {
                    const auto time = std::to_string(at);
                    request out;
                    out.signature = hex(mac(secret, time + "0123456789"));
                    out.body = R"({"signature":{"timestamp":")" + time + R"(","token":"0123456789","signature":")" +
                               out.signature + R"("},"event-data":{"id":"m1","event":"opened"}})";
                    return out;
                  },
                  "m1", "opened", -1, -1, false});
  auto& box = rows.emplace_back(scheme_row{"box",
                                           [](text secret, std::int64_t at) {
                                             request out{{}, R"({"id":"b1","trigger":"FILE.UPLOADED"})"};
                                             out.signature = base64(mac(secret, out.body + iso(at)));
                                             out.headers = {{"BOX-SIGNATURE-VERSION", "1"},
                                                            {"BOX-SIGNATURE-ALGORITHM", "HmacSHA256"},
                                                            {"BOX-DELIVERY-TIMESTAMP", iso(at)},
                                                            {"BOX-SIGNATURE-PRIMARY", out.signature}};
                                             return out;
                                           },
                                           "b1", "FILE.UPLOADED", 600});
  box.secret_setting = "primary_key";
  return rows;
}

std::vector<scheme_row> of_other_kinds() {
  std::vector<scheme_row> rows;
  rows.push_back({"square",
                  [](text secret, std::int64_t) {
                    request out{{}, R"({"event_id":"sq1","type":"payment.created"})"};
                    out.signature = base64(mac(secret, out.url + out.body));
                    out.headers = {{"x-square-hmacsha256-signature", out.signature}};
                    return out;
                  },
                  "sq1", "payment.created"});
  rows.push_back({"twilio-form",
                  [](text secret, std::int64_t) {
                    request out{{{"I-Twilio-Idempotency-Token", "tw1"}}, "To=%2B1&From=%2B2&To=%2B0&To=%2B1&Body=a+b"};
                    out.signature = base64(mac(hash_kind::sha1, secret, out.url + "Bodya bFrom+2To+0To+1"));
                    out.headers.emplace_back("X-Twilio-Signature", out.signature);
                    return out;
                  },
                  "tw1", ""});
  rows.push_back({"twilio-json",
                  [](text secret, std::int64_t) {
                    request out{{{"I-Twilio-Idempotency-Token", "tw2"}}, R"({"a":1})"};
                    out.url =
                      "https://hooks.example.com/in/acme/shop?bodySHA256=" + hex(hash(hash_kind::sha256, out.body));
                    out.signature = base64(mac(hash_kind::sha1, secret, out.url));
                    out.headers.emplace_back("X-Twilio-Signature", out.signature);
                    return out;
                  },
                  "tw2", ""});
  auto& adyen = rows.emplace_back(scheme_row{
    "adyen-standard",
    [](text secret, std::int64_t) {
      request out;
      out.signature = base64(mac(decode_hex(secret).value(), "psp1::Shop:order-1:1130:EUR:AUTHORISATION:true"));
      out.body =
        R"({"notificationItems":[{"NotificationRequestItem":{"pspReference":"psp1",)"
        R"("merchantAccountCode":"Shop","merchantReference":"order-1","amount":{"value":1130,"currency":"EUR"},)"
        R"("eventCode":"AUTHORISATION","success":"true","additionalData":{"hmacSignature":")" +
        out.signature + R"("}}}]})";
      return out;
    },
    "psp1", "AUTHORISATION", -1, -1, false});
  adyen.secret = std::string(64, 'a');
  adyen.other = std::string(64, 'b');
  auto& braintree = rows.emplace_back(
    scheme_row{"braintree",
               [](text secret, std::int64_t) {
                 request out;
                 const auto payload = base64("<notification><kind>subscription_canceled</kind></notification>");
                 out.signature = hex(mac(hash_kind::sha1, hash(hash_kind::sha1, secret), payload));
                 std::string escaped;
                 for (const char c : payload)
                   escaped += c == '=' ? std::string{"%3D"} : c == '+' ? std::string{"%2B"} : std::string{c};
                 out.body = "bt_signature=other_key%7Cabc%26public_1%7C" + out.signature + "&bt_payload=" + escaped;
                 return out;
               },
               "", "subscription_canceled"});
  braintree.config = {{"public_key", "public_1"}};
  return rows;
}

scheme_row of_token(std::string scheme, std::string header, std::string body, std::string id, std::string type,
                    std::vector<std::pair<std::string, std::string>> more = {}) {
  return {std::move(scheme),
          [=](text secret, std::int64_t) {
            auto headers = more;
            headers.emplace_back(header, secret);
            return request{headers, body, secret};
          },
          std::move(id),
          std::move(type),
          -1,
          -1,
          false};
}

std::vector<scheme_row> of_secrets_themselves() {
  std::vector<scheme_row> rows{
    of_token("gitlab-token", "X-Gitlab-Token", "{}", "g1", "Push Hook",
             {{"Idempotency-Key", "g1"}, {"X-Gitlab-Event", "Push Hook"}}),
    of_token("telegram", "X-Telegram-Bot-Api-Secret-Token", R"({"update_id":9,"message":{}})", "9", "message"),
    of_token("flutterwave-token", "verif-hash", R"({"event":"charge.completed","data":{"id":5}})", "5",
             "charge.completed"),
  };
  rows.push_back({"microsoft-graph",
                  [](text secret, std::int64_t) {
                    return request{{},
                                   R"({"value":[{"id":"n1","changeType":"created","clientState":")" + secret +
                                     R"("},{"id":"n2","changeType":"created","clientState":")" + secret + R"("}]})",
                                   secret};
                  },
                  "n1", "created", -1, -1, false});
  auto& grid = rows.emplace_back(scheme_row{"azure-event-grid",
                                            [](text secret, std::int64_t) {
                                              request out{{}, R"([{"id":"a1","eventType":"Blob.Created"}])", secret};
                                              out.url = "https://hooks.example.com/in/acme/shop?code=" + secret;
                                              return out;
                                            },
                                            "a1", "Blob.Created", -1, -1, false});
  grid.secret = "a-first-secret";
  grid.other = "another-secret";
  grid.config = {{"query_param", "code"}};
  auto& postmark = rows.emplace_back(scheme_row{
    "postmark-basic",
    [](text secret, std::int64_t) {
      const auto both = base64("shop:" + secret);
      return request{{{"Authorization", "Basic " + both}}, R"({"MessageID":"p1","RecordType":"Delivery"})", both};
    },
    "p1", "Delivery", -1, -1, false});
  postmark.config = {{"username", "shop"}};
  auto& phonepe =
    rows.emplace_back(scheme_row{"phonepe-authorization",
                                 [](text secret, std::int64_t) {
                                   const auto digest = hex(hash(hash_kind::sha256, "shop:" + secret));
                                   return request{{{"Authorization", digest}},
                                                  R"({"event":"checkout.order.completed","payload":{"orderId":"o1"}})",
                                                  digest};
                                 },
                                 "o1", "checkout.order.completed", -1, -1, false});
  phonepe.config = {{"username", "shop"}};
  auto& verify = rows.emplace_back(
    scheme_row{"phonepe-x-verify",
               [](text secret, std::int64_t) {
                 const auto inner = base64(R"({"code":"PAYMENT_SUCCESS","data":{"transactionId":"T1"}})");
                 const auto digest = hex(hash(hash_kind::sha256, inner + secret));
                 return request{{{"X-VERIFY", digest + "###1"}}, R"({"response":")" + inner + R"("})", digest};
               },
               "T1", "PAYMENT_SUCCESS"});
  verify.secret_setting = "salts/1";
  return rows;
}

} // namespace

std::vector<scheme_row> scheme_rows() {
  auto out = of_bodies();
  for (auto&& more : {of_time(), of_other_kinds(), of_secrets_themselves()})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

} // namespace postrider::test
