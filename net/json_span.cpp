#include "net/json_span.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace postrider {

namespace {

constexpr std::string_view space = " \t\r\n";

void skip_space(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
}

/// The end of the string that begins at 0, behind its quote.
std::size_t string_end(std::string_view text) {
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"')
    at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

/// Takes one value off the front.
std::string_view take_value(std::string_view& text) {
  std::size_t at = 0;
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at += string_end(text.substr(at));
    } else {
      if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ':'))
        break;
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
      ++at;
    }
    if (depth == 0 && (c == '"' || c == '}' || c == ']'))
      break;
  }
  auto out = text.substr(0, at);
  text.remove_prefix(at);
  while (!out.empty() && space.find(out.back()) != std::string_view::npos)
    out.remove_suffix(1);
  return out;
}

/// The bracket, a comma, or a colon.
void skip_mark(std::string_view& text) {
  skip_space(text);
  if (!text.empty())
    text.remove_prefix(1);
  skip_space(text);
}

/// Names may be written with escapes.
bool is_string(std::string_view token, std::string_view wanted) {
  if (token.find('\\') == std::string_view::npos)
    return token.size() == wanted.size() + 2 && token.substr(1, wanted.size()) == wanted;
  boost::json::error_code failed;
  const auto value = boost::json::parse({token.data(), token.size()}, failed);
  const auto* const text = value.if_string();
  return !failed && text != nullptr && std::string_view{text->data(), text->size()} == wanted;
}

bool at_end(std::string_view text) {
  return text.empty() || text.front() == '}' || text.front() == ']';
}

} // namespace

std::optional<std::string_view> json_member(std::string_view object, std::string_view name) {
  std::optional<std::string_view> out;
  skip_mark(object);
  while (!at_end(object)) {
    const auto key = take_value(object);
    skip_mark(object);
    const auto value = take_value(object);
    if (is_string(key, name))
      out = value;
    skip_space(object);
    if (!at_end(object))
      skip_mark(object);
  }
  return out;
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> out;
  skip_mark(array);
  while (!at_end(array)) {
    out.push_back(take_value(array));
    skip_space(array);
    if (!at_end(array))
      skip_mark(array);
  }
  return out;
}

} // namespace postrider
