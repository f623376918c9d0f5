#pragma once

#include <string_view>

namespace postrider {

/// The version of this build, such as "0.1.0": what `postrider version` prints and `user-agent` names.
std::string_view version() noexcept;

} // namespace postrider
