#pragma once

#include "tests/net/server_fixture.hpp"

#include <boost/json.hpp>

#include <string>
#include <vector>

/// What tests of the API read of its answers.
namespace postrider::test {

/// `pointer code` of each error, in order.
inline std::vector<std::string> errors(const http_answer& answer) {
  std::vector<std::string> out;
  const auto document = answer.json();
  for (const auto& one : document.at("errors").as_array())
    out.push_back(boost::json::value_to<std::string>(one.at("pointer")) + " " +
                  boost::json::value_to<std::string>(one.at("code")));
  return out;
}

inline std::string text(const boost::json::value& object, const char* name) {
  return boost::json::value_to<std::string>(object.at(name));
}

} // namespace postrider::test
