#include "net/chunked_body.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace postrider;

namespace {

struct outcome {
  int status = 0;
  bool whole = false;
  std::string body;
  std::size_t consumed = 0;
};

/// Feeds `text` in pieces of `step` bytes.
outcome read(const std::string& text, std::size_t step, chunked_body::limits limits = {}) {
  chunked_body reader{limits};
  outcome out;
  for (std::size_t at = 0; at < text.size() && !out.whole && out.status == 0; at += step) {
    const auto progress = reader.feed(std::string_view{text}.substr(at, step), out.body);
    out.consumed = at + progress.consumed;
    out.status = progress.refused.status;
    out.whole = progress.whole;
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(chunked_bodies)

BOOST_AUTO_TEST_CASE(chunks_are_joined_however_they_come) {
  const std::string text = "5\r\nhello\r\n1;a=\"b;c\"\r\n \r\n0006 ;x\r\nworld!\r\n0\r\nTrailer: x\r\n\r\nGET /";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    const auto out = read(text, step);
    BOOST_TEST(out.whole);
    BOOST_TEST(out.body == "hello world!");
    BOOST_TEST(out.consumed == text.size() - 5);
  }
}

BOOST_AUTO_TEST_CASE(malformed_chunks_are_refused) {
  const std::vector<std::string> cases{"\r\n",
                                       "x\r\n",
                                       "-1\r\n",
                                       "0x5\r\nhello",
                                       "5\nhello",
                                       "5\r\nhelloX\r\n",
                                       "5\r\nhello\n",
                                       "5 \r\nhello\r\n",
                                       "5;a\x01\r\n",
                                       "5;a\nb\r\n",
                                       "0\r\nX : y\r\n",
                                       "0\r\n x: y\r\n",
                                       "0\r\nnocolon\r\n",
                                       "0\r\nX: y\n",
                                       "5\rhello",
                                       "1234567890abcdef\r\n"};
  for (const auto& one : cases)
    BOOST_TEST(read(one, 1).status == 400, "for " << one);
}

BOOST_AUTO_TEST_CASE(everything_endless_is_bounded) {
  chunked_body::limits limits{10, 16, 32, false};
  BOOST_TEST(read("b\r\n", 1, limits).status == 413);
  BOOST_TEST(read("6\r\nabcdef\r\n5\r\n", 1, limits).status == 413);
  BOOST_TEST(read("fffffffffffffff\r\n", 1, limits).status == 413);
  BOOST_TEST(read("1;" + std::string(40, 'x'), 1, limits).status == 431);
  BOOST_TEST(read("0\r\nX: " + std::string(40, 'x'), 1, limits).status == 431);
}

BOOST_AUTO_TEST_CASE(a_body_may_be_cut_off_instead) {
  const auto out = read("6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n", 3, {8, 16, 32, true});
  BOOST_TEST(out.whole);
  BOOST_TEST(out.body == "abcdefgh");
}

BOOST_AUTO_TEST_SUITE_END()
