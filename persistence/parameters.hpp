#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"
#include "persistence/binary_array.hpp"

#include <pqxx/pqxx>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

/// How our values travel to and from libpqxx. Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

inline pqxx::binarystring parameter(const binary_array& value) {
  return pqxx::binarystring{value.data().data(), value.data().size()};
}
inline pqxx::binarystring parameter(const uuid& value) {
  return pqxx::binarystring{value.bytes.data(), value.bytes.size()};
}
/// As text, in UTC.
inline std::string parameter(wall_time value) {
  return to_rfc3339(value);
}

inline uuid read_uuid(const pqxx::field& field) {
  const auto out = parse_uuid({field.c_str(), field.size()});
  if (!out)
    throw std::runtime_error("the database answered something that is no uuid");
  return *out;
}

/// A column of bytea, unescaped.
inline std::string read_bytes(const pqxx::field& field) {
  const pqxx::binarystring bytes{field};
  return {bytes.get(), bytes.size()};
}

/// A column of microseconds since the Unix epoch: `(extract(epoch from …) * 1000000)::bigint`.
inline wall_time read_time(const pqxx::field& field) {
  return from_unix_us(field.as<std::int64_t>());
}
/// The same, rounded up: who waits until then finds the row due.
inline wall_time read_time_up(const pqxx::field& field) {
  return from_unix_us(field.as<std::int64_t>() + 999);
}
inline std::optional<wall_time> read_optional_time(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional<wall_time>{read_time(field)};
}

} // namespace postrider
