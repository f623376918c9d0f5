#pragma once

#include "config/raw_value.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// One `key = value` of a TOML document, tables flattened: `plans.free.sources`.
struct toml_entry {
  std::string name;
  std::size_t line = 0; ///< from 1
  raw_value value;
};

struct toml_document {
  std::vector<toml_entry> entries; ///< in the order of their lines
  /// What keeps the text from being TOML; the parser stops at the first.
  struct syntax_error {
    std::size_t line = 0;
    std::string detail;
  };
  std::vector<syntax_error> errors;
};

toml_document read_toml(std::string_view text);

} // namespace postrider
