#include "net/http_writer.hpp"

#include "core/signature.hpp"

#include <boost/test/unit_test.hpp>

using namespace postrider;

namespace {

std::string written(const ingest_answer& what) {
  std::string out;
  write_ingest_answer(out, what, {"0123456789abcdef", "Sun, 06 Nov 1994 08:49:37 GMT"});
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_writing)

BOOST_AUTO_TEST_CASE(no_text_of_an_answer_begins_a_header_of_its_own) {
  std::string out;
  write_response(out, {200, "text/plain\r\nset-cookie: a=b", "body", {{"allow", "POST\r\n\r\n<html>"}}},
                 {"0123456789abcdef", "now"});
  BOOST_TEST(out.find("allow: POST<html>\r\n") != std::string::npos);
  BOOST_TEST(out.find("\r\nset-cookie") == std::string::npos);
  BOOST_TEST(out.find("\r\n\r\n") == out.size() - 8);
}

BOOST_AUTO_TEST_CASE(our_own_200_is_the_same_on_the_short_way_and_the_long_one) {
  for (const auto result : {ingest_result::accepted, ingest_result::duplicate}) {
    const ingest_answer what{{}, result, event_id{uuid{{7}}}};
    const auto rendered = ingest_response(what, "0123456789abcdef");
    const auto text = written(what);
    BOOST_TEST(rendered.status == 200);
    BOOST_TEST(text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: " + rendered.content_type + "\r\n"));
    BOOST_TEST(text.ends_with("\r\n\r\n" + rendered.body));
    BOOST_TEST(text.find("content-length: " + std::to_string(rendered.body.size()) + "\r\n") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_tenant_over_its_quota_is_told_why_and_how_long_to_wait) {
  for (const auto& [result, code] : {std::pair{ingest_result::rate_limited, "rate-limited"},
                                     std::pair{ingest_result::backlog_full, "backlog-full"}}) {
    ingest_answer what;
    what.result = result;
    what.retry_after = std::chrono::seconds{7};
    const auto text = written(what);
    BOOST_TEST(text.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
    BOOST_TEST(text.find("\r\nretry-after: 7\r\n") != std::string::npos);
    BOOST_TEST(text.find("\"code\":\"" + std::string{code} + "\"") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
