#pragma once

#include "core/provider_scheme.hpp"

#include <boost/json/fwd.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// What is wrong with a preset, and where.
struct scheme_error {
  std::string pointer; ///< RFC 6901, into the preset
  std::string detail;
};

struct parsed_scheme {
  std::optional<provider_scheme> scheme{}; ///< nothing: see `errors`
  std::vector<scheme_error> errors{};      ///< all at once
  bool not_supported = false;              ///< a family that exists and that this version does not know
};

/// Reads one preset, whether ours or a tenant's own (`custom`). Unknown keys are errors: a rule that is not understood
/// must not be passed over in silence.
parsed_scheme parse_scheme(std::string_view name, const boost::json::object& preset);

} // namespace postrider
