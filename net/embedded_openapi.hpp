#pragma once

#include <string_view>

namespace postrider {

/// docs/openapi.json, as cmake/embedded_files.cmake put it into the program.
std::string_view embedded_openapi() noexcept;

} // namespace postrider
