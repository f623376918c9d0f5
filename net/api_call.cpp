#include "net/api_call.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace postrider {

void api_call::answer(int status, const boost::json::value& body_json) const {
  answer(http_response{status, "application/json", boost::json::serialize(body_json), {}});
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

problem not_found(std::string_view what) {
  return {404, "not-found", "there is no such " + std::string{what}};
}

} // namespace postrider
