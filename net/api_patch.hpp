#pragma once

#include "core/result.hpp"
#include "net/json_reader.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What every PATCH (RFC 7396, JSON merge patch) of an object of the API shares.
namespace postrider {

struct patch_rules {
  std::vector<std::string_view> settable; ///< fields that a PATCH may change
  std::string_view rotated{};             ///< the field that `rotate-secret` changes; empty: none
};

/// Takes out of `patch` what it cannot set. Whoever reads an object, edits it and writes it back as a whole is
/// understood: a field that is shown and that only Postrider sets may come along as it is shown.
///
/// | the field                        | then |
/// | -------------------------------- | ---- |
/// | settable                         | stays in the patch |
/// | shown, with the value sent       | taken out |
/// | shown, with another value        | `read-only` |
/// | the secret that is rotated       | `read-only` |
/// | any other                        | `unknown-field` |
void drop_read_only(boost::json::object& patch, const boost::json::object& shown, const patch_rules& rules,
                    const std::string& pointer, std::vector<field_error>& errors);

/// The settable fields as they are shown: what the patch is merged into.
boost::json::object settable_of(const boost::json::object& shown, const patch_rules& rules);

/// One object of the request's body; all its errors at once.
template <class T>
result<T> read_one(std::string_view body, T (*read)(json_reader&)) {
  const auto document = parse_json_object(body);
  if (!document)
    return document.error();
  std::vector<field_error> errors;
  json_reader reader{*document, "", errors};
  T out = read(reader);
  reader.finish();
  if (!errors.empty())
    return validation_failed(std::move(errors));
  return out;
}

/// `overlap_s` of a rotation: seconds, 0 to 30 days; required.
std::chrono::seconds read_overlap(json_reader& reader);

} // namespace postrider
