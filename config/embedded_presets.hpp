#pragma once

#include <string_view>

namespace postrider {

/// config/presets.json, as cmake/embedded_files.cmake put it into the program.
std::string_view embedded_presets() noexcept;

} // namespace postrider
