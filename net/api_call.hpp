#pragma once

#include "actors/management_store.hpp"
#include "core/api_key.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "net/http_message.hpp"
#include "net/problem.hpp"
#include "net/url_text.hpp"

#include <boost/json/fwd.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postrider {

/// Who asks.
struct api_principal {
  key_id key;
  api_role role = api_role::tenant_viewer;
  std::optional<tenant_id> tenant{}; ///< nothing: operator
};

/// One request to the API, whole, and the duty to answer it once. Lives until then, in whatever callback holds it; may
/// be answered on any thread. LISTENER's own deadline covers one that is never answered.
struct api_call {
  std::string method;
  query_parameters query;
  std::string body;
  std::string authorization;
  std::string if_none_match; ///< of a GET; empty: absent
  std::string remote_address;
  std::string request_id;
  std::vector<std::string>
    parameters; ///< the `{…}` of the route's pattern, decoded, in order; the tenant is the first where there is one
  api_principal principal;

  reply_address to;
  std::shared_ptr<http_replies> replies;
  /// Where an answer is kept back until its change is committed (keyed_call.hpp); nothing: it goes out.
  std::optional<http_response>* held = nullptr;

  void answer(http_response response) const {
    held != nullptr ? void(*held = std::move(response)) : replies->respond(to, std::move(response));
  }
  void answer(int status, const boost::json::value& body_json,
              std::vector<std::pair<std::string, std::string>> headers = {}) const;
  void no_content() const { answer(http_response{204, "", "", {}}); }
  void fail(const problem& what) const { answer(problem_response(what, request_id)); }

  /// A query parameter; nothing where absent.
  [[nodiscard]] const std::string* parameter(std::string_view name) const noexcept;
};
using api_call_ptr = std::shared_ptr<api_call>;

/// 400 `parameter-invalid`.
problem parameter_invalid(std::string_view name, std::string_view why);

} // namespace postrider
