#include "net/target_url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace postrider {
namespace {

constexpr std::size_t url_size_max = 8 * 1024;
constexpr std::size_t host_size_max = 253; // RFC 1035, without the root's dot

bool valid_name(std::string_view host) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
  return !host.empty() && host.size() <= host_size_max && host.front() != '.' &&
         host.find("..") == std::string_view::npos && std::all_of(host.begin(), host.end(), allowed);
}

/// Host and port; false where they are not acceptable.
bool take_authority(const boost::urls::url_view& url, target_url& out) {
  if (!url.has_authority() || url.has_userinfo())
    return false;
  out.host = url.encoded_host_address();
  std::transform(out.host.begin(), out.host.end(), out.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  switch (url.host_type()) {
  case boost::urls::host_type::ipv4:
  case boost::urls::host_type::ipv6:
    out.literal = parse_ip_address(out.host);
    if (!out.literal)
      return false;
    break;
  case boost::urls::host_type::name:
    if (!valid_name(out.host))
      return false;
    break;
  default:
    return false;
  }
  const std::uint16_t default_port = out.tls ? 443 : 80;
  out.port = default_port;
  if (url.has_port() && !url.port().empty()) {
    // Not port_number(): what that says of a number beyond 65535 is not to be relied on in Boost 1.81.
    const auto digits = url.port();
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (error != std::errc{} || end != digits.data() + digits.size() || out.port == 0)
      return false;
  }
  out.host_header = out.literal && out.literal->v6 ? "[" + out.host + "]" : out.host;
  if (out.port != default_port)
    out.host_header += ":" + std::to_string(out.port);
  return true;
}

} // namespace

std::optional<target_url> parse_target_url(std::string_view text) {
  if (text.size() > url_size_max)
    return std::nullopt;
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed)
    return std::nullopt;
  target_url out;
  if (parsed->scheme_id() == boost::urls::scheme::https)
    out.tls = true;
  else if (parsed->scheme_id() != boost::urls::scheme::http)
    return std::nullopt;
  if (!take_authority(*parsed, out))
    return std::nullopt;
  const auto path = parsed->encoded_path();
  out.request_target = path.empty() ? std::string{"/"} : std::string{path.data(), path.size()};
  if (parsed->has_query()) {
    const auto query = parsed->encoded_query();
    out.request_target += '?';
    out.request_target.append(query.data(), query.size());
  }
  return out;
}

} // namespace postrider
