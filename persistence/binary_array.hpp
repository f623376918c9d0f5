#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace postrider {

/// PostgreSQL's numbers of the element types that we send (catalog/pg_type.dat).
enum class array_type : std::uint32_t {
  bytea = 17,
  int8 = 20,
  int2 = 21,
  int4 = 23,
  text = 25,
  timestamptz = 1184,
  uuid = 2950
};

/// A one-dimensional array parameter in PostgreSQL's binary form (array_recv): one statement then carries a whole
/// batch, and nothing is quoted or parsed. Add the elements in order, then hand `data()` to libpqxx as a binarystring.
class binary_array {
public:
  explicit binary_array(array_type type, std::size_t expected = 0, std::size_t bytes_each = 8) {
    data_.reserve(header_size + expected * (4 + bytes_each));
    put32(1);                                // dimensions
    put32(1);                                // may hold nulls
    put32(static_cast<std::uint32_t>(type)); // of the elements
    put32(0);                                // how many: kept up to date
    put32(1);                                // index of the first
  }

  void add(const uuid& value) { element(value.bytes.data(), value.bytes.size()); }
  void add(std::string_view value) { element(value.data(), value.size()); }
  void add(std::int16_t value) { number(static_cast<std::uint16_t>(value)); }
  void add(std::int32_t value) { number(static_cast<std::uint32_t>(value)); }
  void add(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  /// Microseconds since 2000-01-01 UTC.
  void add(wall_time value) { add(to_unix_us(value) - 946'684'800'000'000); }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value)
      add(*value);
    else
      add_null();
  }
  void add_null() {
    put32(0xffff'ffffU);
    counted();
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] const std::string& data() const noexcept { return data_; }

private:
  static constexpr std::size_t header_size = 20;
  static constexpr std::size_t count_offset = 12;

  template <class U>
  static U network_order(U value) noexcept {
    if constexpr (std::endian::native == std::endian::big)
      return value;
    else if constexpr (sizeof(U) == 2)
      return __builtin_bswap16(value);
    else if constexpr (sizeof(U) == 4)
      return __builtin_bswap32(value);
    else
      return __builtin_bswap64(value);
  }
  void put32(std::uint32_t value) {
    value = network_order(value);
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class U>
  void number(U value) {
    value = network_order(value);
    element(&value, sizeof value);
  }
  void element(const void* bytes, std::size_t size) {
    put32(static_cast<std::uint32_t>(size));
    data_.append(static_cast<const char*>(bytes), size);
    counted();
  }
  void counted() {
    const auto count = network_order(static_cast<std::uint32_t>(++count_));
    std::memcpy(data_.data() + count_offset, &count, sizeof count);
  }

  std::string data_;
  std::size_t count_ = 0;
};

} // namespace postrider
