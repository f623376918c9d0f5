#pragma once

#include "actors/management_store.hpp"
#include "core/time.hpp"
#include "net/api_call.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
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
  open,      ///< no key
  operator_, ///< operators alone
  admin,     ///< the tenant's own admins (writes, secrets)
  viewer,    ///< the tenant's own keys (reads)
};

/// Decides who calls and whether he may; hands the call on, or answers 401, 403, 404, 429. Thread-safe; never blocks.
class api_auth {
public:
  explicit api_auth(management_store& store) : store_(store) {}

  /// `names_tenant`: the call's first parameter is a tenant. For a tenant's own key it becomes the id, whatever it was.
  void admit(api_call_ptr call, access needed, bool names_tenant, std::function<void(api_call_ptr)> then);

private:
  void refuse(const api_call& call);

  management_store& store_;
  failure_limit failures_;
};

} // namespace postrider
