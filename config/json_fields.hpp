#pragma once

#include "config/scheme_parser.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// How the parts of scheme_parser, and source_settings, read JSON objects. Not for others.
namespace postrider {

/// The words that a text may be, with their meaning.
template <class T, std::size_t Count>
using words = std::array<std::pair<std::string_view, T>, Count>;

template <class T, std::size_t Count>
const T* find_word(const words<T, Count>& all, std::string_view text) {
  const auto found = std::find_if(all.begin(), all.end(), [text](const auto& each) { return each.first == text; });
  return found == all.end() || found->first.empty() ? nullptr : &found->second;
}

/// The pointer to a member (RFC 6901 section 3).
std::string member_pointer(std::string_view object, std::string_view key);

/// An object that is being read: mistakes are gathered, and what nobody asked for is one.
class json_fields {
public:
  static constexpr std::size_t text_max = 1'024;
  static constexpr std::size_t list_max = 32; ///< elements of an array, members of an object
  static constexpr std::int64_t seconds_max = 30LL * 24 * 3'600;

  json_fields(const boost::json::object& object, std::string pointer, std::vector<scheme_error>& errors)
      : object_{object}, pointer_{std::move(pointer)}, errors_{errors} {}

  void fail(std::string_view key, std::string detail) const { errors_.push_back({at(key), std::move(detail)}); }
  /// The pointer to a member; to the object itself where `key` is empty.
  [[nodiscard]] std::string at(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return object_.contains(key); }

  /// Absent: nullptr, an empty text, nothing, false. Of another kind, or larger than is taken: likewise, and a mistake.
  const boost::json::value* find(std::string_view key);
  const boost::json::object* object(std::string_view key);
  const boost::json::array* array(std::string_view key);
  std::string text(std::string_view key);
  std::optional<std::chrono::seconds> seconds(std::string_view key);
  bool flag(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  std::vector<std::pair<std::string, std::string>> text_pairs(std::string_view key);

  template <class T, std::size_t Count>
  void word(std::string_view key, const words<T, Count>& all, T& out) {
    const auto given = text(key);
    if (given.empty())
      return;
    if (const auto* found = find_word(all, given))
      out = *found;
    else
      fail(key, "unknown word: " + given);
  }

  void refuse_unknown() const;

private:
  const boost::json::object& object_;
  std::string pointer_;
  std::vector<scheme_error>& errors_;
  std::vector<std::string> known_;
};

} // namespace postrider
