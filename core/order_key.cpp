#include "core/order_key.hpp"

#include "core/header_block.hpp"
#include "core/json_view.hpp"
#include "core/signature.hpp"
#include "core/text_forms.hpp"

#include <algorithm>
#include <array>

namespace postrider {

namespace {

constexpr std::string_view header_prefix = "header:";
constexpr std::string_view json_prefix = "json:";
constexpr std::string_view digest_prefix = "sha256:";
constexpr std::size_t plain_key_max = 200;

bool is_token_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

// RFC 6901: `~1` is a slash, `~0` a tilde, nothing else may follow a tilde.
std::optional<std::string> unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out.push_back(token[i]);
      continue;
    }
    if (++i == token.size() || (token[i] != '0' && token[i] != '1'))
      return std::nullopt;
    out.push_back(token[i] == '0' ? '~' : '/');
  }
  return out;
}

std::optional<std::vector<std::string>> parse_pointer(std::string_view pointer) {
  std::vector<std::string> out;
  while (!pointer.empty()) {
    if (pointer.front() != '/')
      return std::nullopt;
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    auto token = unescaped(pointer.substr(0, end));
    if (!token)
      return std::nullopt;
    out.push_back(std::move(*token));
    pointer.remove_prefix(end);
  }
  return out;
}

std::string stored_form(std::string key) {
  const bool plain = key.size() <= plain_key_max && !key.starts_with(digest_prefix) &&
                     std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (plain)
    return key;
  const std::array<std::string_view, 1> parts{key};
  const auto digest = hash_of(hash_kind::sha256, parts);
  return std::string{digest_prefix} + encode_hex({digest.bytes.data(), digest.size});
}

} // namespace

std::optional<order_key_place> parse_order_key_place(std::string_view text) {
  if (text.size() > order_key_place::text_max)
    return std::nullopt;
  order_key_place out;
  out.text = text;
  if (text.starts_with(header_prefix)) {
    out.header = text.substr(header_prefix.size());
    const bool named = !out.header.empty() && std::all_of(out.header.begin(), out.header.end(), is_token_character);
    return named ? std::optional{std::move(out)} : std::nullopt;
  }
  if (!text.starts_with(json_prefix))
    return std::nullopt;
  auto path = parse_pointer(text.substr(json_prefix.size()));
  if (!path || path->empty()) // the whole body is no key
    return std::nullopt;
  out.path = std::move(*path);
  return out;
}

order_key_reader::order_key_reader(std::string_view headers, std::string_view body) : headers_{headers}, body_{body} {}
order_key_reader::~order_key_reader() = default;

std::string order_key_reader::key_at(const order_key_place& place) {
  if (!place.header.empty())
    return stored_form(std::string{find_header(headers_, place.header).value});
  if (!document_)
    document_ = std::make_unique<json_view>(body_);
  return stored_form(json_view::text_of(document_->find(document_->root(), place.path)).value_or(std::string{}));
}

} // namespace postrider
