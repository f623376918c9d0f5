#include "net/operator_routes.hpp"

#include "core/text_forms.hpp"
#include "net/api_json.hpp"
#include "net/api_page.hpp"
#include "net/metrics_page.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t limit_default = 50; // those of every list
constexpr std::size_t limit_max = 250;

std::optional<std::string> text_parameter(const api_call& call, std::string_view name) {
  const auto* const text = call.parameter(name);
  return text == nullptr ? std::nullopt : std::optional{*text};
}

/// A cursor is the place that was shown last (core/tree_path.hpp).
std::string make_cursor(const tree_path& at) {
  return encode_base64url(to_string(at));
}

std::optional<tree_path> parse_cursor(std::string_view cursor) {
  const auto text = decode_base64url(cursor);
  const bool printable = text && std::all_of(text->begin(), text->end(), [](char c) { return c > ' ' && c <= '~'; });
  return printable ? parse_tree_path(*text) : std::nullopt;
}

result<actor_query> read_query(const api_call& call) {
  actor_query out;
  out.node = text_parameter(call, "node");
  out.state = text_parameter(call, "state");
  const auto limit = read_limit(call, limit_default, limit_max);
  if (!limit)
    return limit.error();
  out.limit = *limit;
  if (const auto* const kind = call.parameter("kind")) {
    out.kind = parse_tree_kind(*kind);
    if (!out.kind)
      return parameter_invalid("kind", "must be node, tenant_supervisor, delivery or provider_verifier");
  }
  if (const auto* const depth = call.parameter("depth")) {
    const auto* const last = depth->data() + depth->size();
    const auto read = std::from_chars(depth->data(), last, out.depth);
    if (read.ec != std::errc{} || read.ptr != last)
      return parameter_invalid("depth", "must be a whole number");
  }
  if (const auto* const cursor = call.parameter("cursor")) {
    out.after = parse_cursor(*cursor);
    if (!out.after)
      return parameter_invalid("cursor", "is not one of this list");
  }
  return out;
}

void answer_actors(const api_call_ptr& call, const actor_page& page) {
  json::array nodes, data;
  for (const auto& each : page.nodes)
    nodes.push_back(
      json::object{{"name", json_text(each.name)}, {"answered", each.answered}, {"error", json_or_null(each.error)}});
  for (const auto& actor : page.data)
    data.emplace_back(to_json(actor, false));
  json::value next;
  if (page.next)
    next = json_text(make_cursor(*page.next));
  call->answer(200,
               json::object{{"nodes", std::move(nodes)}, {"data", std::move(data)}, {"next_cursor", std::move(next)}});
}

json::object to_json(const cluster_node& node) {
  json::array shards;
  for (const auto& each : node.shards)
    shards.push_back(json::object{{"shard", each.shard}, {"epoch", each.epoch}});
  return {{"name", json_text(node.name)},
          {"incarnation", json_text(to_string(node.incarnation))},
          {"address", json_or_null(node.address)},
          {"state", json_text(node.state)},
          {"heartbeat_age_ms", node.heartbeat_age.count()},
          {"shards", std::move(shards)}};
}

void answer_cluster(const api_call_ptr& call, const std::string& node, const std::vector<cluster_node>& nodes) {
  json::array data;
  for (const auto& each : nodes)
    data.emplace_back(to_json(each));
  call->answer(200, json::object{{"node", json_text(node)}, {"shards", shard_count}, {"data", std::move(data)}});
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

std::vector<api_route> operator_routes(const operator_reach& node) {
  const auto tree = [&actors = node.actors, &reads = node.reads](const api_call_ptr& call) {
    auto query = read_query(*call);
    if (!query)
      return call->fail(query.error());
    actors.page(std::move(*query), reads, [call](const actor_page& page) { answer_actors(call, page); });
  };
  const auto one = [&actors = node.actors, &reads = node.reads](const api_call_ptr& call) {
    auto path = parse_tree_path("/" + call->parameters[0]);
    if (!path)
      return call->fail({404, "actor-unknown", "no actor has such a path"});
    actors.actor(std::move(*path), reads, [call](const result<actor_status>& found) {
      found ? call->answer(200, to_json(*found, true)) : call->fail(found.error());
    });
  };
  const auto cluster = [&reads = node.reads, name = node.name](const api_call_ptr& call) {
    reads.nodes([call, name](const result<std::vector<cluster_node>>& nodes) {
      nodes ? answer_cluster(call, name, *nodes) : call->fail(nodes.error());
    });
  };
  const auto health = [](const api_call_ptr& call) { call->answer(200, json::object{{"status", "ok"}}); };
  const auto readyz = [&ready = node.ready](const api_call_ptr& call) { answer_readiness(call, ready); };
  const auto page = [&ready = node.ready, &counts = node.counts](const api_call_ptr& call) {
    call->answer(
      http_response{200, metrics_content_type, render_metrics(counts, read_process_usage(), ready.check()), {}});
  };
  return {
    {"GET", "/actors", access::inspection, tree},    {"GET", "/actors/{path…}", access::inspection, one},
    {"GET", "/cluster", access::operator_, cluster}, {"GET", "/healthz", access::open, health},
    {"GET", "/readyz", access::open, readyz},        {"GET", "/metrics", access::open, page},
  };
}

} // namespace postrider
