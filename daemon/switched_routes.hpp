#pragma once

#include "net/http_message.hpp"

#include <atomic>
#include <utility>

namespace postrider {

/// A listener's routes that can be exchanged while it runs. Both must live as long as the listener.
class switched_routes final : public http_handler {
public:
  explicit switched_routes(http_handler& first) : current_{&first} {}
  void switch_to(http_handler& next) noexcept { current_.store(&next, std::memory_order_release); }

  head_verdict examine(const request_head& head, std::string_view request_id,
                       std::string_view remote_address) override {
    return current_.load(std::memory_order_acquire)->examine(head, request_id, remote_address);
  }
  std::unique_ptr<http_response> handle(http_call call) override {
    return current_.load(std::memory_order_acquire)->handle(std::move(call));
  }

private:
  std::atomic<http_handler*> current_;
};

} // namespace postrider
