#include "net/ingest_routes.hpp"

#include "core/failpoint.hpp"
#include "net/problem.hpp"
#include "net/url_text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace postrider {

namespace {

constexpr std::string_view prefix = "/in/";

/// What a slug, a source's name or an id is made of; anything else exists nowhere.
bool is_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 63)
    return false;
  for (const char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
      return false;
  return true;
}

std::optional<std::string> name_segment(std::string_view text) {
  if (is_name(text))
    return std::string{text};
  auto decoded = percent_decode(text);
  if (!decoded || !is_name(*decoded))
    return std::nullopt;
  return decoded;
}

std::unique_ptr<http_response> refused(problem what, std::string_view request_id) {
  return std::make_unique<http_response>(problem_response(what, request_id));
}

} // namespace

std::optional<ingest_path> parse_ingest_path(std::string_view path) {
  if (!path.starts_with(prefix))
    return std::nullopt;
  path.remove_prefix(prefix.size());
  const auto slash = path.find('/');
  if (slash == std::string_view::npos)
    return std::nullopt;
  auto tenant = name_segment(path.substr(0, slash));
  auto source = name_segment(path.substr(slash + 1));
  if (!tenant || !source)
    return std::nullopt;
  return ingest_path{std::move(*tenant), std::move(*source)};
}

head_verdict ingest_routes::examine(const request_head& head, std::string_view request_id, std::string_view) {
  // Which of them a source takes is its scheme's matter; what no scheme takes needs no source.
  constexpr std::array<std::string_view, 5> methods{"POST", "GET", "PUT", "PATCH", "DELETE"};
  constexpr std::string_view methods_text = "POST, GET, PUT, PATCH, DELETE";
  if (std::find(methods.begin(), methods.end(), head.method) == methods.end()) {
    auto response = refused({405, "method-not-allowed", "no source takes requests of this method"}, request_id);
    response->headers.emplace_back("allow", methods_text);
    return {0, false, std::move(response)};
  }
  return {body_max_, true, nullptr};
}

std::unique_ptr<http_response> ingest_routes::handle(http_call call) {
  POSTRIDER_FAILPOINT("ingest.read");
  auto where = parse_ingest_path(path_of(call.head.path_and_query));
  const auto answer_now = [&](ingest_result result) {
    // Through the same door as every other answer, so that it is rendered and counted in one place.
    call.replies->answer({ingest_answer{call.to, result, {}, {}}});
    return nullptr;
  };
  if (!where)
    return answer_now(ingest_result::unknown);
  const auto bytes = static_cast<std::int64_t>(call.body.size() + call.head.fields.size());
  if (!admission_->try_enter(bytes))
    return answer_now(ingest_result::overloaded);
  auto request = std::make_shared<ingest_request>();
  request->ticket = ingest_ticket{call.to, bytes, call.replies, admission_};
  request->tenant = std::move(where->tenant);
  request->source = std::move(where->source);
  request->method = call.head.method;
  request->target = call.head.path_and_query;
  request->headers = call.head.fields;
  request->content_type = call.head.content_type;
  request->body = std::move(call.body);
  request->remote_address = call.remote_address;
  request->over_tls = call.over_tls;
  request->forwarded_host = call.host;
  request->received_at = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  gate_.submit(std::move(request));
  return nullptr;
}

} // namespace postrider
