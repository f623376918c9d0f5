#pragma once

#include "core/time.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// 128 bits in network order (RFC 9562). Compares as PostgreSQL compares `uuid`: byte by byte.
struct uuid {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const uuid&, const uuid&) = default; // NOLINT(modernize-use-nullptr): no pointer is here
  [[nodiscard]] bool is_nil() const noexcept { return *this == uuid{}; }
};

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, lower case.
std::string to_string(const uuid& value);
/// Strict: 36 characters, hyphens in their places, either case. Nothing otherwise.
std::optional<uuid> parse_uuid(std::string_view text) noexcept;

/// UUIDv7 (RFC 9562 section 5.7): 48 bits of `at`, then 74 of the 80 random bits given. Pure: the caller brings chance.
uuid make_uuid_v7(wall_time at, const std::array<std::uint8_t, 10>& random) noexcept;
/// The time inside a UUIDv7.
wall_time time_of(const uuid& v7) noexcept;
/// The least UUIDv7 of that millisecond: the bound between two partitions or pages.
uuid least_uuid_v7(wall_time at) noexcept;

/// A strong id: a UUIDv7 whose text form carries its kind (`evt_0190…`). `Tag::prefix` ends in an underscore.
template <class Tag>
struct strong_id {
  uuid value;

  friend auto operator<=>(const strong_id&, const strong_id&) = default; // NOLINT(modernize-use-nullptr): likewise
};

struct tenant_tag {
  static constexpr std::string_view prefix = "ten_";
};
struct source_tag {
  static constexpr std::string_view prefix = "src_";
};
struct endpoint_tag {
  static constexpr std::string_view prefix = "ep_";
};
struct event_tag {
  static constexpr std::string_view prefix = "evt_";
};
struct delivery_tag {
  static constexpr std::string_view prefix = "dlv_";
};
struct attempt_tag {
  static constexpr std::string_view prefix = "att_";
};
struct key_tag {
  static constexpr std::string_view prefix = "key_";
};
struct job_tag {
  static constexpr std::string_view prefix = "job_";
};

using tenant_id = strong_id<tenant_tag>;
using source_id = strong_id<source_tag>;
using endpoint_id = strong_id<endpoint_tag>;
using event_id = strong_id<event_tag>;
using delivery_id = strong_id<delivery_tag>;
using attempt_id = strong_id<attempt_tag>;
using key_id = strong_id<key_tag>;
using job_id = strong_id<job_tag>;

/// The id of a delivery's attempt of that number, from 1. Attempts have no id column: theirs follows from these two,
/// always the same; two numbers of one delivery never have the same one. Keeps the delivery's time.
attempt_id attempt_id_of(const delivery_id& delivery, std::uint32_t number) noexcept;

template <class Tag>
std::string to_string(const strong_id<Tag>& id) {
  return std::string{Tag::prefix} + to_string(id.value);
}
/// Strict: the kind's own prefix and a UUID. Nothing otherwise, also for another kind's id.
template <class Id>
std::optional<Id> parse_id(std::string_view text) noexcept {
  constexpr auto prefix = []<class Tag>(strong_id<Tag>) { return Tag::prefix; }(Id{});
  if (!text.starts_with(prefix))
    return std::nullopt;
  const auto value = parse_uuid(text.substr(prefix.size()));
  return value ? std::optional<Id>{Id{*value}} : std::nullopt;
}

/// Small integers that stand for ids inside rows and messages. Assigned by the database, never shown to users.
using tenant_no = std::int64_t;
using source_no = std::int64_t;
using endpoint_no = std::int64_t;

} // namespace postrider

template <>
struct std::hash<postrider::uuid> {
  std::size_t operator()(const postrider::uuid& id) const noexcept {
    std::uint64_t low = 0; // the random tail of a UUIDv7
    std::memcpy(&low, id.bytes.data() + 8, sizeof low);
    return static_cast<std::size_t>(low * 0x9e3779b97f4a7c15ULL);
  }
};
template <class Tag>
struct std::hash<postrider::strong_id<Tag>> {
  std::size_t operator()(const postrider::strong_id<Tag>& id) const noexcept {
    return std::hash<postrider::uuid>{}(id.value);
  }
};
