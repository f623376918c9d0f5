#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

class json_view;

/// Where an endpoint's ordering key stands in an event: `header:NAME` or `json:/pointer` (RFC 6901, into the body).
struct order_key_place {
  static constexpr std::size_t text_max = 256;

  std::string text;              ///< as given
  std::string header{};          ///< its name; empty: it is in the body
  std::vector<std::string> path; ///< names of members or indices, unescaped
};

/// Nothing: neither form, or longer than `text_max`.
std::optional<order_key_place> parse_order_key_place(std::string_view text);

/// Reads the keys of one event for several endpoints: the body is parsed once, when the first needs it.
class order_key_reader {
public:
  /// Both must outlive this. `headers`: `name: value\r\n` each.
  order_key_reader(std::string_view headers, std::string_view body);
  ~order_key_reader();
  order_key_reader(const order_key_reader&) = delete;
  order_key_reader& operator=(const order_key_reader&) = delete;

  /// Empty where there is none: no such header, no JSON, nothing there but null, an array or an object. A key of
  /// more than 200 bytes, or of others than printable ASCII, is told by its SHA-256.
  [[nodiscard]] std::string key_at(const order_key_place& place);

private:
  std::string_view headers_;
  std::string_view body_;
  std::unique_ptr<json_view> document_;
};

} // namespace postrider
