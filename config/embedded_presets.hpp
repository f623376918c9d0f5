#pragma once

#include <string_view>

namespace postrider {

/// config/presets.json, as cmake/presets.cmake put it into the program.
std::string_view embedded_presets() noexcept;

} // namespace postrider
