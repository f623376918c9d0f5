#include "config/scheme_answers.hpp"

#include "config/scheme_places.hpp"

#include <set>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 5> request_methods{"POST", "GET", "PUT", "PATCH", "DELETE"};

bool is_method(std::string_view text) noexcept {
  return std::find(request_methods.begin(), request_methods.end(), text) != request_methods.end();
}

// What an answer may be made of: texts of the request and settings.
void check_answer(const json_fields& in, const handshake_rule& rule, const text_template& text, std::string_view key) {
  using what = template_part::what;
  for (const auto& part : text)
    switch (part.kind) {
    case what::literal:
    case what::method:
    case what::header:
    case what::json:
    case what::optional_json:
    case what::query:
    case what::config:
      break;
    case what::hmac_hex:
      if (!rule.after_verify)
        in.fail(key, "an unsigned handshake would sign any text that it is asked for");
      break;
    case what::hmac_hex_query:
      if (!rule.after_verify && (rule.query_pattern.empty() || rule.query != part.name))
        in.fail(key, "an unsigned handshake signs its `query` alone, and only where that has a `pattern`");
      break;
    default:
      in.fail(key, "answers are made of texts, {query:…}, {json:…}, {header:…}, {config:…} and {hmac_hex…:…} alone");
    }
}

void read_members(json_fields& in, handshake_rule& out) {
  const auto* members = in.object("answer_json");
  for (const auto& each : members ? *members : json::object{}) {
    if (each.value().is_string())
      out.answer_json.push_back({each.key(), read_template(in, "answer_json", each.value().get_string())});
    else if (each.value().is_int64())
      out.answer_json.push_back({each.key(), {{template_part::what::literal, json::serialize(each.value())}}, true});
    else
      in.fail("answer_json", "values are texts or whole numbers");
  }
}

} // namespace

std::vector<std::string> read_methods(json_fields& in, std::string_view key) {
  auto out = in.texts(key);
  std::set<std::string_view> seen;
  for (const auto& each : out)
    if (!is_method(each) || !seen.insert(each).second)
      in.fail(key, "must be of POST, GET, PUT, PATCH and DELETE, each once");
  return out;
}

fixed_answer read_answer(const json::object& object, std::string pointer, int least, int most,
                         std::vector<scheme_error>& errors) {
  json_fields in{object, std::move(pointer), errors};
  fixed_answer out;
  out.status = least;
  if (const auto* status = in.find("status")) {
    const auto* number = status->if_int64();
    if (!number || *number < least || *number > most)
      in.fail("status", "must be an HTTP status from " + std::to_string(least) + " to " + std::to_string(most));
    else
      out.status = static_cast<int>(*number);
  }
  out.body = in.text("body");
  out.content_type = "text/plain";
  in.refuse_unknown();
  return out;
}

handshake_rule read_handshake(const json::object& object, std::string pointer, std::vector<scheme_error>& errors) {
  json_fields in{object, std::move(pointer), errors};
  handshake_rule out;
  out.method = in.text("method");
  if (!out.method.empty() && !is_method(out.method))
    in.fail("method", "must be POST, GET, PUT, PATCH or DELETE");
  out.query = in.text("query");
  if (const auto pattern = in.text("pattern"); !pattern.empty()) {
    if (const auto parsed = simple_pattern::parse(pattern))
      out.query_pattern = *parsed;
    else
      in.fail("pattern", "not a pattern of the simple kind");
  }
  out.checks = in.text_pairs("check");
  if (const auto* values = in.object("json"))
    for (const auto& each : *values) {
      const bool is_text = each.value().is_string();
      out.json.emplace_back(read_path(in, "json", each.key()),
                            is_text ? std::string{each.value().get_string()} : json::serialize(each.value()));
    }
  out.after_verify = in.flag("after_verify");
  out.answer = read_template(in, "answer", in.text("answer"));
  read_members(in, out);
  check_answer(in, out, out.answer, "answer");
  for (const auto& each : out.answer_json)
    check_answer(in, out, each.value, "answer_json");
  if (out.method.empty() && out.query.empty() && out.json.empty())
    in.fail({}, "a handshake needs a condition: method, query or json");
  if (out.answer.empty() == out.answer_json.empty())
    in.fail({}, "a handshake needs one answer: answer or answer_json");
  in.refuse_unknown();
  return out;
}

} // namespace postrider
