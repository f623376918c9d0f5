#include "core/signature.hpp"
#include "net/api_endpoint_tls.hpp"
#include "net/api_operations.hpp"
#include "net/api_routes.hpp"
#include "net/http_guard.hpp"
#include "net/http_syntax.hpp"
#include "net/target_url.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t url_size_max = 8 * 1024;
constexpr std::size_t headers_max = 20;
constexpr std::size_t header_size_max = 4'096;
constexpr std::size_t patterns_max = 100;
constexpr std::size_t sources_max = 100;
constexpr std::size_t delays_max = 100;
constexpr double rate_least = 0.001; // one request in a quarter of an hour
constexpr double rate_most = 1'000'000;
constexpr double delay_max_s = 30.0 * 86'400;

void read_url(json_reader& reader, const api_options& options, new_endpoint& out) {
  auto url = reader.text("url", url_size_max, true);
  if (!url)
    return;
  out.config.url = *url;
  const auto target = parse_target_url(*url);
  if (!target || url->find('#') != std::string::npos)
    return reader.error("url", "bad-format", "an absolute URL without user, password and fragment is expected");
  if (!target->tls && !options.http_allowed)
    return reader.error("url", "https-required", "only https:// URLs are allowed");
  if (target->literal && options.guard && !options.guard->allows(*target->literal, target->port))
    reader.error("url", "endpoint-address-blocked", "this address may not be called");
}

bool is_plain_http(const std::string& url) {
  const auto target = parse_target_url(url);
  return target && !target->tls;
}

} // namespace

bool valid_event_pattern(std::string_view pattern) noexcept {
  if (!valid_event_type(pattern))
    return false;
  while (true) {
    const auto dot = pattern.find('.');
    const auto segment = pattern.substr(0, dot);
    if (segment.find('*') != std::string_view::npos && segment != "*" && segment != "**")
      return false;
    if (dot == std::string_view::npos)
      return true;
    pattern.remove_prefix(dot + 1);
  }
}

namespace {

std::vector<std::string> read_texts(json_reader& reader, std::string_view name, std::size_t count_max,
                                    std::size_t length_max) {
  std::vector<std::string> out;
  const auto* const list = reader.array(name, count_max);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i)
    if (auto text = read_text((*list)[i], reader.pointer(name) + "/" + std::to_string(i), length_max, reader.errors()))
      out.push_back(std::move(*text));
  return out;
}

void read_event_types(json_reader& reader, new_endpoint& out) {
  out.config.event_types = read_texts(reader, "event_types", patterns_max, 128);
  for (const auto& pattern : out.config.event_types)
    if (!valid_event_pattern(pattern))
      reader.error("event_types", "bad-format",
                   "a pattern is printable ASCII without spaces; * and ** are whole segments");
}

/// api.md, "headers of an endpoint": what Postrider and HTTP itself set.
bool is_reserved(const std::string& lower_name) {
  static constexpr std::array whole{"host",
                                    "connection",
                                    "keep-alive",
                                    "proxy-authenticate",
                                    "proxy-authorization",
                                    "proxy-connection",
                                    "te",
                                    "trailer",
                                    "transfer-encoding",
                                    "upgrade",
                                    "expect",
                                    "user-agent"};
  static constexpr std::array prefixes{"content-", "webhook-", "svix-", "x-postrider-"};
  return std::find(whole.begin(), whole.end(), lower_name) != whole.end() ||
         std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const char* prefix) { return lower_name.starts_with(prefix); });
}

void read_headers(json_reader& reader, new_endpoint& out) {
  const auto* const object = reader.object("headers");
  if (object == nullptr)
    return;
  if (object->size() > headers_max)
    return reader.error("headers", "too-long", "at most 20 headers are allowed");
  json_reader headers{*object, reader.pointer("headers"), reader.errors()};
  std::vector<std::string> seen;
  for (const auto& member : *object) {
    const std::string name{member.key().data(), member.key().size()};
    std::string lower_name{name};
    std::transform(name.begin(), name.end(), lower_name.begin(), http_syntax::lower);
    const auto value = read_text(member.value(), headers.pointer(name), header_size_max, reader.errors(), true);
    if (!is_token(name) || name.size() > 128)
      headers.error(name, "bad-format", "this is no header name");
    else if (is_reserved(lower_name))
      headers.error(name, "header-reserved", "this header is set by Postrider itself");
    else if (std::find(seen.begin(), seen.end(), lower_name) != seen.end())
      headers.error(name, "bad-format", "this header is there twice");
    else if (value)
      out.config.headers.emplace_back(name, http_syntax::trimmed(*value));
    seen.push_back(std::move(lower_name));
  }
}

void read_schedule(json_reader& reader, retry_policy& out) {
  const auto* const list = reader.array("schedule_s", delays_max);
  if (list == nullptr)
    return;
  if (list->empty())
    reader.error("schedule_s", "too-short", "at least one delay is needed");
  out.schedule.clear();
  for (const auto& one : *list) {
    boost::system::error_code ignored; // a number always converts to double
    const double seconds = one.is_number() ? one.to_number<double>(ignored) : -1;
    if (!(seconds >= 0) || seconds > delay_max_s)
      return reader.error("schedule_s", "out-of-range", "each delay is a number of seconds between 0 and 2592000");
    out.schedule.emplace_back(static_cast<std::int64_t>(std::llround(seconds * 1000)));
  }
}

void read_retry(json_reader& reader, new_endpoint& out) {
  const auto* const object = reader.object("retry");
  if (object == nullptr)
    return;
  constexpr std::int64_t delay_max_ms = static_cast<std::int64_t>(delay_max_s) * 1000;
  json_reader retry{*object, reader.pointer("retry"), reader.errors()};
  retry_policy policy;
  const auto base = retry.integer("base_ms", 1, delay_max_ms);
  const auto factor = retry.number("factor", 1, 100);
  const auto most = retry.integer("max_ms", 1, delay_max_ms);
  const auto attempts = retry.integer("max_attempts", 1, 100);
  const auto jitter = retry.number("jitter", 0, 1);
  const bool listed = retry.take("schedule_s") != nullptr;
  const bool computed = base || factor || most || attempts;
  if (listed && computed)
    retry.error("schedule_s", "bad-format", "either schedule_s, or base_ms, factor, max_ms and max_attempts");
  if (listed)
    read_schedule(retry, policy);
  else if (!computed)
    policy = default_retry_policy(); // jitter alone
  policy.base = milliseconds{base.value_or(policy.base.count())};
  policy.factor = factor.value_or(policy.factor);
  policy.delay_max = milliseconds{most.value_or(std::max(policy.delay_max.count(), policy.base.count()))};
  policy.attempts_max = attempts ? static_cast<std::uint32_t>(*attempts) : policy.attempts_max;
  policy.jitter = jitter.value_or(policy.jitter);
  if (computed && policy.delay_max < policy.base)
    retry.error("max_ms", "out-of-range", "it must not be less than base_ms");
  retry.finish();
  out.config.retry = std::move(policy);
}

void read_breaker(json_reader& reader, new_endpoint& out) {
  const auto* const object = reader.object("breaker");
  if (object == nullptr)
    return;
  json_reader breaker{*object, reader.pointer("breaker"), reader.errors()};
  auto& policy = out.config.breaker;
  const auto set = [&breaker](std::string_view name, std::int64_t most, std::uint32_t& field) {
    if (const auto value = breaker.integer(name, 1, most))
      field = static_cast<std::uint32_t>(*value);
  };
  set("failures", 100'000, policy.failures);
  set("min_requests", 100'000, policy.min_requests);
  set("probes", 100, policy.probes);
  if (const auto rate = breaker.number("failure_rate", 0, 1)) {
    if (*rate <= 0)
      breaker.error("failure_rate", "out-of-range", "it must be greater than 0");
    policy.failure_rate = *rate;
  }
  if (const auto window = breaker.integer("window_s", 1, 3'600))
    policy.window = std::chrono::seconds{*window};
  if (const auto first = breaker.integer("cool_down_ms", 1, 3'600'000))
    policy.cool_down = milliseconds{*first};
  const auto most = breaker.integer("cool_down_max_ms", 1, 86'400'000);
  policy.cool_down_max = most ? milliseconds{*most} : std::max(policy.cool_down_max, policy.cool_down);
  if (policy.cool_down_max < policy.cool_down)
    breaker.error("cool_down_max_ms", "out-of-range", "it must not be less than cool_down_ms");
  breaker.finish();
}

std::string random_secret() {
  std::array<std::uint8_t, 32> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    throw std::runtime_error("the system gives no random bytes"); // never a secret that can be guessed
  return make_whsec(random);
}

/// `"parallel"`, `"fifo"`, `{"key":"json:/pointer"}` or `{"key":"header:NAME"}`.
void read_ordering(json_reader& reader, endpoint_config& config) {
  const auto* const given = reader.take("ordering");
  if (given == nullptr || *given == json::value("parallel"))
    return;
  config.ordering = delivery_ordering::fifo;
  if (*given == json::value("fifo"))
    return;
  if (!given->is_object())
    return reader.error("ordering", "bad-format", "it is \"parallel\", \"fifo\" or an object with a key");
  config.ordering = delivery_ordering::fifo_per_key;
  json_reader key{given->get_object(), reader.pointer("ordering"), reader.errors()};
  if (const auto text = key.text("key", order_key_place::text_max, true)) {
    config.order_key = parse_order_key_place(*text);
    if (!config.order_key)
      key.error("key", "bad-format", "it is json:/pointer (RFC 6901) or header:NAME");
  }
  key.finish();
}

/// Order leaves nothing to choose: what is first is first.
delivery_priority read_priority(json_reader& reader, bool ordered) {
  const auto word = reader.text("priority", 63);
  const auto priority = word ? parse_delivery_priority(*word) : delivery_priority::medium;
  if (!priority)
    reader.error("priority", "bad-format", "it is one of: high, medium, low");
  else if (ordered && *priority != delivery_priority::medium)
    reader.error("priority", "endpoint-ordered", "an endpoint that takes events in order has no priority");
  return priority.value_or(delivery_priority::medium);
}

/// Fields of api.md that this version knows only by their defaults.
void refuse_what_is_not_there_yet(json_reader& reader) {
  if (reader.take("filter") != nullptr)
    reader.not_supported("filter", "this field is not supported by this version");
  const auto* const signing = reader.take("signing");
  if (signing != nullptr && *signing != json::value({{"profile", "standard"}}))
    reader.not_supported("signing", "only {\"profile\":\"standard\"} is supported by this version");
}

} // namespace

std::string read_endpoint_secret(json_reader& reader) {
  auto given = reader.text("secret", 1'024);
  if (!given)
    return reader.errors().empty() ? random_secret() : std::string{};
  const auto key = decode_whsec(*given);
  if (!key || key->empty())
    reader.error("secret", "secret-malformed", "the standard profile takes whsec_ and base64");
  return std::move(*given);
}

new_endpoint read_endpoint(json_reader& reader, const api_options& options) {
  auto out = read_endpoint_fields(reader, options);
  out.config.secrets.push_back({read_endpoint_secret(reader), std::nullopt});
  return out;
}

new_endpoint read_endpoint_fields(json_reader& reader, const api_options& options, const endpoint_tls* stored_tls) {
  new_endpoint out;
  auto& config = out.config;
  read_url(reader, options, out);
  out.description = reader.text("description", 1'024, false, true).value_or("");
  read_event_types(reader, out);
  out.sources = read_texts(reader, "sources", sources_max, 63);
  out.sources_at = reader.pointer("sources");
  read_headers(reader, out);
  config.max_in_flight =
    static_cast<std::uint32_t>(reader.integer("max_in_flight", 1, 1'000).value_or(options.max_in_flight_default));
  config.rate_limit_per_s = reader.number("rate_limit_per_s", rate_least, rate_most);
  config.timeout = milliseconds{reader.integer("timeout_ms", 100, 60'000).value_or(options.timeout_default.count())};
  read_retry(reader, out);
  read_breaker(reader, out);
  config.tls = read_endpoint_tls(reader, stored_tls);
  if (config.tls && is_plain_http(config.url))
    reader.error("tls", "https-required", "certificates are for https:// URLs alone");
  read_ordering(reader, config);
  config.priority = read_priority(reader, config.ordering != delivery_ordering::parallel);
  refuse_what_is_not_there_yet(reader);
  if (!reader.boolean("enabled").value_or(true))
    config.status = endpoint_status::disabled;
  return out;
}

} // namespace postrider
