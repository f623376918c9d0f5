#include "net/operator_routes.hpp"

#include "core/signature.hpp"
#include "net/api_json.hpp"
#include "net/api_page.hpp"
#include "net/metrics_page.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t limit_default = 50; // those of every list
constexpr std::size_t limit_max = 250;

struct actors_query {
  std::optional<std::string> node, kind, state;
  std::size_t depth = std::numeric_limits<std::size_t>::max();
  std::size_t limit = limit_default;
  std::string after; ///< path of the last one shown; empty: from the top
};

std::optional<std::string> text_parameter(const api_call& call, std::string_view name) {
  const auto* const text = call.parameter(name);
  return text == nullptr ? std::nullopt : std::optional{*text};
}

result<actors_query> read_query(const api_call& call) {
  actors_query out;
  out.node = text_parameter(call, "node");
  out.kind = text_parameter(call, "kind");
  out.state = text_parameter(call, "state");
  const auto limit = read_limit(call, limit_default, limit_max);
  if (!limit)
    return limit.error();
  out.limit = *limit;
  if (const auto* const depth = call.parameter("depth")) {
    const auto* const last = depth->data() + depth->size();
    const auto read = std::from_chars(depth->data(), last, out.depth);
    if (read.ec != std::errc{} || read.ptr != last)
      return parameter_invalid("depth", "must be a whole number");
  }
  if (const auto* const cursor = call.parameter("cursor")) {
    const auto path = decode_base64url(*cursor);
    if (!path || !path->starts_with('/'))
      return parameter_invalid("cursor", "is not one of this list");
    out.after = *path;
  }
  return out;
}

/// `/node/n1` is 0 deep, `/node/n1/tenants/acme` 1, `/node/n1/tenants/acme/sources/github` 2.
std::size_t depth_of(std::string_view path) noexcept {
  const auto slashes = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
  return slashes < 2 ? 0 : slashes / 2 - 1;
}

bool fits(const actors_query& query, const actor_status& actor) {
  return (!query.kind || actor.kind == *query.kind) && (!query.state || actor.state == *query.state) &&
         depth_of(actor.path) <= query.depth && actor.path > query.after;
}

void answer_actors(const api_call_ptr& call, const actors_query& query, inspection::tree tree) {
  json::array nodes, data;
  json::value next;
  if (!query.node || *query.node == tree.node) { // an unknown node: an empty list
    nodes.push_back(
      json::object{{"name", json_text(tree.node)}, {"answered", tree.answered}, {"error", json_or_null(tree.error)}});
    // A parent's path is a prefix of its children's, so the order of paths shows it first.
    std::sort(tree.actors.begin(), tree.actors.end(),
              [](const auto& left, const auto& right) { return left.path < right.path; });
    const actor_status* last = nullptr;
    for (const auto& actor : tree.actors) {
      if (!fits(query, actor))
        continue;
      if (data.size() == query.limit) {
        next = json_text(encode_base64url(last->path));
        break;
      }
      data.emplace_back(to_json(actor, false));
      last = &actor;
    }
  }
  call->answer(200,
               json::object{{"nodes", std::move(nodes)}, {"data", std::move(data)}, {"next_cursor", std::move(next)}});
}

void answer_readiness(const api_call_ptr& call, const readiness& ready) {
  bool all = true;
  json::object dependencies;
  for (const auto& one : ready.check()) {
    all = all && one.ok;
    dependencies[one.name] = json::object{{"ok", one.ok}, {"detail", json_or_null(one.detail)}};
  }
  call->answer(all ? 200 : 503, json::object{{"ready", all}, {"dependencies", std::move(dependencies)}});
}

} // namespace

std::vector<api_route> operator_routes(inspection& actors, const readiness& ready, const metrics& counts) {
  const auto tree = [&actors](const api_call_ptr& call) {
    auto query = read_query(*call);
    if (!query)
      return call->fail(query.error());
    actors.actors([call, query = *query](inspection::tree found) { answer_actors(call, query, std::move(found)); });
  };
  const auto one = [&actors](const api_call_ptr& call) {
    actors.actor("/" + call->parameters[0], [call](result<actor_status> found) {
      found ? call->answer(200, to_json(*found, true)) : call->fail(found.error());
    });
  };
  const auto health = [](const api_call_ptr& call) { call->answer(200, json::object{{"status", "ok"}}); };
  const auto readyz = [&ready](const api_call_ptr& call) { answer_readiness(call, ready); };
  const auto page = [&counts](const api_call_ptr& call) {
    call->answer(http_response{200, metrics_content_type, render_metrics(counts, read_process_usage()), {}});
  };
  return {
    {"GET", "/actors", access::inspection, tree}, {"GET", "/actors/{path…}", access::inspection, one},
    {"GET", "/healthz", access::open, health},    {"GET", "/readyz", access::open, readyz},
    {"GET", "/metrics", access::open, page},
  };
}

} // namespace postrider
