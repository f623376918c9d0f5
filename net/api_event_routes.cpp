#include "core/explain.hpp"
#include "net/api_create.hpp"
#include "net/api_routes.hpp"

#include <algorithm>
#include <chrono>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::string_view deliveries_list = "deliveries";
constexpr std::string_view events_list = "events";
constexpr std::size_t event_type_size_max = 128;
constexpr std::size_t source_size_max = 63; // its id is shorter

/// The last parameter as an id of that kind; nothing: the call was answered.
template <class Id>
std::optional<Id> named(const api_call& call, std::string_view what) {
  const auto id = parse_id<Id>(call.parameters[1]);
  if (!id)
    call.fail(not_found(what));
  return id;
}

void answer_payload(const api_call_ptr& call, result<event_payload> found) {
  if (!found)
    return call->fail(found.error());
  http_response response;
  response.content_type = found->content_type.empty() ? "application/octet-stream" : found->content_type;
  response.body = std::move(found->body);
  // A tenant's bytes, whatever they are: no browser shall run them.
  response.headers = {{"x-content-type-options", "nosniff"}, {"content-security-policy", "sandbox"}};
  call->answer(std::move(response));
}

/// Reads the parameter by `parse`; false: it is there and cannot be read, and the call was answered.
template <class T, class Parse>
bool read_parameter(const api_call& call, std::string_view name, std::optional<T>& out, Parse parse) {
  const auto* const text = call.parameter(name);
  if (text == nullptr)
    return true;
  out = parse(*text);
  if (!out)
    call.fail(parameter_invalid(name, "cannot be read"));
  return out.has_value();
}

std::optional<delivery_filter> read_filter(const api_call& call) {
  delivery_filter out;
  const bool read = read_parameter(call, "state", out.state, parse_delivery_state) &&
                    read_parameter(call, "endpoint", out.endpoint, parse_id<endpoint_id>) &&
                    read_parameter(call, "event", out.event, parse_id<event_id>) &&
                    read_parameter(call, "since", out.since, parse_query_time);
  return read ? std::optional{out} : std::nullopt;
}

std::optional<std::string> parse_event_type(std::string_view text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  return text.empty() || text.size() > event_type_size_max || !printable ? std::nullopt
                                                                         : std::optional{std::string{text}};
}

std::optional<std::string> parse_source(std::string_view text) {
  return text.empty() || text.size() > source_size_max ? std::nullopt : std::optional{std::string{text}};
}

std::optional<event_filter> read_event_filter(const api_call& call) {
  event_filter out;
  const bool read = read_parameter(call, "type", out.type, parse_event_type) &&
                    read_parameter(call, "source", out.source, parse_source) &&
                    read_parameter(call, "since", out.since, parse_query_time) &&
                    read_parameter(call, "until", out.until, parse_query_time);
  return read ? std::optional{std::move(out)} : std::nullopt;
}

json::object explain_json(const delivery_record& delivery) {
  const auto predecessor = delivery.predecessor ? to_string(*delivery.predecessor) : std::string{};
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  const auto why = explain({.state = delivery.state,
                            .reason = delivery.reason,
                            .attempt_count = delivery.attempt_count,
                            .next_attempt_at = delivery.next_attempt_at,
                            .last_error = delivery.last_error,
                            .tenant_enabled = delivery.tenant_enabled,
                            .endpoint = delivery.endpoint_state,
                            .breaker = delivery.breaker,
                            .next_probe_at = delivery.next_probe_at,
                            .held_until = delivery.held_until,
                            .rate_limit_per_s = delivery.rate_limit_per_s,
                            .predecessor = predecessor},
                           now);
  return {{"state", json_text(to_string(delivery.state))},
          {"since", json_time(delivery.updated_at)},
          {"next_attempt_at", json_time(why.next_attempt_at)},
          {"waiting_for", json_or_null(why.waiting_for)},
          {"detail", json_text(why.detail)}};
}

json::object whole_delivery(const delivery_record& delivery) {
  auto out = to_json(delivery);
  json::array attempts;
  for (const auto& one : delivery.attempts)
    attempts.emplace_back(to_json(one));
  out["attempts"] = std::move(attempts);
  out["explain"] = explain_json(delivery);
  return out;
}

} // namespace

std::vector<api_route> event_routes(management_store& store) {
  const auto list = [&store](const api_call_ptr& call) {
    const auto& tenant = call->parameters[0];
    const auto page = read_page(*call, events_list, tenant);
    if (!page)
      return call->fail(page.error());
    if (auto filter = read_event_filter(*call))
      store.list_events(tenant, std::move(*filter), *page,
                        answer_page<event_record>(call, std::string{events_list}, tenant));
  };
  const auto get = [&store](const api_call_ptr& call) {
    if (const auto id = named<event_id>(*call, "event"))
      store.get_event(call->parameters[0], *id, answer_object<event_record>(call));
  };
  const auto payload = [&store](const api_call_ptr& call) {
    if (const auto id = named<event_id>(*call, "event"))
      store.get_payload(call->parameters[0], *id,
                        [call](result<event_payload> found) { answer_payload(call, std::move(found)); });
  };
  return {
    {"GET", "/v1/tenants/{tenant}/events", access::viewer, list},
    {"GET", "/v1/tenants/{tenant}/events/{event}", access::viewer, get},
    {"GET", "/v1/tenants/{tenant}/events/{event}/payload", access::viewer, payload},
  };
}

std::vector<api_route> delivery_routes(management_store& store) {
  const auto list = [&store](const api_call_ptr& call) {
    const auto& tenant = call->parameters[0];
    const auto page = read_page(*call, deliveries_list, tenant);
    if (!page)
      return call->fail(page.error());
    if (auto filter = read_filter(*call))
      store.list_deliveries(tenant, *filter, *page,
                            answer_page<delivery_record>(call, std::string{deliveries_list}, tenant));
  };
  const auto get = [&store](const api_call_ptr& call) {
    if (const auto id = named<delivery_id>(*call, "delivery"))
      store.get_delivery(call->parameters[0], *id, [call](result<delivery_record> found) {
        found ? call->answer(200, whole_delivery(*found)) : call->fail(found.error());
      });
  };
  return {
    {"GET", "/v1/tenants/{tenant}/deliveries", access::viewer, list},
    {"GET", "/v1/tenants/{tenant}/deliveries/{delivery}", access::viewer, get},
  };
}

} // namespace postrider
