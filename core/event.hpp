#pragma once

#include "core/ids.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace postrider {

/// One accepted webhook, immutable from the moment it is verified. Shared by the actors, STORE and SENDER; copied
/// nowhere else.
struct event {
  event_id id;
  tenant_no tenant = 0;
  source_no source = 0;
  std::string source_name;       ///< for `x-postrider-source`
  std::string type;              ///< event type, or empty where the provider has none
  std::string provider_event_id; ///< as text, or empty
  std::string content_type;      ///< as sent, or empty
  std::string headers;           ///< the request's headers without credentials: `name: value\r\n` each, as received
  std::string forward_headers;   ///< those that the preset forwards, same form, ready for the wire
  std::string body;              ///< byte for byte

  /// What it weighs in memory, for the bounds of I13.
  [[nodiscard]] std::size_t weight() const noexcept {
    return sizeof(event) + headers.size() + forward_headers.size() + body.size();
  }
};
using event_ptr = std::shared_ptr<const event>;

} // namespace postrider
