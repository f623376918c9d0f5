#pragma once

#include "actors/store.hpp"
#include "tests/support/recorded_events.hpp"

#include <array>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// What every implementation of `store` must do, as cases that run on the real one and on the fake.
namespace postrider::tests {

/// A tenant with one source and two endpoints, as the implementation numbered them.
struct conformance_tenant {
  tenant_no no = 0;
  tenant_id id;
  std::string slug;
  std::int64_t version = 0;
  shard_no shard = 0;
  source_no source = 0;
  std::array<endpoint_no, 2> endpoints{};
};

/// A delivery's row as the case looks at it.
struct stored_delivery {
  delivery_state state = delivery_state::pending;
  delivery_reason reason = delivery_reason::none;
  fence under = 0;
  std::uint32_t attempt_count = 0;
  std::uint32_t step = 0;
  delivery_lane lane = delivery_lane::live_medium;
  std::optional<wall_time> next_attempt_at{};
  struct attempt {
    std::uint32_t number = 0;
    attempt_outcome outcome = attempt_outcome::succeeded;
    attempt_reason reason = attempt_reason::none;
  };
  std::vector<attempt> attempts{};
};

/// A store and the world around it, owning all shards.
class store_under_test {
public:
  virtual ~store_under_test() = default;
  virtual store& subject() = 0;
  virtual recorded_events& events() = 0;
  /// Lets the store do what it was asked; the condition is looked at between.
  virtual bool eventually(const std::function<bool()>& condition) = 0;
  virtual wall_time now() = 0;

  virtual conformance_tenant add_tenant() = 0;
  /// Something of its configuration changes: another version.
  virtual void change_tenant(const conformance_tenant& tenant) = 0;
  virtual fence fence_of(shard_no shard) = 0;
  /// Another node takes the shard.
  virtual void lose_lease(shard_no shard) = 0;

  virtual std::optional<stored_delivery> read(delivery_id id) = 0;
  virtual bool has_event(event_id id) = 0;
  /// By state, from the counters and from the deliveries themselves.
  virtual std::array<std::int64_t, delivery_state_count> counters(tenant_no tenant) = 0;
  virtual std::array<std::int64_t, delivery_state_count> counted(tenant_no tenant) = 0;
  virtual void delete_endpoint(const conformance_tenant& tenant, std::size_t index) = 0;
  /// Somebody wishes a delivery that is in flight cancelled.
  virtual void ask_to_cancel(delivery_id id) = 0;
};

struct conformance_case {
  const char* name;
  void (*run)(store_under_test&);
};
std::ostream& operator<<(std::ostream& out, const conformance_case& which);

std::vector<conformance_case> conformance_cases();

/// An item for `tenant` with one delivery for each of its endpoints, `rides` of which bring `under`. Also for other
/// tests of stores.
accept_item_ptr make_accept_item(wall_time now, const conformance_tenant& tenant, const std::string& provider_event_id,
                                 std::size_t rides = 0, fence under = 0);

} // namespace postrider::tests
