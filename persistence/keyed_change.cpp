#include "persistence/keyed_change.hpp"

#include "persistence/management_calls.hpp"
#include "persistence/parameters.hpp"
#include "persistence/tenant_access.hpp"

#include <pqxx/pqxx>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace postrider {
namespace {

constexpr milliseconds patience_max{5'000};  // for the first request of a key
constexpr milliseconds patience_least{50};   // of a call that waited long for a thread
constexpr milliseconds patience_margin{300}; // the refusal comes before the call's own deadline and the statement's

// A row past its 24 hours that maintenance has not deleted yet is taken like a free one. The insert waits where another
// transaction has inserted the same key and not ended.
constexpr const char* take_sql =
  "insert into idempotency_key as kept (tenant_no, key, request_hash) values ($1, $2, $3::bytea)"
  " on conflict (tenant_no, key) do update set request_hash = excluded.request_hash, status = null, response = null,"
  " created_at = clock_timestamp() where kept.created_at < clock_timestamp() - interval '24 hours' returning 1";
constexpr const char* find_sql =
  "select request_hash = $3::bytea as same, status, response from idempotency_key where tenant_no = $1 and key = $2";
constexpr const char* keep_sql =
  "update idempotency_key set status = $3, response = $4::bytea where tenant_no = $1 and key = $2";

thread_local keyed_request_ptr current_request;

[[noreturn]] void refuse_in_use() {
  refuse({409, "idempotency-key-in-use", "the first request with this Idempotency-Key is still being carried out"});
}

bool gave_up_waiting(const pqxx::sql_error& error) {
  return error.sqlstate() == "55P03" || error.sqlstate() == "57014"; // lock_timeout, statement_timeout
}

milliseconds patience_of(const session& connection, const management_call& call) {
  const auto left =
    std::chrono::duration_cast<milliseconds>(call.deadline - std::chrono::steady_clock::now()) - patience_margin;
  const auto statement = connection.options().statement_timeout - patience_margin;
  return std::max(std::min({left, statement, patience_max}), patience_least);
}

/// What a call of that request has come to.
struct keyed_end {
  bool committed = false;               ///< else: rolled back, or nothing was done
  std::optional<kept_answer> earlier{}; ///< of the first request
};

/// From the claim of the answer to the commit nobody answers for the call: it ends at its own deadline, as it would
/// without a key. The session's is counted from when it began to run.
class own_deadline {
public:
  own_deadline(session& connection, const management_call& call)
      : connection_{connection}, usual_{connection.options().call_deadline} {
    const auto left = std::chrono::ceil<milliseconds>(call.deadline - std::chrono::steady_clock::now());
    connection_.set_call_deadline(std::clamp(left, milliseconds{1}, usual_));
  }
  ~own_deadline() { connection_.set_call_deadline(usual_); }
  own_deadline(const own_deadline&) = delete;
  own_deadline& operator=(const own_deadline&) = delete;

private:
  session& connection_;
  const milliseconds usual_;
};

/// `answers`: becomes true once the answer is ours to give.
result<keyed_end> carry_out(session& connection, management_call& call, keyed_request& request, const keyed_work& work,
                            bool& answers) {
  const own_deadline until{connection, call};
  auto outcome = connection.call([&](pqxx::connection_base& raw) -> result<keyed_end> {
    try {
      pqxx::work transaction{raw};
      key_claim claim{request, patience_of(connection, call), connection.options().lock_timeout};
      const auto answer = work(transaction, claim);
      answers = call.claim_answer();
      if (!answers) // the caller was told 503 already: nothing shall have happened
        return store_unavailable();
      const auto kept = request.hold(answer);
      if (!kept)
        return keyed_end{};
      claim.keep(transaction, *kept);
      transaction.commit();
      return keyed_end{true, {}};
    } catch (const kept_answer& earlier) {
      return keyed_end{false, earlier};
    } catch (const refusal& refused) {
      return refused.what;
    }
  });
  if (!outcome)
    return problem_of(outcome.error());
  return std::move(*outcome);
}

void tell(keyed_request& request, const result<keyed_end>& end) {
  if (!end)
    request.fail(end.error());
  else if (end->earlier)
    request.replay(*end->earlier);
  else
    request.release();
}

} // namespace

keyed_scope::keyed_scope(keyed_request_ptr request) : before_{std::exchange(current_request, std::move(request))} {}
keyed_scope::~keyed_scope() {
  current_request = std::move(before_);
}
keyed_request_ptr keyed_scope::current() {
  return current_request;
}
keyed_request_ptr keyed_scope::take() {
  return std::exchange(current_request, nullptr);
}

void key_claim::take(pqxx::transaction_base& transaction, tenant_no tenant) {
  if (!request_)
    return;
  tenant_ = tenant;
  const auto& print = request_->fingerprint();
  const pqxx::binarystring hash{print.data(), print.size()};
  transaction.exec("set local lock_timeout = " + std::to_string(patience_.count()));
  try {
    if (!transaction.exec_params(take_sql, tenant, request_->key(), hash).empty()) {
      transaction.exec("set local lock_timeout = " + std::to_string(usual_.count()));
      return;
    }
  } catch (const pqxx::sql_error& error) {
    if (gave_up_waiting(error))
      refuse_in_use();
    throw;
  }
  const auto rows = transaction.exec_params(find_sql, tenant, request_->key(), hash);
  if (rows.empty() || rows[0]["status"].is_null()) // deleted by maintenance just now: the next try finds it free
    refuse_in_use();
  if (!rows[0]["same"].as<bool>())
    refuse({422, "idempotency-key-reused", "this Idempotency-Key was used for another request"});
  throw kept_answer{rows[0]["status"].as<int>(), read_bytes(rows[0]["response"])};
}

void key_claim::keep(pqxx::transaction_base& transaction, const kept_answer& answer) const {
  const auto kept =
    transaction.exec_params(keep_sql, tenant_, request_->key(), answer.status, pqxx::binarystring{answer.body});
  if (kept.affected_rows() != 1) // a change whose answer is kept nowhere would be made again
    throw std::logic_error("the answer of an Idempotency-Key found no row");
}

void run_keyed_change(session& connection, management_call& call, keyed_request& request, const keyed_work& work,
                      const std::function<void()>& committed) {
  bool answers = false;
  const auto answer_is_ours = [&] { return answers || call.claim_answer(); };
  try {
    const auto end = carry_out(connection, call, request, work, answers);
    if (end && end->committed)
      committed();
    if (answer_is_ours())
      tell(request, end);
  } catch (const std::exception& error) {
    if (answer_is_ours())
      request.fail(internal_error(error));
  }
}

} // namespace postrider
