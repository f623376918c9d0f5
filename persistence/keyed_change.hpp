#pragma once

#include "actors/management_store.hpp"
#include "persistence/management_queue.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace pqxx {
class transaction_base;
} // namespace pqxx

/// Changes that are made once for an `Idempotency-Key` (docs/decisions/0008-idempotency-keys.md). The key's row is
/// inserted first in the change's own transaction and gets the answer last: whoever dies in between leaves neither, and
/// a second request waits at the row of the first until that commits (then it has its answer) or does not (then it
/// makes the change itself).
namespace postrider {

/// The keyed request of what this thread asks of the store right now. Restores the one before at its end.
class keyed_scope {
public:
  explicit keyed_scope(keyed_request_ptr request);
  ~keyed_scope();
  keyed_scope(const keyed_scope&) = delete;
  keyed_scope& operator=(const keyed_scope&) = delete;

  /// Nothing: what is asked comes without a key.
  static keyed_request_ptr current();
  /// The same, and what is asked after it comes without.
  static keyed_request_ptr take();

private:
  keyed_request_ptr before_;
};

/// The key's place in one transaction. Without a request nothing happens.
class key_claim {
public:
  key_claim() = default;
  /// `patience`: how long to wait for another transaction that has the key; `usual`: the session's lock timeout.
  key_claim(const keyed_request& request, milliseconds patience, milliseconds usual)
      : request_{&request}, patience_{patience}, usual_{usual} {}

  [[nodiscard]] bool wanted() const noexcept { return request_ != nullptr; }
  /// Takes the key, before anything is changed; 0: that of operators outside of a tenant. Throws `kept_answer` where it
  /// was answered within 24 hours, `refusal` (422 `idempotency-key-reused`, 409 `idempotency-key-in-use`). To be called
  /// before the transaction is confined to a tenant.
  void take(pqxx::transaction_base& transaction, tenant_no tenant);
  /// The answer, before the commit. Throws where `take` has not taken the key.
  void keep(pqxx::transaction_base& transaction, const kept_answer& answer) const;

private:
  const keyed_request* request_ = nullptr;
  milliseconds patience_{}, usual_{};
  tenant_no tenant_ = 0;
};

/// Makes the change and returns what gives its answer.
using keyed_work = std::function<std::function<void()>(pqxx::transaction_base&, key_claim&)>;

/// One call of the management queue: claim, change, answer held, answer kept, commit, answer let go; the connection is
/// shut at the call's deadline, wherever that is. `committed` is called after a commit, before the answer goes.
void run_keyed_change(session& connection, management_call& call, keyed_request& request, const keyed_work& work,
                      const std::function<void()>& committed);

} // namespace postrider
