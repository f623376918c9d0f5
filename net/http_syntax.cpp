#include "net/http_syntax.hpp"
#include "net/http_guard.hpp"

namespace postrider {

using namespace http_syntax;

bool is_token(std::string_view text) noexcept {
  if (text.empty())
    return false;
  for (const char c : text)
    if (!is(c, token))
      return false;
  return true;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size())
    return false;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (lower(left[i]) != lower(right[i]))
      return false;
  return true;
}

bool valid_field_line(std::string_view line) noexcept {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return false;
  for (const char c : line.substr(colon + 1))
    if (!is(c, field))
      return false;
  return true;
}

namespace {

bool valid_port(std::string_view port) noexcept {
  if (port.size() > 5)
    return false;
  unsigned value = 0;
  for (const char c : port) {
    if (c < '0' || c > '9')
      return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65'535;
}

bool valid_bracketed(std::string_view address) noexcept {
  if (address.size() < 2 || address.find(':') == std::string_view::npos)
    return false;
  for (const char c : address)
    if (!is(c, hex) && c != ':' && c != '.')
      return false;
  return true;
}

} // namespace

bool valid_host(std::string_view text) noexcept {
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || !valid_bracketed(text.substr(1, close - 1)))
      return false;
    rest = text.substr(close + 1);
  } else {
    const auto colon = text.find(':');
    const auto name = text.substr(0, colon);
    if (name.empty() || name.size() > 255)
      return false;
    for (const char c : name)
      if (!is(c, host_name))
        return false;
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  return rest.empty() || (rest.front() == ':' && valid_port(rest.substr(1)));
}

} // namespace postrider
