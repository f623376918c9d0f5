#include "net/forwarded.hpp"

#include "net/http_guard.hpp"
#include "net/http_syntax.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace postrider {

namespace {

using http_syntax::trimmed;

/// A v4 address in v6 clothes as what it is: the kernel shows it so on a listener of both families.
ip_address plain(const ip_address& address) noexcept {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!address.v6 || !std::equal(mapped.begin(), mapped.end(), address.bytes.begin()))
    return address;
  ip_address out;
  std::copy_n(address.bytes.begin() + 12, 4, out.bytes.begin());
  return out;
}

bool is_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

/// `192.0.2.1`, `192.0.2.1:47`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:47`; with `bracketed` no bare v6
/// address.
std::optional<ip_address> read_node(std::string_view text, bool bracketed) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos)
      return std::nullopt;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && (!rest.starts_with(':') || !is_port(rest.substr(1))))
      return std::nullopt;
    const auto address = parse_ip_address(text.substr(1, end - 1));
    return address && address->v6 ? address : std::nullopt;
  }
  const auto colon = text.find(':');
  const bool bare_v6 = colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos;
  if (bare_v6)
    return bracketed ? std::nullopt : parse_ip_address(text);
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1)))
    return std::nullopt;
  return parse_ip_address(text.substr(0, colon));
}

std::optional<bool> read_scheme(std::string_view text) noexcept {
  if (equal_ignoring_case(text, "https"))
    return true;
  if (equal_ignoring_case(text, "http"))
    return false;
  return std::nullopt;
}

/// Cuts at `separator`, with `quotes` not within such. False: a quote does not end.
bool split(std::string_view text, char separator, bool quotes, std::vector<std::string_view>& into) {
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (quotes && text[i] == '"')
      quoted = !quoted;
    else if (text[i] == separator && !quoted) {
      into.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  into.push_back(trimmed(text.substr(std::min(begin, text.size()))));
  return !quoted;
}

/// A token, or a quoted string without its quotes.
std::optional<std::string> read_value(std::string_view text) {
  if (!text.starts_with('"'))
    return is_token(text) ? std::optional{std::string{text}} : std::nullopt;
  if (text.size() < 2 || !text.ends_with('"'))
    return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '"' || (text[i] == '\\' && ++i + 1 == text.size()))
      return std::nullopt;
    out += text[i];
  }
  return out;
}

/// One `Forwarded` element. Nothing where any of it is not as RFC 7239 section 4 says.
struct element {
  std::optional<std::string> node, scheme, host;
};
std::optional<element> read_element(std::string_view text) {
  std::vector<std::string_view> pairs;
  element out;
  split(text, ';', true, pairs);
  for (const auto pair : pairs) {
    const auto equals = pair.find('=');
    const auto name = pair.substr(0, equals);
    if (equals == std::string_view::npos || !is_token(name))
      return std::nullopt;
    auto value = read_value(pair.substr(equals + 1));
    if (!value)
      return std::nullopt;
    for (const auto& [known, into] : {std::pair{"for", &out.node}, {"proto", &out.scheme}, {"host", &out.host}})
      if (equal_ignoring_case(name, known)) {
        if (*into)
          return std::nullopt; // each at most once
        *into = std::move(value);
        break;
      }
  }
  return out;
}

/// The values of the headers that matter, in order.
struct forwarding_fields {
  std::vector<std::string_view> addresses, schemes, hosts, elements;

  explicit forwarding_fields(std::string_view fields) {
    const std::array<std::pair<std::string_view, std::vector<std::string_view>*>, 4> known{
      {{"x-forwarded-for", &addresses},
       {"x-forwarded-proto", &schemes},
       {"x-forwarded-host", &hosts},
       {"forwarded", &elements}}};
    while (!fields.empty()) {
      const auto end = fields.find("\r\n");
      const auto line = fields.substr(0, end);
      fields.remove_prefix(end == std::string_view::npos ? fields.size() : end + 2);
      const auto colon = line.find(':');
      if (colon == std::string_view::npos)
        continue;
      for (const auto& [name, into] : known)
        if (equal_ignoring_case(line.substr(0, colon), name))
          into->push_back(trimmed(line.substr(colon + 1)));
    }
  }
};

} // namespace

bool trusted_proxies::trusts(const ip_address& address) const noexcept {
  return std::any_of(blocks_.begin(), blocks_.end(), [&](const cidr_block& block) { return block.contains(address); });
}

void trusted_proxies::read_list(const std::vector<std::string_view>& values, forwarded_call& out) const {
  std::vector<std::string_view> all;
  for (const auto value : values)
    split(value, ',', false, all); // a quote means nothing here, and must not swallow what a proxy appended
  for (auto each = all.rbegin(); each != all.rend(); ++each) {
    const auto address = read_node(*each, false);
    if (!address)
      return;
    out.address = to_string(plain(*address));
    if (!trusts(plain(*address)))
      return;
  }
}

void trusted_proxies::read_elements(const std::vector<std::string_view>& values, forwarded_call& out) const {
  std::vector<std::string_view> all;
  for (const auto value : values)
    if (!split(value, ',', true, all))
      return;
  for (auto each = all.rbegin(); each != all.rend(); ++each) {
    const auto said = read_element(*each);
    const auto address = said && said->node ? read_node(*said->node, true) : std::nullopt;
    if (!address)
      return;
    out.address = to_string(plain(*address));
    out.over_tls = said->scheme ? read_scheme(*said->scheme) : std::nullopt;
    out.host = said->host && !said->host->empty() && valid_host(*said->host) ? *said->host : std::string{};
    if (!trusts(plain(*address)))
      return;
  }
}

std::optional<forwarded_call> trusted_proxies::read(std::string_view peer, std::string_view fields) const {
  const auto proxy = parse_ip_address(peer);
  if (!proxy || !trusts(plain(*proxy)))
    return std::nullopt;
  forwarded_call out{.address = std::string{peer}};
  const forwarding_fields said{fields};
  const bool listed = !said.addresses.empty() || !said.schemes.empty() || !said.hosts.empty();
  if (listed && !said.elements.empty())
    return out;
  read_list(said.addresses, out);
  if (said.schemes.size() == 1)
    out.over_tls = read_scheme(said.schemes.front());
  if (said.hosts.size() == 1 && !said.hosts.front().empty() && valid_host(said.hosts.front()))
    out.host = said.hosts.front();
  read_elements(said.elements, out);
  return out;
}

head_verdict proxied_routes::examine(const request_head& head, std::string_view request_id,
                                     std::string_view remote_address) {
  const auto said = trusted_.read(remote_address, head.fields);
  return inner_.examine(head, request_id, said ? std::string_view{said->address} : remote_address);
}

std::unique_ptr<http_response> proxied_routes::handle(http_call call) {
  const auto said = trusted_.read(call.remote_address, call.head.fields);
  if (said) {
    call.remote_address = said->address;
    call.over_tls = said->over_tls.value_or(call.over_tls);
    call.host = said->host;
  }
  return inner_.handle(std::move(call));
}

} // namespace postrider
