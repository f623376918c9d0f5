#include "net/json_document.hpp"

#include "net/problem.hpp"

#include <boost/json/value.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace postrider {

namespace json = boost::json;

namespace {

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> text{};
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

void append(std::string& out, const json::value& what);

void append(std::string& out, const json::object& all) {
  char before = '{';
  for (const auto& [name, value] : all) {
    out += std::exchange(before, ',');
    append_json_string(out, {name.data(), name.size()});
    out += ':';
    append(out, value);
  }
  out += all.empty() ? "{}" : "}";
}

void append(std::string& out, const json::array& all) {
  char before = '[';
  for (const auto& value : all) {
    out += std::exchange(before, ',');
    append(out, value);
  }
  out += all.empty() ? "[]" : "]";
}

void append(std::string& out, const json::value& what) {
  switch (what.kind()) {
  case json::kind::null:
    out += "null";
    return;
  case json::kind::bool_:
    out += what.get_bool() ? "true" : "false";
    return;
  case json::kind::int64:
    return append_number(out, what.get_int64());
  case json::kind::uint64:
    return append_number(out, what.get_uint64());
  case json::kind::double_:
    if (!std::isfinite(what.get_double())) {
      out += "null";
      return;
    }
    return append_number(out, what.get_double());
  case json::kind::string:
    return append_json_string(out, {what.get_string().data(), what.get_string().size()});
  case json::kind::array:
    return append(out, what.get_array());
  case json::kind::object:
    return append(out, what.get_object());
  }
}

} // namespace

std::string json_document(const json::value& what) {
  std::string out;
  append(out, what);
  return out;
}

} // namespace postrider
