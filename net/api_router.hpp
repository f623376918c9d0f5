#pragma once

#include "net/api_auth.hpp"
#include "net/api_call.hpp"
#include "net/api_worker.hpp"
#include "net/http_message.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// One line of a table of routes.
struct api_route {
  std::string_view method;  ///< `GET` serves HEAD as well
  std::string_view pattern; ///< segments; `{name}` is one, decoded; `{name…}` at the end is the rest, one at least
  access needed = access::operator_;
  std::function<void(api_call_ptr)> handle;
};

/// Finds the route of a request, refuses what has none (404, or 405 with `allow`; OPTIONS is answered from the table),
/// checks for a key (401) and content type (415) before the body is read and for the role after it, and hands over:
/// what has a body to the worker, all else at once. A POST with an `Idempotency-Key` is handed over as a keyed call
/// (keyed_call.hpp), whatever its route. Thread-safe once made.
class api_router final : public http_handler {
public:
  static constexpr std::size_t body_max_default = 8 << 20;

  /// `auth` and `worker` must outlive this.
  api_router(std::vector<api_route> routes, api_auth& auth, api_worker& worker,
             std::size_t body_max = body_max_default);

  head_verdict examine(const request_head& head, std::string_view request_id, std::string_view remote_address) override;
  std::unique_ptr<http_response> handle(http_call call) override;

private:
  struct match {
    const api_route* route = nullptr; ///< with the method; nothing: `allow` tells whether the path exists
    std::vector<std::string> parameters;
    std::string allow; ///< `GET, HEAD, POST`; empty: no such path
  };
  [[nodiscard]] match find(std::string_view method, std::string_view path) const;

  std::vector<api_route> routes_;
  api_auth& auth_;
  api_worker& worker_;
  std::size_t body_max_;
};

/// Sends each path to the handler of the longest prefix that it begins with; 404 where there is none.
class prefix_routes final : public http_handler {
public:
  /// The handlers must outlive this. A prefix ends in a slash, or is a whole path.
  explicit prefix_routes(std::vector<std::pair<std::string, http_handler*>> table) : table_(std::move(table)) {}

  head_verdict examine(const request_head& head, std::string_view request_id, std::string_view remote_address) override;
  std::unique_ptr<http_response> handle(http_call call) override;

private:
  [[nodiscard]] http_handler* find(std::string_view path) const noexcept;
  std::vector<std::pair<std::string, http_handler*>> table_;
};

} // namespace postrider
