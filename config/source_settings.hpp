#pragma once

#include "config/scheme_parser.hpp"
#include "core/provider_scheme.hpp"

#include <boost/json/fwd.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// A source's `config` (api.md): what its scheme needs beside the secrets, `public_url`, and for `custom` the scheme
/// itself. Kept as two JSON objects, for some of its values are secrets and are stored sealed.
struct source_settings {
  std::string plain = "{}"; ///< as it is shown: `{"set":true}` stands for each of the secret ones
  std::string secret{};     ///< empty: none
};

/// The keys whose values never come back: `salts`, `primary_key`, `secondary_key`, `verify_token`.
bool is_secret_setting(std::string_view key) noexcept;

/// Checks the `config` of a new source against its scheme and parts it; mistakes are added, with pointers into the
/// config. `scheme`: nullptr for `custom`.
source_settings read_source_settings(const provider_scheme* scheme, const boost::json::object& config,
                                     std::vector<scheme_error>& errors);

/// As core wants them: text by name, the members of an object as `name/key`.
std::map<std::string, std::string> settings_map(const source_settings& settings);

/// The rules of a stored source: its preset, or what its settings say where the scheme is `custom`. Nothing: unknown,
/// not supported any more, or not readable; then the source believes nothing.
std::shared_ptr<const provider_scheme> rules_of(std::string_view scheme, const source_settings& settings);

/// Whether the scheme's keys are all in its `config`, so that no `secrets` are needed.
bool needs_secrets(const provider_scheme& scheme) noexcept;
/// Whether such a secret can be a key of the scheme.
bool is_key_of(const provider_scheme& scheme, std::string_view secret);

} // namespace postrider
