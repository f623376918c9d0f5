#pragma once

#include <cstdint>

namespace postrider {

/// Raises the soft limit of open descriptors to the hard one; answers what is in force now.
std::uint64_t raise_descriptor_limit() noexcept;

} // namespace postrider
