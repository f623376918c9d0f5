#pragma once

#include "actors/management_store.hpp"
#include "persistence/keyed_change.hpp"
#include "persistence/management_queue.hpp"
#include "persistence/tenant_access.hpp"

#include <pqxx/pqxx>

#include <exception>
#include <memory>
#include <string>
#include <utility>

/// How a function over a transaction becomes a call of the management store. Include it in .cpp files only: it brings
/// all of libpqxx.
namespace postrider {

/// What a caller is told of a failed session: 503 where it may try again, 422 where PostgreSQL refuses a value, 500 for
/// our mistakes (whose detail is logged, not told).
problem problem_of(const session_failure& failure);

/// 500; what was thrown is logged, not told.
problem internal_error(const std::exception& thrown);

/// An exception that nobody foresaw costs its call an answer of 500, not the process its life.
template <class T, class F>
result<T> guarded(F& work, session& connection) {
  try {
    return work(connection);
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

/// What the caller throws while it takes an answer ends here: it is told once more, of the error.
template <class T>
void answer_with(const reply<T>& answer, result<T> out) {
  try {
    answer(std::move(out));
  } catch (const std::exception& error) {
    answer(internal_error(error));
  }
}

/// `work(session&) -> result<T>` on a worker; `done` gets its result, or the problem that kept it from being run or
/// finished in time. What `done` asks of the store in turn comes with the key of whoever asks now.
template <class T, class F>
void post_call(management_queue& queue, reply<T> done, F work, call_turn turn = {}) {
  const auto answer = std::make_shared<reply<T>>(std::move(done));
  const auto call = std::make_shared<management_call>();
  call->turn = std::move(turn);
  call->fail = [answer](problem what) { (*answer)(std::move(what)); };
  call->run = [answer, work = std::move(work), request = keyed_scope::current()](session& connection,
                                                                                 management_call& self) mutable {
    auto out = guarded<T>(work, connection);
    const keyed_scope scope{std::move(request)};
    if (self.claim_answer())
      answer_with(*answer, std::move(out));
  };
  if (!queue.post(call))
    (*answer)(problem{503, "overloaded", "too many requests wait for the database", {}, std::chrono::seconds{1}});
}

/// `work(pqxx::transaction_base&) -> T` in one transaction, committed before this returns; a `refusal` rolls it back.
template <class T, class Transaction, class F>
result<T> transact(session& connection, F& work) {
  auto outcome = connection.call([&](pqxx::connection_base& raw) -> result<T> {
    try {
      Transaction transaction{raw};
      T out = work(transaction);
      transaction.commit();
      return out;
    } catch (const refusal& refused) {
      return refused.what;
    }
  });
  if (!outcome)
    return problem_of(outcome.error());
  return std::move(*outcome);
}

/// All that a call reads is of one moment.
using snapshot = pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>;

/// A call that only reads, confined to `tenant`: `work(transaction, entered_tenant) -> T`.
template <class T, class F>
void post_read(management_queue& queue, std::string tenant, reply<T> done, F work, call_kind kind = call_kind::usual) {
  call_turn turn{tenant, kind};
  post_call<T>(
    queue, std::move(done),
    [tenant = std::move(tenant), work = std::move(work)](session& connection) mutable {
      auto confined = [&](pqxx::transaction_base& transaction) {
        return work(transaction, enter_tenant(transaction, tenant, access::read));
      };
      return transact<T, snapshot>(connection, confined);
    },
    std::move(turn));
}

/// `work(transaction, key_claim&) -> T` in one transaction, which it begins by taking the claim; `committed()` after
/// it. Every change goes through here, so that every one can be made under a key.
template <class T, class Work, class Committed>
void post_transaction(management_queue& queue, reply<T> done, Work work, Committed committed, call_turn turn = {}) {
  auto request = keyed_scope::take();
  if (!request)
    return post_call<T>(
      queue, std::move(done),
      [work = std::move(work), committed = std::move(committed)](session& connection) mutable {
        key_claim none;
        auto unkeyed = [&](pqxx::transaction_base& transaction) { return work(transaction, none); };
        auto out = transact<T, pqxx::work>(connection, unkeyed);
        if (out)
          committed();
        return out;
      },
      std::move(turn));
  const auto answer = std::make_shared<reply<T>>(std::move(done));
  const auto call = std::make_shared<management_call>();
  call->turn = std::move(turn);
  call->fail = [answer](problem what) { (*answer)(std::move(what)); };
  call->run = [answer, request = std::move(request), work = std::move(work),
               committed = std::move(committed)](session& connection, management_call& self) mutable {
    const keyed_work keyed = [&](pqxx::transaction_base& transaction, key_claim& claim) -> std::function<void()> {
      return [answer, out = std::make_shared<T>(work(transaction, claim))] { (*answer)(std::move(*out)); };
    };
    run_keyed_change(connection, self, *request, keyed, committed);
  };
  if (!queue.post(call))
    (*answer)(problem{503, "overloaded", "too many requests wait for the database", {}, std::chrono::seconds{1}});
}

/// A change within a tenant, confined to it: `work(transaction, entered_tenant) -> T`; `committed(tenant_no)` after it.
template <class T, class Work, class Committed>
void post_tenant_transaction(management_queue& queue, std::string tenant, access as, reply<T> done, Work work,
                             Committed committed) {
  const auto no = std::make_shared<tenant_no>(0);
  call_turn turn{tenant, call_kind::usual};
  post_transaction<T>(
    queue, std::move(done),
    [no, as, tenant = std::move(tenant), work = std::move(work)](pqxx::transaction_base& transaction,
                                                                 key_claim& claim) mutable {
      if (claim.wanted())
        claim.take(transaction, *no = find_tenant(transaction, tenant));
      // While the claim waited, the slug may have become another tenant's: the key and the change are of the same one.
      const auto entered = claim.wanted() ? enter_tenant(transaction, *no, as) : enter_tenant(transaction, tenant, as);
      *no = entered.no;
      return work(transaction, entered);
    },
    [no, committed = std::move(committed)] { committed(*no); }, std::move(turn));
}

/// A change of a tenant's configuration: `work(transaction, entered_tenant) -> T`. `changed` is told of it once it is
/// committed.
template <class T, class F>
void post_change(management_queue& queue, std::string tenant, const std::function<void(tenant_no)>& changed,
                 reply<T> done, F work) {
  post_tenant_transaction<T>(queue, std::move(tenant), access::write, std::move(done), std::move(work),
                             [&changed](tenant_no no) {
                               if (changed)
                                 changed(no);
                             });
}

} // namespace postrider
