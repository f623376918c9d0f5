#pragma once

#include "config/setting_keys.hpp"
#include "config/settings.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace postrider {

/// Text of a flag or of the environment: its type is that of its key; lists are comma-separated.
struct untyped_value {
  std::string text;
};
/// A TOML value that no key takes; `name` says what it is.
struct foreign_value {
  std::string_view name;
};
/// A value as one of the places of the configuration gives it.
using raw_value = std::variant<untyped_value, std::string, std::int64_t, bool, std::vector<std::string>, foreign_value>;

/// Puts the value into its field. Otherwise says what is wrong with it, leaves the field, and repeats no value of a
/// kind that may hold a secret.
std::optional<std::string> assign(settings& into, const setting_key& key, const raw_value& value);
/// The same for a quota of a plan: an integer of at least 0.
std::optional<std::string> assign(plan_settings& into, const plan_key& key, const raw_value& value);

} // namespace postrider
