#pragma once

#include "actors/inspection.hpp"
#include "actors/management_store.hpp"

#include <boost/json/object.hpp>

/// Records as the JSON objects of api.md, "JSON objects, field by field". Never a secret, except where a parameter says
/// so.
namespace postrider {

boost::json::object to_json(const tenant_record& tenant);
boost::json::object to_json(const source_record& source);
/// `with_secret`: the answer to its creation.
boost::json::object to_json(const endpoint_record& endpoint, bool with_secret = false);
boost::json::object to_json(const event_record& event);
boost::json::object to_json(const delivery_record& delivery);
boost::json::object to_json(const attempt_record& attempt);
/// Never the key itself.
boost::json::object to_json(const api_key_record& key);
/// `alone`: with `transitions`, `counters`, and what only a `delivery` has.
boost::json::object to_json(const actor_status& actor, bool alone);

/// A text of which not every byte need be UTF-8 (headers, excerpts): what is none becomes U+FFFD.
boost::json::string json_text(std::string_view text);
/// RFC 3339, or null.
boost::json::value json_time(const std::optional<wall_time>& at);
/// The text, or null where it is empty.
boost::json::value json_or_null(std::string_view text);

} // namespace postrider
