#include "net/api_create.hpp"
#include "net/api_operations.hpp"

#include <iterator>

namespace postrider {

namespace json = boost::json;

namespace {

/// The path's second parameter as an id of that kind; nothing: the call was answered. The body must be empty.
template <class Id>
std::optional<Id> named(const api_call& call, std::string_view what) {
  const auto id = parse_id<Id>(call.parameters[1]);
  if (!id)
    call.fail(not_found(what));
  else if (!has_no_fields(call))
    return std::nullopt;
  return id;
}

using endpoint_change_call = void (operations_store::*)(std::string, endpoint_id, reply<endpoint_record>);

std::function<void(api_call_ptr)> endpoint_call(operations_store& store, endpoint_change_call ask) {
  return [&store, ask](const api_call_ptr& call) {
    if (const auto id = named<endpoint_id>(*call, "endpoint"))
      (store.*ask)(call->parameters[0], *id, answer_object<endpoint_record>(call));
  };
}

json::object counts_json(const std::array<std::int64_t, delivery_state_count>& by_state) {
  json::object out;
  for (std::size_t i = 0; i < by_state.size(); ++i)
    out[to_string(static_cast<delivery_state>(i))] = by_state[i];
  return out;
}

json::object to_json(const tenant_stats& stats, const std::optional<wall_time>& since) {
  std::int64_t accepted = 0;
  for (const auto each : stats.by_state)
    accepted += each;
  const auto succeeded = stats.by_state[static_cast<std::size_t>(delivery_state::succeeded)];
  const auto ended = succeeded + stats.by_state[static_cast<std::size_t>(delivery_state::dead)];
  json::value rate;
  if (ended > 0)
    rate = static_cast<double>(succeeded) / static_cast<double>(ended);
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? json::value(*value) : json::value(nullptr);
  };
  auto accounting = counts_json(stats.by_state);
  accounting["accepted"] = accepted;
  return {{"since", json_time(since)},
          {"deliveries", counts_json(stats.by_state)},
          {"success_rate", std::move(rate)},
          {"latency", {{"p50_ms", number(stats.latency_p50_ms)}, {"p99_ms", number(stats.latency_p99_ms)}}},
          {"accounting", std::move(accounting)}};
}

} // namespace

bool has_no_fields(const api_call& call) {
  if (call.body.empty())
    return true;
  const auto document = parse_json_object(call.body);
  if (!document) {
    call.fail(document.error());
    return false;
  }
  std::vector<field_error> errors;
  json_reader reader{*document, "", errors};
  reader.finish();
  if (errors.empty())
    return true;
  call.fail(validation_failed(std::move(errors)));
  return false;
}

std::vector<api_route> endpoint_operation_routes(operations_store& store) {
  const auto pause = endpoint_call(store, &operations_store::pause_endpoint);
  const auto resume = endpoint_call(store, &operations_store::resume_endpoint);
  const auto reset = endpoint_call(store, &operations_store::reset_breaker);
  const auto test = [&store](const api_call_ptr& call) {
    if (const auto id = named<endpoint_id>(*call, "endpoint"))
      store.test_endpoint(call->parameters[0], *id, [call](const result<event_id>& made) {
        made ? call->answer(202, json::object{{"event_id", json_text(to_string(*made))}}) : call->fail(made.error());
      });
  };
  return {
    {"POST", "/v1/tenants/{tenant}/endpoints/{endpoint}/pause", access::admin, pause},
    {"POST", "/v1/tenants/{tenant}/endpoints/{endpoint}/resume", access::admin, resume},
    {"POST", "/v1/tenants/{tenant}/endpoints/{endpoint}/reset-breaker", access::admin, reset},
    {"POST", "/v1/tenants/{tenant}/endpoints/{endpoint}/test", access::admin, test},
  };
}

std::vector<api_route> delivery_operation_routes(operations_store& store) {
  const auto retry = [&store](const api_call_ptr& call) {
    if (const auto id = named<delivery_id>(*call, "delivery"))
      store.retry_delivery(call->parameters[0], *id, answer_object<delivery_record>(call));
  };
  const auto cancel = [&store](const api_call_ptr& call) {
    if (const auto id = named<delivery_id>(*call, "delivery"))
      store.cancel_delivery(call->parameters[0], *id, [call](const result<delivery_record>& now) {
        // While its attempt runs nothing is decided yet.
        now ? call->answer(is_final(now->state) ? 200 : 202, to_json(*now)) : call->fail(now.error());
      });
  };
  const auto erase = [&store](const api_call_ptr& call) {
    if (const auto id = named<event_id>(*call, "event"))
      store.erase_event(call->parameters[0], *id, answer_object<event_record>(call));
  };
  return {
    {"POST", "/v1/tenants/{tenant}/deliveries/{delivery}/retry", access::admin, retry},
    {"POST", "/v1/tenants/{tenant}/deliveries/{delivery}/cancel", access::admin, cancel},
    {"POST", "/v1/tenants/{tenant}/events/{event}/erase", access::admin, erase},
  };
}

std::vector<api_route> stats_routes(operations_store& store) {
  const auto stats = [&store](const api_call_ptr& call) {
    std::optional<wall_time> since;
    if (const auto* const text = call->parameter("since")) {
      since = parse_query_time(*text);
      if (!since)
        return call->fail(parameter_invalid("since", "cannot be read"));
    }
    store.get_stats(call->parameters[0], since, [call, since](const result<tenant_stats>& found) {
      found ? call->answer(200, to_json(*found, since)) : call->fail(found.error());
    });
  };
  return {
    {"GET", "/v1/tenants/{tenant}/stats", access::viewer, stats},
  };
}

std::vector<api_route> operation_routes(operations_store& store) {
  std::vector<api_route> out;
  for (auto part : {endpoint_operation_routes(store), delivery_operation_routes(store), job_routes(store),
                    publish_routes(store), stats_routes(store)})
    out.insert(out.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  return out;
}

} // namespace postrider
