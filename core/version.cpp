#include "core/version.hpp"

namespace postrider {

std::string_view version() noexcept {
  return POSTRIDER_VERSION; // defined for this file alone, by cmake/version.cmake
}

} // namespace postrider
