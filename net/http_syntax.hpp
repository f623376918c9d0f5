#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// Character classes of RFC 9110, 9112 and 3986, as one table: a byte is looked up once, whatever is asked of it.
namespace postrider::http_syntax {

enum character_class : std::uint8_t {
  token = 1, ///< RFC 9110 section 5.6.2
  field = 2, ///< in a field value: visible ASCII, space, tab, obs-text
  path = 4,  ///< in an absolute path: pchar and `/`; `%` must be followed by two hex digits
  query =
    8, ///< in a query: pchar, `/`, `?`, and those that the WHATWG URL standard leaves as they are: [ ] { } | \ ^ `
  hex = 16,
  host_name = 32 ///< letters, digits, `-._~`
};

constexpr std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&table](std::string_view characters, unsigned classes) {
    for (const char c : characters)
      table[static_cast<unsigned char>(c)] = static_cast<std::uint8_t>(table[static_cast<unsigned char>(c)] | classes);
  };
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view digits = "0123456789";
  mark(letters, token | path | query | host_name);
  mark(digits, token | path | query | host_name | hex);
  mark("abcdefABCDEF", hex);
  mark("!#$%&'*+-.^_`|~", token);
  mark("-._~", path | query | host_name);
  mark("!$&'()*+,;=:@/%", path | query);
  mark("?[]{}|\\^`", query);
  for (unsigned c = 0x20; c < 256; ++c)
    if (c != 0x7f)
      table[c] = static_cast<std::uint8_t>(table[c] | field);
  table['\t'] = static_cast<std::uint8_t>(table['\t'] | field);
  return table;
}
inline constexpr auto table = make_table();

constexpr bool is(char c, character_class what) noexcept {
  return (table[static_cast<unsigned char>(c)] & what) != 0;
}
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// Without spaces and tabs around it.
constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

} // namespace postrider::http_syntax
