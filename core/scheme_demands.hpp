#pragma once

#include "core/request_values.hpp"
#include "core/verify_reason.hpp"

namespace postrider {

/// What a scheme demands of a request beside its signature or token: `require`, `fixed`, `form_pattern`. The same for
/// every family. In the order of the reasons: headers, then fields; `malformed` becomes true where something is there
/// and of another form, which is told only after what is missing.
verify_reason demand_headers(const provider_scheme& scheme, request_values& values, bool& malformed);
verify_reason demand_fields(const provider_scheme& scheme, request_values& values, bool& malformed);

} // namespace postrider
