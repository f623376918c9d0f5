#include "core/api_key.hpp"

#include "core/signature.hpp"

#include <algorithm>

namespace postrider {

std::string_view to_string(api_role role) noexcept {
  switch (role) {
  case api_role::operator_:
    return "operator";
  case api_role::tenant_admin:
    return "tenant_admin";
  case api_role::tenant_viewer:
    return "tenant_viewer";
  }
  return {};
}

std::optional<api_role> parse_api_role(std::string_view word) noexcept {
  for (const auto role : {api_role::operator_, api_role::tenant_admin, api_role::tenant_viewer})
    if (word == to_string(role))
      return role;
  return std::nullopt;
}

std::string make_api_key(const std::array<std::uint8_t, 32>& random) {
  std::string out = "prk_" + encode_base64(random);
  out.pop_back(); // 32 bytes leave exactly one `=`
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

api_key_hash hash_api_key(std::string_view key) noexcept {
  return sha256(key);
}

} // namespace postrider
