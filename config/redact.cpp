#include "config/redact.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace postrider {

namespace {

constexpr std::string_view hidden = "***";

bool is_secret_name(std::string_view name) {
  std::string lower{name};
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("password") != std::string::npos || lower == "passfile";
}

/// `a=b&password=c` with the values of secrets hidden.
std::string redact_query(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && is_secret_name(pair.substr(0, equals)))
      out.append(pair.substr(0, equals + 1)).append(hidden);
    else
      out.append(pair);
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (!query.empty())
      out.push_back('&');
  }
  return out;
}

std::string redact_url(std::string_view url, std::size_t authority_at) {
  std::string out{url.substr(0, authority_at)};
  url.remove_prefix(authority_at);
  const auto question = url.find('?');
  auto path = url.substr(0, question);
  if (path.find('@') == std::string_view::npos && url.find('@') != std::string_view::npos &&
      path.find(':') != std::string_view::npos)
    return out.append(hidden); // perhaps a password with a '?' in it: not to be told from a query
  // A password may hold a '/' that should have been escaped: the last '@' of the whole part ends the user's half.
  if (const auto at = path.rfind('@'); at != std::string_view::npos) {
    const auto user = path.substr(0, at);
    const auto colon = user.find(':');
    out.append(user.substr(0, colon));
    if (colon != std::string_view::npos)
      out.append(":").append(hidden);
    path.remove_prefix(at);
  }
  out.append(path);
  if (question != std::string_view::npos)
    out.append("?").append(redact_query(url.substr(question + 1)));
  return out;
}

/// One value of a DSN: quoted or plain, with backslash escapes (libpq, section "Keyword/Value Connection Strings").
std::string_view take_value(std::string_view& rest) {
  std::size_t end = 0;
  const bool quoted = rest.starts_with('\'');
  for (end = quoted ? 1 : 0; end < rest.size(); ++end) {
    if (rest[end] == '\\')
      ++end;
    else if (quoted ? rest[end] == '\'' : std::isspace(static_cast<unsigned char>(rest[end])) != 0)
      break;
  }
  end = std::min(rest.size(), end + (quoted ? 1 : 0));
  const auto value = rest.substr(0, end);
  rest.remove_prefix(end);
  return value;
}

std::string redact_dsn(std::string_view rest) {
  constexpr std::string_view space = " \t\r\n";
  std::string out;
  while (true) {
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(space)));
    if (rest.empty())
      return out;
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos)
      return std::string{hidden};
    auto name = rest.substr(0, equals);
    name = name.substr(0, name.find_first_of(space));
    rest.remove_prefix(equals + 1);
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(space)));
    const auto value = take_value(rest);
    if (!out.empty())
      out.push_back(' ');
    out.append(name).append("=").append(is_secret_name(name) ? hidden : value);
  }
}

} // namespace

std::string redact_database_url(std::string_view url) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"})
    if (url.starts_with(scheme))
      return redact_url(url, scheme.size());
  return url.empty() ? std::string{} : redact_dsn(url);
}

} // namespace postrider
