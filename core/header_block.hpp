#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace postrider {

/// A block of HTTP headers as received, `name: value\r\n` each (strict RFC 9112: the guard has refused anything else).

/// The value of the first header of that name (case-insensitive), trimmed of spaces and tabs.
struct header_value {
  bool found = false;
  std::string_view value{};
};
header_value find_header(std::string_view block, std::string_view name) noexcept;

/// Of all headers, in their order: `visit(name, value)`, the value trimmed.
void for_each_header(std::string_view block, const std::function<void(std::string_view, std::string_view)>& visit);

/// ASCII letters in lower case.
std::string lower_case(std::string_view text);

/// The block without what must not be stored: `authorization`, `cookie`, `proxy-*`, and the headers named (a scheme's
/// own tokens).
std::string without_credentials(std::string_view block, std::span<const std::string> also);

/// The lines of the named headers, for forwarding: in the order of the block, as received.
std::string only_headers(std::string_view block, std::span<const std::string> names);

/// Whether it carries somebody's credentials, which are neither stored nor forwarded. The name in any case.
bool is_credential_header(std::string_view name) noexcept;

/// Whether Postrider or HTTP itself sets that header of a request to an endpoint (api.md, "headers of an endpoint"):
/// Host, Content-*, hop-by-hop names, Expect, User-Agent, `webhook-*`, `svix-*`, `x-postrider-*`. Nobody else may set
/// it, neither an endpoint's `headers` nor what is forwarded of a provider's request: a receiver would see two. In any
/// case.
bool is_reserved_header(std::string_view name) noexcept;

} // namespace postrider
