#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace postrider {

enum class setting_kind : std::uint8_t {
  text,
  node_name,    ///< letters, digits, `.`, `_`, `-`; 1 to 63; or empty
  host_port,    ///< HOST:PORT; or empty, where the default is
  database_url, ///< libpq URL or DSN; may hold a password, so no message repeats it
  path,
  choice,
  integer,
  boolean,
  cidr_list,
  secret,
  secret_list,
};

/// One key of the configuration: the only place, beside its field in `settings`, that knows of it. Loader, flags,
/// environment, example file and their tests go through the table.
struct setting_key {
  /// Reaches the field; the default is what it reaches in `settings{}`.
  using field = std::variant<std::string& (*)(settings&), std::int64_t& (*)(settings&), bool& (*)(settings&),
                             std::vector<std::string>& (*)(settings&), secret_ref& (*)(settings&),
                             std::vector<secret_ref>& (*)(settings&)>;

  std::string_view name; ///< `section.key`
  setting_kind kind = setting_kind::text;
  field at;
  std::string_view help;                       ///< one line for the example file; unit first where there is one
  std::int64_t min = 0, max = 0;               ///< integer: both inclusive
  std::span<const std::string_view> choices{}; ///< choice
  std::string_view flag{};                     ///< of `serve`, without the dashes; empty: none
  bool not_yet = false; ///< checked like any other, but this version cannot do it: setting it is an error

  [[nodiscard]] std::string_view section() const { return name.substr(0, name.find('.')); }
  [[nodiscard]] std::string_view key() const { return name.substr(name.find('.') + 1); }
};

/// All keys but the plans', sections in the order of the example file.
std::span<const setting_key> setting_keys();
/// The key with that full name, or null.
const setting_key* find_setting(std::string_view name);
/// Section and what stands above it in the example file.
struct setting_section {
  std::string_view name;
  std::string_view help;
};
std::span<const setting_section> setting_sections();

/// The keys of a `[plans.NAME]`: integers of at least 0.
struct plan_key {
  std::string_view name;
  std::optional<std::int64_t> plan_settings::*at;
  std::string_view help;
};
std::span<const plan_key> plan_keys();

} // namespace postrider
