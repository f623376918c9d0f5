#include "actors/directory.hpp"

#include "actors/engine_context.hpp"

namespace postrider {

void directory::make_key(std::string_view tenant, std::string_view source, std::string& key) {
  key.assign(tenant);
  key += '/'; // neither segment can hold one
  key += source;
}

void directory::publish(const std::string& tenant, const std::string& source, provider_verifier_actor verifier) {
  std::string key;
  make_key(tenant, source, key);
  const std::unique_lock lock{mutex_};
  entries_.insert_or_assign(std::move(key), std::move(verifier));
}

void directory::withdraw(const std::string& tenant, const std::string& source, const caf::actor_addr& verifier) {
  std::string key;
  make_key(tenant, source, key);
  const std::unique_lock lock{mutex_};
  if (const auto found = entries_.find(key); found != entries_.end() && found->second.address() == verifier)
    entries_.erase(found);
}

std::size_t directory::size() const {
  const std::shared_lock lock{mutex_};
  return entries_.size();
}

chance::chance()
    : engine_([] {
      std::random_device device;
      std::seed_seq seeds{device(), device(), device(), device()};
      return std::mt19937_64{seeds};
    }()) {}

uuid chance::next_id(wall_time at) noexcept {
  const std::uint64_t high = engine_();
  const std::uint64_t low = engine_();
  std::array<std::uint8_t, 10> random{};
  std::memcpy(random.data(), &high, 8);
  std::memcpy(random.data() + 8, &low, 2);
  return make_uuid_v7(at, random);
}

} // namespace postrider
