#include "net/api_call.hpp"

#include "net/json_document.hpp"

#include <boost/json/value.hpp>

#include <utility>

namespace postrider {

void api_call::answer(int status, const boost::json::value& body_json,
                      std::vector<std::pair<std::string, std::string>> headers) const {
  answer(http_response{status, "application/json", json_document(body_json), std::move(headers)});
}

const std::string* api_call::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : query)
    if (key == name)
      return &value;
  return nullptr;
}

problem parameter_invalid(std::string_view name, std::string_view why) {
  return {400, "parameter-invalid", "the parameter " + std::string{name} + " " + std::string{why}};
}

} // namespace postrider
