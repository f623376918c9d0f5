#pragma once

#include "core/secret_box.hpp"

#include <boost/system/result.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// Where a secret is found: `file:PATH` or `env:NAME`. Never the secret itself, so it may be printed. Empty: not set.
struct secret_ref {
  enum class place : std::uint8_t { none, file, environment };
  place kind = place::none;
  std::string where; ///< path or name of a variable

  explicit operator bool() const noexcept { return kind != place::none; }
  friend bool operator==(const secret_ref&, const secret_ref&) = default;
};

/// `file:PATH` or `env:NAME` with something after the colon. Nothing otherwise: then the text may be the secret itself,
/// so no message may repeat it.
std::optional<secret_ref> parse_secret_ref(std::string_view text);
/// The text that `parse_secret_ref` takes; empty for none.
std::string to_string(const secret_ref& ref);

/// Why a secret could not be had. Names the place, never a value.
struct secret_error {
  secret_ref from;
  std::string detail;
};
/// `file:/etc/key is empty`
std::string to_string(const secret_error& error);
[[noreturn]] void throw_exception_from_error(const secret_error& what, const boost::source_location&);
template <class T>
using secret_result = boost::system::result<T, secret_error>;

/// Reads it: of a file at most 64 KiB, one trailing newline (LF or CRLF) removed; of the environment as it is. An empty
/// value, a missing file or variable is an error.
secret_result<std::string> read_secret(const secret_ref& ref);

/// Reads the base64 of a 32-byte key.
secret_result<secret_key> read_secret_key(const secret_ref& ref);

} // namespace postrider
