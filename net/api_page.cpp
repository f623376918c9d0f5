#include "net/api_page.hpp"

#include "core/signature.hpp"
#include "core/text_forms.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace postrider {

namespace {

constexpr std::size_t tag_size = 8;
constexpr std::size_t limit_default = 50;
constexpr std::size_t limit_max = 250;

std::string tag(std::string_view list, std::string_view tenant) {
  std::string text{list};
  text.push_back('\0');
  text += tenant;
  const auto digest = sha256(text);
  return {digest.begin(), digest.begin() + tag_size};
}

} // namespace

std::string make_cursor(std::string_view list, std::string_view tenant, const uuid& at) {
  auto bytes = tag(list, tenant);
  bytes.append(at.bytes.begin(), at.bytes.end());
  return encode_base64url(bytes);
}

std::optional<uuid> parse_cursor(std::string_view list, std::string_view tenant, std::string_view cursor) {
  const auto bytes = decode_base64url(cursor);
  uuid out;
  if (!bytes || bytes->size() != tag_size + out.bytes.size() || !bytes->starts_with(tag(list, tenant)))
    return std::nullopt;
  std::memcpy(out.bytes.data(), bytes->data() + tag_size, out.bytes.size());
  return out;
}

result<std::size_t> read_limit(const api_call& call, std::size_t by_default, std::size_t most) {
  const auto* const text = call.parameter("limit");
  if (text == nullptr)
    return by_default;
  const bool digits = !text->empty() && text->find_first_not_of("0123456789") == std::string::npos;
  std::size_t value = most; // a number too large to read is clamped like any other
  if (digits)
    std::from_chars(text->data(), text->data() + text->size(), value);
  if (!digits || value == 0)
    return parameter_invalid("limit", "must be a whole number of at least 1");
  return std::min(value, most);
}

result<page_request> read_page(const api_call& call, std::string_view list, std::string_view tenant) {
  page_request out;
  const auto limit = read_limit(call, limit_default, limit_max);
  if (!limit)
    return limit.error();
  out.limit = *limit;
  if (const auto* const cursor = call.parameter("cursor")) {
    out.before = parse_cursor(list, tenant, *cursor);
    if (!out.before)
      return parameter_invalid("cursor", "is not one of this list");
  }
  return out;
}

std::optional<wall_time> parse_query_time(std::string_view text) {
  constexpr std::size_t offset_size = 6;
  std::string out{text};
  if (out.size() > offset_size && out[out.size() - offset_size] == ' ')
    out[out.size() - offset_size] = '+';
  return parse_rfc3339(out);
}

} // namespace postrider
