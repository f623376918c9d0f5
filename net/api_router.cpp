#include "net/api_router.hpp"

#include "core/header_block.hpp"
#include "net/http_guard.hpp"
#include "net/http_syntax.hpp"
#include "net/keyed_call.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace postrider {

namespace {

std::string_view take_segment(std::string_view& path) noexcept {
  const auto slash = path.find('/', 1);
  const auto segment = path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
  return segment;
}

bool are_texts(const query_parameters& query) noexcept {
  return std::all_of(query.begin(), query.end(), [](const auto& one) { return is_plain_text(one.second); });
}

/// Both begin with a slash.
std::optional<std::vector<std::string>> match_pattern(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parameters;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    if (wanted.starts_with('{')) {
      const auto text = wanted.ends_with("…}") ? std::exchange(path, {}).substr(1) : take_segment(path);
      auto decoded = percent_decode(text);
      if (!decoded || decoded->empty() || !is_plain_text(*decoded))
        return std::nullopt;
      parameters.push_back(std::move(*decoded));
    } else if (take_segment(path) != wanted) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty())
    return std::nullopt;
  return parameters;
}

/// A PATCH is a merge patch (RFC 7396 section 4), whichever of the two names it comes under.
bool is_json(std::string_view content_type, std::string_view method) noexcept {
  const auto type = http_syntax::trimmed(content_type.substr(0, content_type.find(';')));
  return equal_ignoring_case(type, "application/json") ||
         (method == "PATCH" && equal_ignoring_case(type, "application/merge-patch+json"));
}

head_verdict refuse(problem what, std::string_view request_id, std::string allow = {}) {
  auto response = std::make_unique<http_response>(problem_response(what, request_id));
  if (!allow.empty())
    response->headers.emplace_back("allow", std::move(allow));
  return {0, false, std::move(response)};
}

/// Whatever a route throws, the call is answered, and its thread lives on.
template <class Work>
void carry_out(const api_call_ptr& call, const Work& work) {
  try {
    work(call);
  } catch (const std::exception& error) {
    spdlog::error("a request could not be carried out: request={} detail={}", call->request_id, error.what());
    call->fail({500, "internal-error", "the request could not be carried out"});
  }
}

problem parameter_undecodable() {
  return {400, "parameter-invalid", "a parameter cannot be decoded"};
}

head_verdict unknown_path(std::string_view request_id) {
  return refuse({404, "not-found", "there is nothing at this path"}, request_id);
}

} // namespace

api_router::api_router(std::vector<api_route> routes, api_auth& auth, api_worker& worker, std::size_t body_max)
    : routes_(std::move(routes)), auth_(auth), worker_(worker), body_max_(body_max) {}

api_router::match api_router::find(std::string_view method, std::string_view path) const {
  match out;
  const auto wanted = method == "HEAD" ? std::string_view{"GET"} : method;
  const auto allow = [&out](std::string_view word) {
    out.allow += (out.allow.empty() ? "" : ", ") + std::string{word};
  };
  for (const auto& route : routes_) {
    auto parameters = match_pattern(route.pattern, path);
    if (!parameters)
      continue;
    allow(route.method);
    if (route.method == "GET")
      allow("HEAD");
    if (route.method == wanted && out.route == nullptr) {
      out.route = &route;
      out.parameters = std::move(*parameters);
    }
  }
  return out;
}

head_verdict api_router::examine(const request_head& head, std::string_view request_id,
                                 std::string_view remote_address) {
  const auto found = find(head.method, path_of(head.path_and_query));
  if (found.allow.empty())
    return unknown_path(request_id);
  if (found.route == nullptr && head.method == "OPTIONS")
    return {0, false,
            std::make_unique<http_response>(http_response{204, "", "", {{"allow", found.allow + ", OPTIONS"}}})};
  if (found.route == nullptr)
    return refuse({405, "method-not-allowed", "this path does not take that method"}, request_id,
                  found.allow + ", OPTIONS");
  // Before the body: whoever has no key shall not have megabytes of his read.
  if (const auto refused = auth_.look_at(head.authorization, found.route->needed, remote_address))
    return refuse(*refused, request_id);
  const bool has_body = head.framing == body_framing::chunked || head.content_length > 0;
  if (has_body && !is_json(head.content_type, head.method))
    return refuse({415, "unsupported-media-type", "the body must be application/json"}, request_id);
  return {body_max_, false, nullptr};
}

std::unique_ptr<http_response> api_router::handle(http_call call) {
  auto found = find(call.head.method, path_of(call.head.path_and_query));
  auto query = parse_query(query_of(call.head.path_and_query));
  if (found.route == nullptr) // the route was there when the head was examined
    return std::make_unique<http_response>(problem_response(not_found("path"), call.request_id));
  auto key = call.head.method == "POST" ? read_idempotency_key(call.head.fields) : std::optional<std::string>{};
  auto out = std::make_shared<api_call>();
  out->method = call.head.method;
  const bool readable = query && are_texts(*query);
  if (readable)
    out->query = std::move(*query);
  out->body = std::move(call.body);
  out->authorization = call.head.authorization;
  if (call.head.method == "GET" || call.head.method == "HEAD")
    out->if_none_match = find_header(call.head.fields, "if-none-match").value;
  out->remote_address = call.remote_address;
  out->request_id = call.request_id;
  out->parameters = std::move(found.parameters);
  out->to = call.to;
  out->replies = call.replies;
  const bool names_tenant = found.route->pattern.find("/{tenant}") != std::string_view::npos;
  // Reading 8 MiB of JSON takes longer than an io thread may stay away from its other connections.
  auto handle = found.route->handle;
  // Who has no key learns nothing of his request: what is wrong with it is told after that.
  if (!readable || !key)
    handle = [what = readable ? key.error() : parameter_undecodable()](const api_call_ptr& one) { one->fail(what); };
  else if (*key)
    handle = keyed(std::move(handle), auth_.store(), std::move(**key), found.route->pattern, names_tenant);
  if (!out->body.empty())
    handle = [&worker = worker_, work = std::move(handle)](api_call_ptr one) {
      if (!worker.post([one, work] { carry_out(one, work); }))
        one->fail({503, "overloaded", "too many requests wait to be read", {}, std::chrono::seconds{1}});
    };
  carry_out(out, [&](const api_call_ptr& one) { auth_.admit(one, found.route->needed, names_tenant, handle); });
  return nullptr;
}

http_handler* prefix_routes::find(std::string_view path) const noexcept {
  const std::pair<std::string, http_handler*>* best = nullptr;
  for (const auto& one : table_) {
    const bool fits = one.first.ends_with('/') ? path.starts_with(one.first) : path == one.first;
    if (fits && (best == nullptr || one.first.size() > best->first.size()))
      best = &one;
  }
  return best == nullptr ? nullptr : best->second;
}

head_verdict prefix_routes::examine(const request_head& head, std::string_view request_id,
                                    std::string_view remote_address) {
  if (head.path_and_query == "*") // OPTIONS * asks for nothing in particular (RFC 9110 section 9.3.7)
    return {0, false, std::make_unique<http_response>(http_response{204, "", "", {}})};
  auto* const handler = find(path_of(head.path_and_query));
  return handler == nullptr ? unknown_path(request_id) : handler->examine(head, request_id, remote_address);
}

std::unique_ptr<http_response> prefix_routes::handle(http_call call) {
  auto* const handler = find(path_of(call.head.path_and_query));
  if (handler == nullptr)
    return std::make_unique<http_response>(problem_response(not_found("path"), call.request_id));
  return handler->handle(std::move(call));
}

} // namespace postrider
