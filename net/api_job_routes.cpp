#include "net/api_create.hpp"
#include "net/api_operations.hpp"

#include <algorithm>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t patterns_max = 100;
constexpr std::size_t event_type_size_max = 128;
constexpr std::size_t word_size_max = 63;

std::string_view to_string(job_state state) noexcept {
  switch (state) {
  case job_state::running:
    return "running";
  case job_state::done:
    return "done";
  case job_state::failed:
    break;
  }
  return "failed";
}

/// What a job of that kind does with a delivery, as the field that counts them.
std::string_view done_field(job_kind kind) noexcept {
  switch (kind) {
  case job_kind::retry:
    return "retried";
  case job_kind::cancel:
    return "cancelled";
  case job_kind::replay:
  case job_kind::replay_missing:
    break;
  }
  return "replayed";
}

json::object job_json(const job_record& job) {
  const auto done = done_field(job.kind);
  json::object out{{"id", json_text(postrider::to_string(job.id))}, {"state", json_text(to_string(job.state))}};
  out[{done.data(), done.size()}] = job.done;
  out["total"] = job.total ? json::value(*job.total) : json::value(nullptr);
  out["error"] = json_or_null(job.error);
  out["created_at"] = json_time(job.created_at);
  out["updated_at"] = json_time(job.updated_at);
  return out;
}

std::optional<wall_time> read_time_field(json_reader& reader, std::string_view name) {
  const auto text = reader.text(name, word_size_max);
  if (!text)
    return std::nullopt;
  const auto at = parse_rfc3339(*text);
  if (!at)
    reader.error(name, "bad-format", "this is no RFC 3339 time");
  return at;
}

void read_range(json_reader& reader, new_job& out) {
  out.since = read_time_field(reader, "since");
  out.until = read_time_field(reader, "until");
}

std::optional<delivery_state> parse_wanted(std::string_view word, bool final) {
  const auto state = parse_delivery_state(word);
  return state && is_final(*state) == final ? state : std::nullopt;
}

constexpr const char* final_words = "it is one of: succeeded, dead, cancelled";
constexpr const char* live_words = "it is one of: pending, in_flight, retry_wait";

void read_types(json_reader& reader, new_job& out) {
  const auto* const list = reader.array("event_types", patterns_max);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto at = reader.pointer("event_types") + "/" + std::to_string(i);
    auto text = read_text((*list)[i], at, event_type_size_max, reader.errors());
    if (text && !valid_event_pattern(*text))
      add_field_error(reader.errors(), at, "bad-format", "this is no pattern of event types");
    else if (text)
      out.event_types.push_back(std::move(*text));
  }
}

void read_states(json_reader& reader, new_job& out) {
  const auto* const list = reader.array("states", delivery_state_count);
  if (list != nullptr && list->empty())
    reader.error("states", "too-short", "at least one is needed");
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto at = reader.pointer("states") + "/" + std::to_string(i);
    const auto text = read_text((*list)[i], at, word_size_max, reader.errors());
    const auto state = text ? parse_wanted(*text, true) : std::nullopt;
    if (text && !state)
      add_field_error(reader.errors(), at, "bad-format", final_words);
    else if (state)
      out.states.push_back(*state);
  }
  if (list == nullptr)
    out.states = {delivery_state::dead};
}

new_job read_replay(json_reader& reader) {
  new_job out;
  read_range(reader, out);
  if (reader.take("since") == nullptr)
    reader.error("since", "required", "this field is required");
  read_states(reader, out);
  read_types(reader, out);
  out.kind = reader.boolean("missing").value_or(false) ? job_kind::replay_missing : job_kind::replay;
  return out;
}

new_job read_bulk(json_reader& reader, job_kind kind) {
  new_job out;
  out.kind = kind;
  const bool final = kind == job_kind::retry;
  out.states = final ? std::vector{delivery_state::dead}
                     : std::vector{delivery_state::pending, delivery_state::in_flight, delivery_state::retry_wait};
  if (const auto word = reader.text("state", word_size_max)) {
    if (const auto state = parse_wanted(*word, final))
      out.states = {*state};
    else
      reader.error("state", "bad-format", final ? final_words : live_words);
  }
  if (const auto text = reader.text("endpoint", word_size_max)) {
    out.endpoint = parse_id<endpoint_id>(*text);
    if (!out.endpoint)
      reader.error("endpoint", "bad-format", "the id of an endpoint is expected");
  }
  if (auto pattern = reader.text("event_type", event_type_size_max)) {
    if (!valid_event_pattern(*pattern))
      reader.error("event_type", "bad-format", "this is no pattern of event types");
    out.event_types.push_back(std::move(*pattern));
  }
  read_range(reader, out);
  return out;
}

/// All errors at once; an empty body is an empty object.
template <class Read>
result<new_job> read_job(const std::string& body, Read read) {
  const auto document = parse_json_object(body.empty() ? std::string_view{"{}"} : std::string_view{body});
  if (!document)
    return document.error();
  std::vector<field_error> errors;
  json_reader reader{*document, "", errors};
  auto out = read(reader);
  reader.finish();
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

void start(operations_store& store, const api_call_ptr& call, result<new_job> job) {
  if (!job)
    return call->fail(job.error());
  store.start_job(call->parameters[0], std::move(*job), [call](const result<job_record>& made) {
    made ? call->answer(202, job_json(*made)) : call->fail(made.error());
  });
}

} // namespace

std::vector<api_route> job_routes(operations_store& store) {
  const auto replay = [&store](const api_call_ptr& call) {
    const auto endpoint = parse_id<endpoint_id>(call->parameters[1]);
    if (!endpoint)
      return call->fail(not_found("endpoint"));
    auto job = read_job(call->body, read_replay);
    if (job)
      job->endpoint = endpoint;
    start(store, call, std::move(job));
  };
  const auto bulk = [&store](job_kind kind) {
    return [&store, kind](const api_call_ptr& call) {
      start(store, call, read_job(call->body, [kind](json_reader& reader) { return read_bulk(reader, kind); }));
    };
  };
  const auto get = [&store](const api_call_ptr& call) {
    const auto id = parse_id<job_id>(call->parameters[1]);
    if (!id)
      return call->fail(not_found("job"));
    store.get_job(call->parameters[0], *id, [call](const result<job_record>& found) {
      found ? call->answer(200, job_json(*found)) : call->fail(found.error());
    });
  };
  return {
    {"POST", "/v1/tenants/{tenant}/endpoints/{endpoint}/replay", access::admin, replay},
    {"POST", "/v1/tenants/{tenant}/deliveries/retry", access::admin, bulk(job_kind::retry)},
    {"POST", "/v1/tenants/{tenant}/deliveries/cancel", access::admin, bulk(job_kind::cancel)},
    {"GET", "/v1/tenants/{tenant}/jobs/{job}", access::viewer, get},
  };
}

} // namespace postrider
