#pragma once

#include "core/provider_scheme.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// The schemes of config/presets.json, by name. Made once, at the first call; a preset that cannot be read ends the
/// program then, as it is part of it.
struct preset_table {
  std::map<std::string, std::shared_ptr<const provider_scheme>, std::less<>> schemes;
  std::map<std::string, std::string, std::less<>> not_supported; ///< scheme, or provider that has no other: family
  std::map<std::string, std::vector<std::string>, std::less<>>
    providers; ///< name: its schemes, those not supported left out
};
const preset_table& presets();

/// Nothing: unknown, or not supported.
std::shared_ptr<const provider_scheme> find_preset(std::string_view name);

} // namespace postrider
