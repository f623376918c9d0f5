#include "config/secret_ref.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace postrider {

namespace {

constexpr std::string_view file_prefix = "file:";
constexpr std::string_view environment_prefix = "env:";
constexpr std::size_t file_bytes_max = 64 * 1024;

secret_result<std::string> read_file(const secret_ref& ref) {
  errno = 0;
  std::ifstream in{ref.where, std::ios::binary};
  if (!in)
    return secret_error{ref, std::string{"cannot be read: "} + std::strerror(errno)};
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return secret_error{ref, "cannot be read"};
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max)
    return secret_error{ref, "is larger than 64 KiB: that is no secret"};
  if (text.ends_with('\n'))
    text.pop_back();
  if (text.ends_with('\r'))
    text.pop_back();
  return text;
}

} // namespace

std::string to_string(const secret_error& error) {
  const auto place = to_string(error.from);
  return place.empty() ? error.detail : place + " " + error.detail;
}

void throw_exception_from_error(const secret_error& what, const boost::source_location&) {
  throw std::logic_error("unchecked secret: " + to_string(what));
}

std::optional<secret_ref> parse_secret_ref(std::string_view text) {
  if (text.starts_with(file_prefix) && text.size() > file_prefix.size())
    return secret_ref{secret_ref::place::file, std::string{text.substr(file_prefix.size())}};
  if (text.starts_with(environment_prefix) && text.size() > environment_prefix.size())
    return secret_ref{secret_ref::place::environment, std::string{text.substr(environment_prefix.size())}};
  return std::nullopt;
}

std::string to_string(const secret_ref& ref) {
  switch (ref.kind) {
  case secret_ref::place::file:
    return std::string{file_prefix} + ref.where;
  case secret_ref::place::environment:
    return std::string{environment_prefix} + ref.where;
  case secret_ref::place::none:
    break;
  }
  return {};
}

secret_result<std::string> read_secret(const secret_ref& ref) {
  if (!ref)
    return secret_error{ref, "no secret is named"};
  std::string value;
  if (ref.kind == secret_ref::place::environment) {
    const char* set = std::getenv(ref.where.c_str());
    if (set == nullptr)
      return secret_error{ref, "is not set"};
    value = set;
  } else {
    auto read = read_file(ref);
    if (!read)
      return read.error();
    value = *std::move(read);
  }
  if (value.empty())
    return secret_error{ref, "is empty"};
  return value;
}

secret_result<secret_key> read_secret_key(const secret_ref& ref) {
  const auto text = read_secret(ref);
  if (!text)
    return text.error();
  const auto key = parse_secret_key(*text);
  if (!key)
    return secret_error{ref, "does not hold the base64 of 32 bytes"};
  return *key;
}

} // namespace postrider
