#pragma once

#include "net/api_router.hpp"

#include <vector>

namespace postrider {

/// `/openapi.json` (no key): the contract that the program was built with, docs/openapi.json byte for byte. It changes
/// with the program alone, so clients keep it and ask by its `etag` whether it is still the one (304).
std::vector<api_route> openapi_routes();

} // namespace postrider
