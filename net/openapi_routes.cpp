#include "net/openapi_routes.hpp"

#include "core/signature.hpp"
#include "core/text_forms.hpp"
#include "net/embedded_openapi.hpp"
#include "net/http_syntax.hpp"

#include <span>
#include <string>
#include <string_view>

namespace postrider {

namespace {

std::string etag_of(std::string_view document) {
  constexpr std::size_t bytes = 16;
  const auto digest = sha256(document);
  return '"' + encode_hex(std::span{digest}.first(bytes)) + '"';
}

/// RFC 9110 section 13.1.2: a list of tags, weak ones among them, or `*`.
bool names_tag(std::string_view list, std::string_view tag) noexcept {
  while (!list.empty()) {
    const auto comma = list.find(',');
    auto one = http_syntax::trimmed(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    if (one.starts_with("W/"))
      one.remove_prefix(2);
    if (one == tag || one == "*")
      return true;
  }
  return false;
}

} // namespace

std::vector<api_route> openapi_routes() {
  const auto get = [tag = etag_of(embedded_openapi())](const api_call_ptr& call) {
    http_response response;
    response.headers = {{"etag", tag}, {"cache-control", "no-cache"}};
    if (names_tag(call->if_none_match, tag)) {
      response.status = 304;
      response.content_type.clear();
    } else {
      response.body = embedded_openapi();
    }
    call->answer(std::move(response));
  };
  return {{"GET", "/openapi.json", access::open, get}};
}

} // namespace postrider
