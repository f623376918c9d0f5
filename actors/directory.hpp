#pragma once

#include "actors/interfaces.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace postrider {

/// Which VERIFIER takes the webhooks of `{tenant}/{source}`: the way past NODE and supervisor for traffic that is known
/// already. Supervisors publish and withdraw; io threads look up. A miss is not an answer: NODE then decides, from the
/// database.
class directory {
public:
  void publish(const std::string& tenant, const std::string& source, provider_verifier_actor verifier);
  /// Nothing happens where another VERIFIER is published by now.
  void withdraw(const std::string& tenant, const std::string& source, const caf::actor_addr& verifier);

  /// Calls `use(const provider_verifier_actor&)` when it is known; tells whether it was.
  template <class Use>
  bool with(std::string_view tenant, std::string_view source, Use&& use) const {
    thread_local std::string key; // no allocation per look-up
    make_key(tenant, source, key);
    const std::shared_lock lock{mutex_};
    const auto it = entries_.find(key);
    if (it == entries_.end())
      return false;
    use(it->second);
    return true;
  }
  [[nodiscard]] std::size_t size() const;

private:
  static void make_key(std::string_view tenant, std::string_view source, std::string& key);

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, provider_verifier_actor> entries_;
};

} // namespace postrider
