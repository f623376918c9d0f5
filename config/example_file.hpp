#pragma once

#include <string>

namespace postrider {

/// The text of config/postrider.example.toml: every key with its default and what it means. A test compares it with the
/// file.
std::string example_file();

} // namespace postrider
