#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// A request as each provider would sign it, written down from what the providers say (the signature table of the
/// presets' source) and not from the program's interpreter, so that one is checked against the other.
namespace postrider::test {

struct signed_request {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string signature{}; ///< as it stands somewhere in the request: the part that proves
  std::string method = "POST";
  std::string url = "https://hooks.example.com/in/acme/shop?x=1";
};

struct scheme_row {
  std::string scheme;
  std::function<signed_request(const std::string& secret, std::int64_t at)> make; ///< `at`: unix seconds
  std::string id{}, type{};                                                       ///< that must be read
  int past = -1, future = -1;                                                     ///< the window in seconds; -1: none
  bool is_body_signed = true;
  std::string secret = "a first secret";
  std::string other = "another secret";
  std::map<std::string, std::string> config{};
  std::string secret_setting{}; ///< the setting that holds the secret; empty: it is one of the source's secrets
};

/// One for each scheme.
std::vector<scheme_row> scheme_rows();

} // namespace postrider::test
