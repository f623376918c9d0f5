#pragma once

#include "actors/management_store.hpp"
#include "net/api_call.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace postrider {

/// Cursors are opaque: the place in the list, and a tag of the list and its tenant, so that one of another list is
/// refused.
std::string make_cursor(std::string_view list, std::string_view tenant, const uuid& at);
std::optional<uuid> parse_cursor(std::string_view list, std::string_view tenant, std::string_view cursor);

/// `?limit=` (1 to 250, more is clamped) and `?cursor=`; 400 `parameter-invalid`.
result<page_request> read_page(const api_call& call, std::string_view list, std::string_view tenant);

/// `?limit=` alone, with the bounds of the list; 400 `parameter-invalid`.
result<std::size_t> read_limit(const api_call& call, std::size_t by_default, std::size_t most);

/// RFC 3339. In a query a `+` that is not escaped stands for a space, and the offset of a time is where everyone
/// forgets it: `2026-11-21T12:00:00+02:00`. No other space is in such a time's last six characters.
std::optional<wall_time> parse_query_time(std::string_view text);

/// `{"data":[…],"next_cursor":null|"…"}`
template <class T, class ToJson>
boost::json::object page_json(const page<T>& what, std::string_view list, std::string_view tenant, ToJson to_json) {
  boost::json::array data;
  data.reserve(what.data.size());
  for (const auto& one : what.data)
    data.emplace_back(to_json(one));
  boost::json::value next;
  if (what.next)
    next = boost::json::string(make_cursor(list, tenant, *what.next));
  return {{"data", std::move(data)}, {"next_cursor", std::move(next)}};
}

} // namespace postrider
