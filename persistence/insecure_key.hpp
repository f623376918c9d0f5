#pragma once

#include "core/result.hpp"
#include "core/secret_box.hpp"

#include <string>

namespace postrider {

/// The master key of `--dev` where the database is not a private one: made at the first use and kept in the database
/// itself, in clear, as `insecure_master_key`. Whoever can read the database can then read every secret. Any number of
/// processes may call it at once; all get the same key. Errors: 503 `store-unavailable`, 500 `insecure-key-failed`.
result<secret_key> insecure_master_key(const std::string& url);

} // namespace postrider
