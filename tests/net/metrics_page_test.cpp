#include "net/metrics_page.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace postrider;

namespace {

/// A strict reading of the text format 0.0.4 (prometheus.io, "Exposition formats"): whatever is not of its form is an
/// error. Families are not mixed; each has its HELP and TYPE, once, before its samples.
class exposition {
public:
  struct sample {
    std::string name;
    std::map<std::string, std::string> labels;
    double value = 0;
  };
  struct family {
    std::string type, help;
    std::vector<sample> samples;
  };

  explicit exposition(const std::string& text) {
    if (text.empty() || text.back() != '\n')
      throw std::runtime_error("the last line does not end");
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
      read(line);
    for (const auto& [name, one] : families)
      check(name, one);
  }

  std::map<std::string, family> families;

private:
  void read(const std::string& line) {
    static const std::regex help{R"(# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+))"};
    static const std::regex type{R"(# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram))"};
    static const std::regex value{
      R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? ([+-]?(Inf|[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?)))"};
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      if (!families.emplace(found[1], family{{}, found[2], {}}).second)
        throw std::runtime_error("twice: " + line);
      current_ = found[1];
    } else if (std::regex_match(line, found, type)) {
      auto& one = families.at(found[1]);
      if (found[1] != current_ || !one.type.empty() || !one.samples.empty())
        throw std::runtime_error("out of place: " + line);
      one.type = found[2];
    } else if (std::regex_match(line, found, value)) {
      auto& one = families.at(current_);
      const std::string name = found[1];
      const bool part = one.type == "histogram" &&
                        (name == current_ + "_bucket" || name == current_ + "_sum" || name == current_ + "_count");
      if (name != current_ && !part)
        throw std::runtime_error("not of its family: " + line);
      if (one.type == "histogram" && !part)
        throw std::runtime_error("no part of a histogram: " + line);
      const std::string number = found[3];
      one.samples.push_back({name, labels_of(found[2]), number.ends_with("Inf") ? INFINITY : std::stod(number)});
    } else {
      throw std::runtime_error("not of the format: " + line);
    }
  }

  static std::map<std::string, std::string> labels_of(const std::string& text) {
    std::map<std::string, std::string> out;
    if (text.empty())
      return out;
    static const std::regex one{R"re(([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|$))re"};
    auto rest = text.substr(1, text.size() - 2);
    for (std::smatch found; !rest.empty(); rest = found.suffix()) {
      if (!std::regex_search(rest, found, one, std::regex_constants::match_continuous))
        throw std::runtime_error("labels: " + text);
      if (!out.emplace(found[1], found[2]).second)
        throw std::runtime_error("a label twice: " + text);
      const std::string left = found.suffix();
      rest = left;
      if (rest.empty())
        break;
    }
    return out;
  }

  static void check(const std::string& name, const family& one) {
    if (one.type.empty() || one.samples.empty())
      throw std::runtime_error(name + " has no type or no samples");
    std::set<std::pair<std::string, std::map<std::string, std::string>>> seen;
    for (const auto& each : one.samples)
      if (!seen.emplace(each.name, each.labels).second)
        throw std::runtime_error(name + " tells the same twice");
    if (one.type == "histogram")
      check_buckets(name, one);
  }

  static void check_buckets(const std::string& name, const family& one) {
    double bound = -INFINITY, last = 0, count = -1;
    for (const auto& each : one.samples) {
      if (each.name == name + "_count")
        count = each.value;
      if (each.name != name + "_bucket")
        continue;
      const auto& text = each.labels.at("le");
      const auto le = text == "+Inf" ? INFINITY : std::stod(text);
      if (le <= bound || each.value < last)
        throw std::runtime_error(name + ": buckets out of order");
      bound = le;
      last = each.value;
    }
    if (bound != INFINITY || count != last)
      throw std::runtime_error(name + ": the last bucket is not all");
  }

  std::string current_;
};

exposition page_of(const metrics& counts) {
  return exposition{
    render_metrics(counts, read_process_usage(), {{"database", true, ""}, {"delivery", false, "stuck"}})};
}

double value_of(const exposition& page, const std::string& family,
                const std::map<std::string, std::string>& labels = {}, const std::string& suffix = {}) {
  for (const auto& each : page.families.at(family).samples)
    if (each.labels == labels && each.name == family + suffix)
      return each.value;
  throw std::runtime_error("no such sample of " + family);
}

} // namespace

BOOST_AUTO_TEST_SUITE(net_metrics_page)

BOOST_AUTO_TEST_CASE(the_page_is_of_the_format_also_with_nothing_counted) {
  const metrics counts;
  const auto page = page_of(counts);
  BOOST_TEST(page.families.size() > 50U);
}

BOOST_AUTO_TEST_CASE(names_say_whose_they_are_and_in_what_unit) {
  const metrics counts;
  for (const auto& [name, family] : page_of(counts).families) {
    BOOST_TEST(name.starts_with("postrider_"), name);
    BOOST_TEST(name.ends_with("_total") == (family.type == "counter"), name);
    BOOST_TEST(family.help.ends_with('.'), name);
    for (const auto* wrong :
         {"_ms", "_us", "_milliseconds", "_microseconds", "_kb", "_mb", "_count", "_sum", "_bucket"})
      BOOST_TEST(!name.ends_with(wrong), name);
    if (name.find("duration") != std::string::npos)
      BOOST_TEST(name.ends_with("_seconds"), name);
    for (const auto& sample : family.samples) {
      BOOST_TEST(sample.labels.size() <= 1U, name); // bounded sets of one kind: no tenant, no endpoint, no URL
      for (const auto& [label, value] : sample.labels)
        BOOST_TEST((label == "le" || label == "result" || label == "listener" || label == "reason" ||
                    label == "outcome" || label == "state" || label == "kind" || label == "user" ||
                    label == "dependency" || label == "version"),
                   name << " " << label);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_counted_is_told) {
  metrics counts;
  counts.ingest_accepted.add(3);
  counts.ingest_refusals[static_cast<std::size_t>(verify_reason::token_mismatch)].add(2);
  counts.attempt_failures[static_cast<std::size_t>(attempt_reason::timeout)].add(4);
  counts.breakers_open.add(1);
  counts.store_connections.add(7);
  counts.accept_batch_size.observe(1);
  counts.accept_batch_size.observe(200);
  counts.accept_batch_size.observe(5'000);
  counts.delivery_latency.observe(2'000'000);
  const auto page = page_of(counts);
  BOOST_TEST(value_of(page, "postrider_ingest_requests_total", {{"result", "accepted"}}) == 3);
  BOOST_TEST(value_of(page, "postrider_ingest_refusals_total", {{"reason", "token-mismatch"}}) == 2);
  BOOST_TEST(value_of(page, "postrider_attempt_failures_total", {{"reason", "timeout"}}) == 4);
  BOOST_TEST(value_of(page, "postrider_breakers_open") == 1);
  BOOST_TEST(value_of(page, "postrider_store_connections", {{"user", "engine"}}) == 7);
  BOOST_TEST(value_of(page, "postrider_store_accept_batch_events", {{"le", "1"}}, "_bucket") == 1);
  BOOST_TEST(value_of(page, "postrider_store_accept_batch_events", {{"le", "256"}}, "_bucket") == 2);
  BOOST_TEST(value_of(page, "postrider_store_accept_batch_events", {}, "_count") == 3);
  BOOST_TEST(value_of(page, "postrider_store_accept_batch_events", {}, "_sum") == 5'201);
  BOOST_TEST(value_of(page, "postrider_delivery_duration_seconds", {}, "_sum") == 2);
  BOOST_TEST(value_of(page, "postrider_ready", {{"dependency", "database"}}) == 1);
  BOOST_TEST(value_of(page, "postrider_ready", {{"dependency", "delivery"}}) == 0);
}

BOOST_AUTO_TEST_CASE(the_reader_of_this_test_is_strict) {
  const std::string good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"y\"} 1\n";
  BOOST_CHECK_NO_THROW(exposition{good});
  for (const auto* bad :
       {"a_total 1\n", "# HELP a_total A.\na_total 1", "# HELP a_total A.\n# TYPE a_total count\na_total 1\n",
        "# HELP a A.\n# TYPE a gauge\na{x=y} 1\n", "# HELP a A.\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a A.\n# TYPE a gauge\nb 1\n", "# HELP a A.\n# TYPE a gauge\na one\n",
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n"})
    BOOST_CHECK_THROW(exposition{bad}, std::exception);
}

BOOST_AUTO_TEST_SUITE_END()
