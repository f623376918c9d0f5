#pragma once

#include "core/ids.hpp"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace postrider {

/// Deliveries of one endpoint that somebody has asked to cancel, while the database shows them in flight: what only
/// waits for its turn shall not be sent. Travels down the tree to the DELIVERY that may hold them; `done` is called
/// once, when its last holder lets go of it, wherever that is: then nothing of it starts on this node any more, and
/// what could be taken back is committed. So a withdrawal that finds nobody, or whose actor crashes, ends by itself.
class withdrawal {
public:
  withdrawal(tenant_no tenant, endpoint_no endpoint, std::vector<delivery_id> deliveries, std::function<void()> done)
      : tenant_{tenant}, endpoint_{endpoint}, deliveries_{std::move(deliveries)}, done_{std::move(done)} {}
  ~withdrawal() {
    if (done_)
      done_();
  }
  withdrawal(const withdrawal&) = delete;
  withdrawal& operator=(const withdrawal&) = delete;

  [[nodiscard]] tenant_no tenant() const noexcept { return tenant_; }
  [[nodiscard]] endpoint_no endpoint() const noexcept { return endpoint_; }
  [[nodiscard]] const std::vector<delivery_id>& deliveries() const noexcept { return deliveries_; }

private:
  tenant_no tenant_;
  endpoint_no endpoint_;
  std::vector<delivery_id> deliveries_;
  std::function<void()> done_; ///< returns at once, throws nothing
};
using withdrawal_ptr = std::shared_ptr<const withdrawal>;

/// Where the management side asks for it. Thread-safe; returns at once.
class delivery_withdrawal {
public:
  virtual ~delivery_withdrawal() = default;
  virtual void withdraw(withdrawal_ptr what) = 0;
};

} // namespace postrider
