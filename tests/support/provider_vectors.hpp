#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider::test {

/// One request of `tests/vectors/providers/<provider>.json`.
struct provider_vector {
  std::string id;
  std::string scheme;
  std::string provider;
  std::string method;
  std::string url; ///< in full, as the provider calls it
  bool is_handshake = false;
  std::vector<std::string> secrets;           ///< newest first
  std::map<std::string, std::string> config;  ///< settings of the scheme; those of an object as `name/key`
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;                           ///< the exact bytes
  std::int64_t now = 0;                       ///< the receiver's clock, unix seconds
  bool accept = false;
  std::string reason;
  std::string event_id;   ///< empty: not checked
  std::string event_type; ///< empty: not checked
  struct response {
    int status = 0;
    std::string body;         ///< the exact bytes, if `json` is empty
    std::string json;         ///< equal as a value, in place of `body`
    std::string content_type; ///< empty: not checked
  };
  std::optional<response> answer; ///< what the provider must get

  /// The header of that name (lower case), or nothing at all.
  [[nodiscard]] std::string_view header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view{} : std::string_view{found->second};
  }
};

/// Every case of that file. Throws where it is missing, not of its form, or empty.
std::vector<provider_vector> load_provider_vectors(const std::string& path);

} // namespace postrider::test
