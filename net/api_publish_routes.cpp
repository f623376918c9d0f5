#include "core/signature.hpp"
#include "net/api_create.hpp"
#include "net/api_operations.hpp"
#include "net/json_span.hpp"

#include <algorithm>
#include <chrono>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t batch_max = 500;
constexpr std::size_t body_max = 5U << 20U; // all payloads of a request, as they stand in it
constexpr std::size_t id_size_max = 255;
constexpr std::size_t event_type_size_max = 128;
constexpr std::size_t content_type_size_max = 255;
constexpr std::size_t base64_size_max = 8U << 20U;
constexpr std::chrono::hours deliver_ahead_max{24 * 30};

std::string read_type(json_reader& reader) {
  auto type = reader.text("type", event_type_size_max, true);
  if (type && !valid_event_type(*type))
    reader.error("type", "bad-format", "an event type is printable ASCII without spaces");
  return type.value_or("");
}

std::optional<wall_time> read_deliver_at(json_reader& reader) {
  const auto text = reader.text("deliver_at", 64);
  if (!text)
    return std::nullopt;
  const auto at = parse_rfc3339(*text);
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  if (!at)
    reader.error("deliver_at", "bad-format", "this is no RFC 3339 time");
  else if (*at > now + deliver_ahead_max)
    reader.error("deliver_at", "out-of-range", "it lies more than 30 days ahead");
  return at;
}

std::optional<int> read_priority(json_reader& reader) {
  const auto word = reader.text("priority", 63);
  if (!word)
    return std::nullopt;
  const auto priority = parse_delivery_priority(*word);
  if (!priority)
    reader.error("priority", "bad-format", "it is one of: high, medium, low");
  return static_cast<int>(priority.value_or(delivery_priority::medium));
}

/// Bytes of any kind, with the content type that they are forwarded with.
void read_bytes(json_reader& reader, new_event& out) {
  auto type = reader.text("content_type", content_type_size_max, true);
  const bool printable = type && std::all_of(type->begin(), type->end(), [](char c) { return c >= ' ' && c < '\x7f'; });
  if (type && !printable)
    reader.error("content_type", "bad-format", "a content type is printable ASCII");
  out.content_type = type.value_or("");
  if (const auto text = reader.text("payload_base64", base64_size_max, true, true)) {
    if (auto bytes = decode_base64(*text))
      out.payload.assign(bytes->begin(), bytes->end());
    else
      reader.error("payload_base64", "bad-format", "this is not base64");
  }
}

/// One event; `text`: the object as it stands in the request.
new_event read_event(const json::object& object, std::string_view text, const std::string& pointer,
                     std::vector<field_error>& errors) {
  json_reader reader{object, pointer, errors};
  new_event out;
  out.at = pointer;
  out.type = read_type(reader);
  out.id = reader.text("id", id_size_max);
  out.deliver_at = read_deliver_at(reader);
  out.priority = read_priority(reader);
  reader.take("payload"); // any value, null too
  if (const auto payload = json_member(text, "payload")) {
    if (reader.take("payload_base64") != nullptr)
      reader.error("payload_base64", "read-only", "payload and payload_base64 exclude each other");
    if (reader.take("content_type") != nullptr)
      reader.error("content_type", "read-only", "a payload of JSON is forwarded as application/json");
    out.payload = *payload;
    out.content_type = "application/json";
  } else if (object.contains("payload_base64")) {
    read_bytes(reader, out);
  } else {
    reader.error("payload", "required", "payload, or payload_base64 with content_type, is required");
    reader.take("content_type");
  }
  reader.finish();
  return out;
}

void read_batch(const json::object& document, std::string_view body, std::vector<new_event>& out,
                std::vector<field_error>& errors) {
  json_reader whole{document, "", errors};
  const auto* const list = whole.array("events", batch_max);
  whole.finish();
  if (list == nullptr) {
    if (errors.empty())
      whole.error("events", "wrong-type", "an array is expected"); // null
    return;
  }
  if (list->empty())
    whole.error("events", "too-short", "at least one is needed");
  const auto texts = json_elements(json_member(body, "events").value_or("[]"));
  for (std::size_t i = 0; i < list->size() && i < texts.size(); ++i) {
    const auto pointer = "/events/" + std::to_string(i);
    if ((*list)[i].is_object())
      out.push_back(read_event((*list)[i].get_object(), texts[i], pointer, errors));
    else
      add_field_error(errors, pointer, "wrong-type", "an object is expected");
  }
}

result<std::vector<new_event>> read_events(const std::string& body, bool& batch) {
  if (body.size() > body_max)
    return problem{413, "body-too-large", "the events of one request have 5 MiB at most"};
  const auto document = parse_json_object(body);
  if (!document)
    return document.error();
  std::vector<new_event> out;
  std::vector<field_error> errors;
  batch = document->contains("events");
  if (batch)
    read_batch(*document, body, out, errors);
  else
    out.push_back(read_event(*document, body, "", errors));
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

json::object published_json(const published_event& event) {
  return {{"event_id", json_text(to_string(event.id))}, {"duplicate", event.duplicate}};
}

} // namespace

std::vector<api_route> publish_routes(operations_store& store) {
  const auto publish = [&store](const api_call_ptr& call) {
    bool batch = false;
    auto events = read_events(call->body, batch);
    if (!events)
      return call->fail(events.error());
    store.publish(call->parameters[0], std::move(*events),
                  [call, batch](const result<std::vector<published_event>>& done) {
                    if (!done)
                      return call->fail(done.error());
                    if (!batch)
                      return call->answer(202, published_json(done->front()));
                    json::array data;
                    for (const auto& each : *done)
                      data.emplace_back(published_json(each));
                    call->answer(202, json::object{{"data", std::move(data)}});
                  });
  };
  return {
    {"POST", "/v1/tenants/{tenant}/events", access::admin, publish},
  };
}

} // namespace postrider
