#pragma once

#include "actors/ingest.hpp"
#include "core/result.hpp"
#include "net/http_guard.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What LISTENER and the routes say to each other.
namespace postrider {

/// An answer as a route gives it; LISTENER adds `date`, `content-length`, `connection` and `x-request-id`.
struct http_response {
  int status = 200;
  std::string content_type = "application/json"; ///< empty: no such header
  std::string body;
  std::vector<std::pair<std::string, std::string>>
    headers; ///< further ones; names in lower case, values without control characters
};

/// Where answers go, from any thread; never blocks. An answer to a connection that no longer waits for it is ignored.
class http_replies : public ingest_replies {
public:
  virtual void respond(reply_address to, http_response response) = 0;
};

/// One whole request, as it is handed to its route. The views are valid during the call alone.
struct http_call {
  const request_head& head;
  std::string_view remote_address;
  std::string_view request_id;
  reply_address to;
  const std::shared_ptr<http_replies>& replies;
  std::string body;
  bool over_tls = false;   ///< how the client called, as far as can be believed
  std::string_view host{}; ///< likewise, where it is not the head's: told by a trusted proxy
};

/// What a route says of a request's head, before its body is read.
struct head_verdict {
  std::size_t body_max = 0;                 ///< the longest body taken
  bool ingest = false;                      ///< counted as such
  std::unique_ptr<http_response> refused{}; ///< or: this at once; the body is not read
};

/// The routes of one listener. Called on the io threads; never blocks.
class http_handler {
public:
  virtual ~http_handler() = default;
  virtual head_verdict examine(const request_head& head, std::string_view request_id,
                               std::string_view remote_address) = 0;
  /// The answer, or nothing: then it comes through `call.replies`, once. Without one in time LISTENER answers 503.
  virtual std::unique_ptr<http_response> handle(http_call call) = 0;
};

/// The path of a target, without its query; and the query without its `?`.
constexpr std::string_view path_of(std::string_view path_and_query) noexcept {
  return path_and_query.substr(0, path_and_query.find('?'));
}
constexpr std::string_view query_of(std::string_view path_and_query) noexcept {
  const auto mark = path_and_query.find('?');
  return mark == std::string_view::npos ? std::string_view{} : path_and_query.substr(mark + 1);
}

} // namespace postrider
