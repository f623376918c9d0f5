#include "config/raw_value.hpp"

#include "config/address.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace postrider {

namespace {

/// What is wrong with a value.
struct wrong {
  std::string detail;
};
template <class T>
using read_result = std::variant<T, wrong>;

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t";
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(space)));
  return text.substr(0, text.find_last_not_of(space) + 1);
}

read_result<std::string> read_text(const raw_value& value) {
  std::string text;
  if (const auto* typed = std::get_if<std::string>(&value))
    text = *typed;
  else if (const auto* untyped = std::get_if<untyped_value>(&value))
    text = untyped->text;
  else
    return wrong{"must be a string"};
  if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return wrong{"must not hold control characters"};
  return text;
}

read_result<std::int64_t> read_integer(const raw_value& value, std::int64_t min, std::int64_t max) {
  const auto refusal = [&] {
    if (max == std::numeric_limits<std::int64_t>::max())
      return wrong{"must be an integer of at least " + std::to_string(min)};
    return wrong{"must be an integer from " + std::to_string(min) + " to " + std::to_string(max)};
  };
  std::int64_t number = 0;
  if (const auto* typed = std::get_if<std::int64_t>(&value)) {
    number = *typed;
  } else if (const auto* untyped = std::get_if<untyped_value>(&value)) {
    const auto text = trim(untyped->text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
      return refusal();
  } else {
    return refusal();
  }
  if (number < min || number > max)
    return refusal();
  return number;
}

read_result<bool> read_boolean(const raw_value& value) {
  if (const auto* typed = std::get_if<bool>(&value))
    return *typed;
  if (const auto* untyped = std::get_if<untyped_value>(&value)) {
    if (trim(untyped->text) == "true")
      return true;
    if (trim(untyped->text) == "false")
      return false;
  }
  return wrong{"must be true or false"};
}

read_result<std::vector<std::string>> read_list(const raw_value& value) {
  if (const auto* typed = std::get_if<std::vector<std::string>>(&value))
    return *typed;
  if (const auto* untyped = std::get_if<untyped_value>(&value)) {
    std::vector<std::string> items;
    std::string_view rest = untyped->text;
    while (!trim(rest).empty()) {
      const auto item = rest.substr(0, rest.find(','));
      items.emplace_back(trim(item));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    }
    return items;
  }
  return wrong{"must be a list of strings"};
}

bool is_node_name(std::string_view name) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return name.size() <= 63 && name.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_database_url(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://") || url.find('=') != std::string_view::npos;
}

/// What a text of that kind must look like, if it does not; never the text itself.
std::optional<std::string> check_text(const setting_key& key, const std::string& text) {
  switch (key.kind) {
  case setting_kind::node_name:
    if (!is_node_name(text))
      return "must be 1 to 63 letters, digits, '.', '_' or '-'";
    break;
  case setting_kind::host_port: {
    const auto read_default = [&] {
      settings defaults;
      return std::get<std::string& (*)(settings&)>(key.at)(defaults);
    };
    if (!parse_host_port(text) && !(text.empty() && read_default().empty()))
      return "must be HOST:PORT, or [ADDRESS]:PORT for IPv6, with a port from 0 to 65535";
    break;
  }
  case setting_kind::database_url:
    if (!text.empty() && !is_database_url(text))
      return "must be a libpq URL (postgresql://...) or a DSN (host=... dbname=...)";
    break;
  case setting_kind::choice:
    if (std::ranges::find(key.choices, text) == key.choices.end()) {
      std::string words = "must be one of";
      for (const auto choice : key.choices)
        words.append(words.ends_with("of") ? " " : ", ").append(choice);
      return words;
    }
    break;
  default:
    break;
  }
  return std::nullopt;
}

std::optional<std::string> check_list(const setting_key& key, const std::vector<std::string>& items) {
  if (key.kind == setting_kind::cidr_list)
    for (std::size_t i = 0; i < items.size(); ++i)
      if (!is_cidr(items[i]))
        return "item " + std::to_string(i + 1) + " must be ADDRESS/BITS without bits behind the prefix, or an address";
  return std::nullopt;
}

constexpr std::string_view secret_form = "must be file:PATH or env:NAME (a secret itself never stands here)";

std::optional<std::string> take(const setting_key& key, std::string& field, const raw_value& value) {
  auto read = read_text(value);
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  auto& text = std::get<0>(read);
  if (auto refused = check_text(key, text))
    return refused;
  field = std::move(text);
  return std::nullopt;
}

std::optional<std::string> take(const setting_key& key, std::int64_t& field, const raw_value& value) {
  const auto read = read_integer(value, key.min, key.max);
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  field = std::get<std::int64_t>(read);
  return std::nullopt;
}

std::optional<std::string> take(const setting_key&, bool& field, const raw_value& value) {
  const auto read = read_boolean(value);
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  field = std::get<0>(read);
  return std::nullopt;
}

std::optional<std::string> take(const setting_key& key, std::vector<std::string>& field, const raw_value& value) {
  auto read = read_list(value);
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  auto& items = std::get<0>(read);
  if (auto refused = check_list(key, items))
    return refused;
  field = std::move(items);
  return std::nullopt;
}

std::optional<std::string> take(const setting_key&, secret_ref& field, const raw_value& value) {
  const auto read = read_text(value);
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  const auto& text = std::get<0>(read);
  const auto ref = text.empty() ? secret_ref{} : parse_secret_ref(text);
  if (!ref)
    return std::string{secret_form};
  field = *ref;
  return std::nullopt;
}

std::optional<std::string> take(const setting_key&, std::vector<secret_ref>& field, const raw_value& value) {
  const auto read = read_list(value);
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  std::vector<secret_ref> refs;
  for (const auto& item : std::get<0>(read)) {
    auto ref = parse_secret_ref(item);
    if (!ref)
      return "item " + std::to_string(refs.size() + 1) + " " + std::string{secret_form};
    refs.push_back(*std::move(ref));
  }
  field = std::move(refs);
  return std::nullopt;
}

} // namespace

std::optional<std::string> assign(settings& into, const setting_key& key, const raw_value& value) {
  return std::visit([&](auto reach) { return take(key, reach(into), value); }, key.at);
}

std::optional<std::string> assign(plan_settings& into, const plan_key& key, const raw_value& value) {
  const auto read = read_integer(value, 0, std::numeric_limits<std::int64_t>::max());
  if (const auto* refused = std::get_if<wrong>(&read))
    return refused->detail;
  into.*key.at = std::get<std::int64_t>(read);
  return std::nullopt;
}

} // namespace postrider
