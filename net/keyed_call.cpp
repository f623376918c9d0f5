#include "net/keyed_call.hpp"

#include "core/header_block.hpp"
#include "core/signature.hpp"
#include "net/json_document.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace postrider {

namespace json = boost::json;

namespace {

/// Each part with an end of its own; none of the parts of a path holds a NUL.
std::array<std::uint8_t, 32> fingerprint_of(const api_call& call, std::string_view route, bool names_tenant) {
  std::string text = call.method;
  const auto add = [&text](std::string_view part) {
    text.push_back('\0');
    text += part;
  };
  add(route);
  for (std::size_t i = names_tenant ? 1 : 0; i < call.parameters.size(); ++i)
    add(call.parameters[i]);
  add(call.body);
  return sha256(text);
}

bool erase_shown_once(json::object& object) {
  const auto secret = object.erase("secret");
  const auto key = object.erase("key");
  return secret + key > 0;
}

} // namespace

result<std::optional<std::string>> read_idempotency_key(std::string_view header_lines) {
  const auto header = find_header(header_lines, "idempotency-key");
  if (!header.found)
    return std::optional<std::string>{};
  if (header.value.empty() || header.value.size() > idempotency_key_size_max || !is_plain_text(header.value))
    return problem{400, "idempotency-key-invalid", "an Idempotency-Key has 1 to 255 bytes of text"};
  return std::optional{std::string{header.value}};
}

std::string without_shown_once(const std::string& body) {
  if (body.empty())
    return body;
  auto document = json::parse(body); // our own
  bool changed = false;
  if (auto* const object = document.if_object()) {
    changed = erase_shown_once(*object);
    auto* const data = object->if_contains("data");
    if (auto* const all = data == nullptr ? nullptr : data->if_array())
      for (auto& one : *all)
        if (auto* const each = one.if_object())
          changed |= erase_shown_once(*each);
  }
  return changed ? json_document(document) : body;
}

keyed_call::keyed_call(api_call_ptr call, std::string key, std::string_view route, bool names_tenant)
    : call_{std::move(call)}, key_{std::move(key)}, fingerprint_{fingerprint_of(*call_, route, names_tenant)} {}

std::optional<kept_answer> keyed_call::hold(const std::function<void()>& answer) {
  struct holding {
    explicit holding(api_call& one, std::optional<http_response>& into) : call{one} { call.held = &into; }
    ~holding() { call.held = nullptr; }
    api_call& call;
  };
  {
    const holding in_here{*call_, held_};
    answer();
  }
  if (!held_)
    throw std::logic_error("a change under an Idempotency-Key was not answered at once: " + call_->method);
  if (held_->status < 200 || held_->status > 299)
    return std::nullopt;
  return kept_answer{held_->status, without_shown_once(held_->body)};
}

void keyed_call::release() {
  call_->answer(std::move(*held_));
}

void keyed_call::replay(const kept_answer& earlier) {
  call_->answer({earlier.status,
                 earlier.body.empty() ? "" : "application/json",
                 earlier.body,
                 {{"cache-control", "no-store"}, {"idempotent-replayed", "true"}}});
}

void keyed_call::fail(const problem& what) {
  call_->fail(what);
}

std::function<void(api_call_ptr)> keyed(std::function<void(api_call_ptr)> handle, management_store& store,
                                        std::string key, std::string_view route, bool names_tenant) {
  return [handle = std::move(handle), &store, key = std::move(key), route, names_tenant](const api_call_ptr& call) {
    store.once(std::make_shared<keyed_call>(call, key, route, names_tenant), [&] { handle(call); });
  };
}

} // namespace postrider
