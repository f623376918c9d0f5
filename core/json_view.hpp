#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// A JSON text (RFC 8259) to look values up in. Of several members of one name the last counts. The document reads
/// numbers as doubles where they are no 64-bit integers.
class json_view {
public:
  static constexpr int depth_max = 64;

  /// A value of the document, valid as long as it. Empty: there is none.
  class node {
  public:
    node() = default;
    explicit operator bool() const noexcept { return value_ != nullptr; }

  private:
    friend class json_view;
    explicit node(const void* value) noexcept : value_{value} {}
    const void* value_ = nullptr;
  };

  /// Not JSON, or nested deeper than `depth_max`: a document without a root.
  explicit json_view(std::string_view text);
  json_view(json_view&&) noexcept;
  json_view& operator=(json_view&&) noexcept;
  ~json_view();

  [[nodiscard]] node root() const noexcept;
  /// Names of members or indices from `from` on, without `*`.
  [[nodiscard]] node find(node from, const std::vector<std::string>& path) const;
  /// All values that a path with `*` leads to. Nothing: some step on the way is missing, or `*` stands on what is no
  /// array or an empty one.
  [[nodiscard]] std::optional<std::vector<node>> find_each(node from, const std::vector<std::string>& path) const;

  /// A string as it is, a whole number in its digits, another in its shortest decimal form, true and false as words;
  /// nothing for null, arrays, objects.
  [[nodiscard]] static std::optional<std::string> text_of(node value);
  /// A string where it stands in the document, not copied; nothing for all else.
  [[nodiscard]] static std::optional<std::string_view> string_of(node value);
  /// Whether `text_of` tells the value from every other: false for a number with a fraction or of more digits than the
  /// document keeps, of which several may read alike.
  [[nodiscard]] static bool is_exact(node value) noexcept;
  [[nodiscard]] static bool is_text_or_number(node value) noexcept;
  [[nodiscard]] static bool is_number(node value) noexcept;
  [[nodiscard]] static bool is_null(node value) noexcept;
  /// The names of an object's members.
  [[nodiscard]] static std::vector<std::string> names_of(node object);

private:
  struct content;
  std::unique_ptr<content> content_;
};

/// A JSON string with its quotes.
std::string to_json_string(std::string_view text);

} // namespace postrider
