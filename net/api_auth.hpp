#pragma once

#include "actors/management_store.hpp"
#include "core/time.hpp"
#include "net/api_call.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace postrider {

/// Counts what failed to identify itself, by address (api.md, "Authentication"): 20 in a minute are told 401, further
/// ones 429; a good key is still let in. At most 4,096 addresses are remembered; the one whose minute began first gives
/// way.
class failure_limit {
public:
  static constexpr std::uint32_t failures_max = 20;
  static constexpr std::chrono::seconds window{60};
  static constexpr std::size_t addresses_max = 4'096;

  /// One more failure; true: over the limit.
  bool note(const std::string& address, mono_time now);

private:
  struct minute {
    mono_time began{};
    std::uint32_t failures = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, minute> minutes_;
};

/// What a route asks of its caller. An operator may do everything.
enum class access : std::uint8_t {
  open,       ///< no key
  operator_,  ///< operators alone
  inspection, ///< operators alone; reads memory only, so it must work while the database is away
  admin,      ///< the tenant's own admins (writes, secrets)
  viewer,     ///< the tenant's own keys (reads)
};

/// Operators whose key the database has confirmed lately. While it is away they may go on looking at the node
/// (`/actors`), and at nothing else: a key revoked during the outage works there until it ends, or for `lifetime`. At
/// most `keys_max` keys; the one confirmed longest ago gives way. Thread-safe.
class confirmed_operators {
public:
  static constexpr std::chrono::minutes lifetime{5};
  static constexpr std::size_t keys_max = 64;

  /// What the database has just said of that key; nothing: there is no such key.
  void note(const api_key_hash& hash, const std::optional<api_key_record>& record, mono_time now);
  [[nodiscard]] std::optional<api_key_record> find(const api_key_hash& hash, mono_time now, wall_time wall);

private:
  struct entry {
    api_key_record record;
    mono_time confirmed_at{};
  };
  std::mutex mutex_;
  std::map<api_key_hash, entry> entries_;
};

/// Decides who calls and whether he may; hands the call on, or answers 401, 403, 404, 429. A disabled tenant's keys are
/// good keys, and may do nothing until it is enabled again: 403 `tenant-disabled`. Thread-safe; never blocks.
/// The store's callbacks reach into it: they must have ended before it goes.
class api_auth {
public:
  explicit api_auth(management_store& store) : store_(store) {}

  /// Before the body is read: the problem of a request that brings no API key where one is needed.
  std::optional<problem> look_at(std::string_view authorization, access needed, std::string_view remote_address);

  /// `names_tenant`: the call's first parameter is a tenant. For a tenant's own key it becomes the id, whatever it was.
  void admit(api_call_ptr call, access needed, bool names_tenant, std::function<void(api_call_ptr)> then);

  [[nodiscard]] management_store& store() const noexcept { return store_; }

private:
  problem unauthorized(std::string_view remote_address);
  void admit(const api_call_ptr& call, const api_key_record& record, access needed, bool names_tenant,
             const std::function<void(api_call_ptr)>& then);

  management_store& store_;
  failure_limit failures_;
  confirmed_operators confirmed_;
  std::atomic<bool> store_away_{false}; ///< what it said last
};

} // namespace postrider
