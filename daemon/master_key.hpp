#pragma once

#include "config/settings.hpp"
#include "core/result.hpp"
#include "core/secret_box.hpp"

#include <filesystem>
#include <optional>

namespace postrider {

/// The key that `secrets.master_key` names; nothing where it names none. 400 `master-key-unusable` where it cannot be
/// read.
result<std::optional<secret_key>> configured_master_key(const settings& values);

/// The key of `--dev` beside a private PostgreSQL: DIRECTORY/insecure_master_key, made at the first use, readable by
/// its owner alone. 500 `insecure-key-failed`.
result<secret_key> insecure_master_key_file(const std::filesystem::path& directory);

} // namespace postrider
