#include "daemon/logging.hpp"

#include "config/log_fields.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

using namespace postrider;

namespace {

/// What is logged while it lives, in place of the default logger.
class captured_log {
public:
  explicit captured_log(log_format format) : former_{spdlog::default_logger()} {
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_formatter(std::make_unique<log_formatter>(format, "n1"));
    spdlog::set_default_logger(std::move(logger));
  }
  ~captured_log() { spdlog::set_default_logger(former_); }
  captured_log(const captured_log&) = delete;
  captured_log& operator=(const captured_log&) = delete;
  [[nodiscard]] std::string text() const { return text_.str(); }

private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> former_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(daemon_logging)

BOOST_AUTO_TEST_CASE(json_lines_hold_the_fixed_fields_and_those_of_the_event) {
  const captured_log log{log_format::json};
  log_event(spdlog::level::warn, "lease lost", {{"shard", 7}, {"why", "the database is away"}, {"again", true}});
  const auto line = boost::json::parse(log.text()).as_object();
  BOOST_TEST(line.size() == 7U);
  BOOST_TEST(line.at("level").as_string() == "warn");
  BOOST_TEST(line.at("node").as_string() == "n1");
  BOOST_TEST(line.at("message").as_string() == "lease lost");
  BOOST_TEST(line.at("shard").as_int64() == 7);
  BOOST_TEST(line.at("why").as_string() == "the database is away");
  BOOST_TEST(line.at("again").as_bool());
  const std::string at{line.at("ts").as_string()};
  BOOST_TEST(at.size() == 24U);
  BOOST_TEST(at.back() == 'Z');
}

BOOST_AUTO_TEST_CASE(a_plain_message_is_a_line_of_its_own) {
  const captured_log log{log_format::json};
  spdlog::info("took {} shards", 64);
  BOOST_TEST(boost::json::parse(log.text()).at("message").as_string() == "took 64 shards");
  BOOST_TEST(log.text().ends_with("}\n"));
}

BOOST_AUTO_TEST_CASE(no_text_can_forge_or_break_a_line) {
  const captured_log log{log_format::json};
  const std::string nasty = "a\"b\\c\n{\"level\":\"info\"}\x01\xff\xc3\x28\xed\xa0\x80 \xc3\xa9";
  log_event(spdlog::level::err, "from outside", {{"value", nasty}});
  const auto text = log.text();
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 1);
  const auto line = boost::json::parse(text).as_object();
  BOOST_TEST(line.at("level").as_string() == "error");
  const std::string value{line.at("value").as_string()};
  BOOST_TEST(value.starts_with("a\"b\\c\n{\"level\":\"info\"}\x01\xef\xbf\xbd\xef\xbf\xbd("));
  BOOST_TEST(value.ends_with(" \xc3\xa9"));
}

BOOST_AUTO_TEST_CASE(no_value_can_forge_a_field) {
  const captured_log log{log_format::json};
  log_event(spdlog::level::warn, "from outside", {{"value", "x\x1fnode=other\x1eready=true"}});
  const auto line = boost::json::parse(log.text()).as_object();
  BOOST_TEST(line.size() == 5U);
  BOOST_TEST(line.at("node").as_string() == "n1");
  BOOST_TEST(line.at("value").as_string() == "x node=other ready=true");
}

BOOST_AUTO_TEST_CASE(text_lines_are_for_people) {
  const captured_log log{log_format::text};
  log_event(spdlog::level::info, "listening", {{"at", "127.0.0.1:8080"}, {"evil", "x\ny"}});
  BOOST_TEST(log.text().substr(25) == "info listening at=127.0.0.1:8080 evil=x\\ny\n");
}

BOOST_AUTO_TEST_SUITE_END()
