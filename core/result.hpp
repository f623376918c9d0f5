#pragma once

#include <boost/system/result.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace postrider {

/// One wrong field of a request (api.md: `errors[]` of a 422). `pointer` is a JSON pointer (RFC 6901) into the body.
struct field_error {
  std::string pointer;
  std::string code;   ///< stable kebab-case word
  std::string detail; ///< for people; never echoes a secret
};

/// An error as a value, in the terms of RFC 9457. Never holds a secret.
struct problem {
  int status = 500;
  std::string code = "internal-error"; ///< stable kebab-case word
  std::string detail;
  std::vector<field_error> errors{};
  std::optional<std::chrono::seconds> retry_after{};

  problem() = default;
  // No aggregate: C++20 would then make a problem of any number, and a `result<int>` or `result<bool>` could not tell
  // value from error.
  problem(int http_status, std::string word, std::string text = {}, std::vector<field_error> wrong = {},
          std::optional<std::chrono::seconds> after = {})
      : status(http_status)
      , code(std::move(word))
      , detail(std::move(text))
      , errors(std::move(wrong))
      , retry_after(after) {}
};

/// Asking a failed result for its value is a mistake of ours.
[[noreturn]] inline void throw_exception_from_error(const problem& what, const boost::source_location&) {
  throw std::logic_error("unchecked result: " + what.code);
}

/// A value, or why there is none.
template <class T>
using result = boost::system::result<T, problem>;

/// The database did not answer (503 with `Retry-After`): what was asked may be tried again.
inline problem store_unavailable(std::string detail = "the database does not answer; try again") {
  return {503, "store-unavailable", std::move(detail), {}, std::chrono::seconds{2}};
}

} // namespace postrider
