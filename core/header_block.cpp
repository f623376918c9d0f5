#include "core/header_block.hpp"

#include <algorithm>
#include <array>

namespace postrider {

namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_names(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

bool starts_with_name(std::string_view name, std::string_view prefix) noexcept {
  return name.size() >= prefix.size() && equal_names(name.substr(0, prefix.size()), prefix);
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

struct header_line {
  std::string_view whole; // with its line end
  std::string_view name;
  std::string_view value;
};

// Takes one line off the front of `rest`; false when there is none left.
bool next_line(std::string_view& rest, header_line& line) noexcept {
  if (rest.empty())
    return false;
  const auto end = rest.find("\r\n");
  const auto text = rest.substr(0, end);
  line.whole = end == std::string_view::npos ? rest : rest.substr(0, end + 2);
  rest.remove_prefix(line.whole.size());
  const auto colon = text.find(':');
  line.name = text.substr(0, colon);
  line.value = colon == std::string_view::npos ? std::string_view{} : trimmed(text.substr(colon + 1));
  return true;
}

bool is_named(std::string_view name, std::span<const std::string> names) noexcept {
  return std::any_of(names.begin(), names.end(), [&](std::string_view other) { return equal_names(name, other); });
}

} // namespace

header_value find_header(std::string_view block, std::string_view name) noexcept {
  header_line line;
  while (next_line(block, line))
    if (equal_names(line.name, name))
      return {true, line.value};
  return {};
}

void for_each_header(std::string_view block, const std::function<void(std::string_view, std::string_view)>& visit) {
  header_line line;
  while (next_line(block, line))
    visit(line.name, line.value);
}

std::string lower_case(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string without_credentials(std::string_view block, std::span<const std::string> also) {
  std::string kept;
  kept.reserve(block.size());
  header_line line;
  while (next_line(block, line)) {
    if (!is_credential_header(line.name) && !is_named(line.name, also))
      kept += line.whole;
  }
  return kept;
}

std::string only_headers(std::string_view block, std::span<const std::string> names) {
  std::string kept;
  header_line line;
  while (next_line(block, line))
    if (is_named(line.name, names))
      kept += line.whole;
  return kept;
}

bool is_credential_header(std::string_view name) noexcept {
  return equal_names(name, "authorization") || equal_names(name, "cookie") || starts_with_name(name, "proxy-");
}

bool is_reserved_header(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 9> whole{
    "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "user-agent"};
  constexpr std::array<std::string_view, 5> prefixes{"content-", "proxy-", "webhook-", "svix-", "x-postrider-"};
  const auto is_name = [name](std::string_view other) { return equal_names(name, other); };
  const auto is_prefix = [name](std::string_view other) { return starts_with_name(name, other); };
  return std::any_of(whole.begin(), whole.end(), is_name) || std::any_of(prefixes.begin(), prefixes.end(), is_prefix);
}

} // namespace postrider
