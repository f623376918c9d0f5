#pragma once

#include "core/result.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// A request's body as a JSON object: 400 `json-invalid`, 400 `json-too-deep` (more than 64 levels), 422 where it is
/// something else.
result<boost::json::object> parse_json_object(std::string_view body);

/// Reads one JSON object field by field and gathers everything that is wrong with it, so that one answer names it all.
/// Null stands for absent. A getter that noted an error answers nothing; what was never asked for is an unknown field.
class json_reader {
public:
  static constexpr std::size_t errors_max = 100; ///< further ones are not listed

  /// `pointer`: where the object stands in the body; `errors` is added to. Both references must outlive this.
  json_reader(const boost::json::object& object, std::string pointer, std::vector<field_error>& errors)
      : object_(object), pointer_(std::move(pointer)), errors_(errors) {}

  /// The field, whatever it is; null: absent.
  const boost::json::value* take(std::string_view name);
  /// Bytes of UTF-8, no control characters, 1 to `length_max` (0 is allowed for `may_be_empty`).
  std::optional<std::string> text(std::string_view name, std::size_t length_max, bool required = false,
                                  bool may_be_empty = false);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
  std::optional<double> number(std::string_view name, double least, double most);
  std::optional<bool> boolean(std::string_view name);
  const boost::json::array* array(std::string_view name, std::size_t count_max);
  const boost::json::object* object(std::string_view name);

  /// 422 `not-supported-yet` at that field.
  void not_supported(std::string_view name, std::string_view detail);
  void error(std::string_view name, std::string_view code, std::string detail);
  /// Everything that was not taken is unknown.
  void finish();

  [[nodiscard]] std::string pointer(std::string_view name) const;
  [[nodiscard]] std::vector<field_error>& errors() noexcept { return errors_; }

private:
  const boost::json::object& object_;
  std::string pointer_;
  std::vector<field_error>& errors_;
  std::set<std::string, std::less<>> taken_;
};

void add_field_error(std::vector<field_error>& errors, std::string pointer, std::string_view code, std::string detail);

/// Valid text without control characters of 1 to `length_max` bytes; otherwise notes what is wrong at `pointer`.
std::optional<std::string> read_text(const boost::json::value& value, const std::string& pointer,
                                     std::size_t length_max, std::vector<field_error>& errors,
                                     bool may_be_empty = false);

/// 422 `validation-failed` with all of them.
problem validation_failed(std::vector<field_error> errors);

} // namespace postrider
