#pragma once

#include "config/json_fields.hpp"
#include "core/provider_scheme.hpp"

/// The pieces of a preset: paths, templates, places. Mistakes go to the object that is being read. Not for others than
/// scheme_parser.
namespace postrider {

/// `$.a.0.b`, `*` for each element.
json_path read_path(const json_fields& in, std::string_view key, std::string_view text);
/// Literals and parts in braces, at most 64.
text_template read_template(const json_fields& in, std::string_view key, std::string_view text);
/// What a place is for. Each has words of its own: `secret`, `suffix_index` and `secrets` are a signature's,
/// `json_each` is a token's, `unit`, `max_age` and `max_future` are a timestamp's. A token stands in no `header_regex`,
/// whose headers could not be kept from being stored.
enum class place_use : std::uint8_t { signature, timestamp, token };
value_place read_place(const boost::json::object& object, std::string pointer, place_use use,
                       std::vector<scheme_error>& errors);
timestamp_rule read_timestamp(const boost::json::object& object, const std::string& pointer,
                              std::vector<scheme_error>& errors);
/// Where id or type stand: `@header`, `$.path`, `other_key:NAME`, `xml:NAME` or `b64json:PATH:PATH`.
value_source read_source(const json_fields& in, std::string_view key, std::string_view text,
                         const provider_scheme& scheme);

} // namespace postrider
