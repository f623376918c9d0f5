#pragma once

#include "actors/management_store.hpp"
#include "net/api_call.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// `Idempotency-Key` (api.md, "Management API"): for every POST of the API in one place, the router. A route asks the
/// store for its change as ever and answers as ever; the store has that answer made inside the change's transaction and
/// keeps it there (docs/decisions/0008-idempotency-keys.md).
namespace postrider {

inline constexpr std::size_t idempotency_key_size_max = 255;

/// The key of a request's header lines. 400 `idempotency-key-invalid`: empty, longer than 255 bytes, not UTF-8, or with
/// control characters. Nothing: there is none.
result<std::optional<std::string>> read_idempotency_key(std::string_view header_lines);

/// The body without what is shown only once: `secret` and `key` of the object, or of each object of its `data`.
std::string without_shown_once(const std::string& body);

/// A call with a key, as the store sees it. Used by one thread at a time.
class keyed_call final : public keyed_request {
public:
  /// `route`: its pattern. The tenant's own part of the path does not count: its slug or its id may name it.
  keyed_call(api_call_ptr call, std::string key, std::string_view route, bool names_tenant);

  [[nodiscard]] const std::string& key() const noexcept override { return key_; }
  [[nodiscard]] const std::array<std::uint8_t, 32>& fingerprint() const noexcept override { return fingerprint_; }
  std::optional<kept_answer> hold(const std::function<void()>& answer) override;
  void release() override;
  void replay(const kept_answer& earlier) override;
  void fail(const problem& what) override;

private:
  api_call_ptr call_;
  std::string key_;
  std::array<std::uint8_t, 32> fingerprint_;
  std::optional<http_response> held_;
};

/// `handle`, its change made once under that key.
std::function<void(api_call_ptr)> keyed(std::function<void(api_call_ptr)> handle, management_store& store,
                                        std::string key, std::string_view route, bool names_tenant);

} // namespace postrider
