#pragma once

#include "core/request_values.hpp"
#include "core/time.hpp"
#include "core/verify_reason.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postrider {

struct check_result {
  verify_reason reason = verify_reason::signature_missing;
  std::string_view secret{}; ///< that verified; empty unless ok
};

/// Whether a request is signed as its scheme demands. What that may cost is bounded: at most 1,000 elements of `each`,
/// 100 signatures of each, and 64 MiB hashed in all; beyond, the request is refused. `secrets`: valid now, newest
/// first, none empty.
check_result check_signature(const provider_scheme& scheme, request_values& values,
                             std::span<const std::string_view> secrets, wall_time now);
/// Likewise of the families whose requests carry the secret itself.
check_result check_token(const provider_scheme& scheme, request_values& values,
                         std::span<const std::string_view> secrets);
check_result check_basic(const provider_scheme& scheme, request_values& values,
                         std::span<const std::string_view> secrets);

/// The key bytes of a secret; nothing where it is not of the scheme's form or has none: then it verifies and signs
/// nothing.
std::optional<std::string> key_of(key_form form, std::string_view secret);

} // namespace postrider
