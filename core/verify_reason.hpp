#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postrider {

/// Why a request is not believed (api.md, "Reasons"), in the order in which it is looked for.
enum class verify_reason : std::uint8_t {
  ok,
  header_missing,
  field_missing,
  signature_missing,
  timestamp_missing,
  header_malformed,
  timestamp_out_of_tolerance,
  body_digest_mismatch,
  signature_mismatch,
  token_mismatch,
  verify_token_mismatch,
  unreadable_id,
};

inline constexpr std::size_t verify_reason_count = 12;

/// The `code` of the 401; a literal.
std::string_view to_string(verify_reason reason) noexcept;

} // namespace postrider
