#include "config/toml_file.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>

namespace postrider {

namespace {

raw_value to_raw(const toml::node& node) {
  if (const auto* text = node.as_string())
    return text->get();
  if (const auto* number = node.as_integer())
    return number->get();
  if (const auto* flag = node.as_boolean())
    return flag->get();
  if (node.is_floating_point())
    return foreign_value{"a number with a fraction"};
  const auto* list = node.as_array();
  if (list == nullptr)
    return foreign_value{"a date or time"};
  std::vector<std::string> items;
  for (const auto& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr)
      return foreign_value{"a list with items that are no strings"};
    items.push_back(text->get());
  }
  return items;
}

void flatten(const toml::table& table, const std::string& prefix, std::vector<toml_entry>& into) {
  for (const auto& [key, node] : table) {
    const auto name = prefix + std::string{key.str()};
    if (const auto* inner = node.as_table(); inner != nullptr && !inner->empty())
      flatten(*inner, name + ".", into);
    else if (inner == nullptr)
      into.push_back({name, key.source().begin.line, to_raw(node)});
    else // an empty table: a section without keys, or a value where none belongs; the loader knows which
      into.push_back({name, key.source().begin.line, foreign_value{"an empty table"}});
  }
}

} // namespace

toml_document read_toml(std::string_view text) {
  toml_document out;
  const auto parsed = toml::parse(text);
  if (!parsed) {
    out.errors.push_back({parsed.error().source().begin.line, std::string{parsed.error().description()}});
    return out;
  }
  flatten(parsed.table(), "", out.entries);
  std::ranges::stable_sort(out.entries, {}, &toml_entry::line);
  return out;
}

} // namespace postrider
