#include "persistence/operations_store.hpp"

#include "persistence/delivery_operations.hpp"
#include "persistence/delivery_repository.hpp"
#include "persistence/endpoint_operations.hpp"
#include "persistence/job_repository.hpp"
#include "persistence/management_calls.hpp"
#include "persistence/publish_repository.hpp"
#include "persistence/stats_repository.hpp"

#include <future>
#include <map>

namespace postrider {
namespace {

/// What a change leaves for after its commit: made by the work, read by `committed`.
template <class T>
std::shared_ptr<T> shared_note() {
  return std::make_shared<T>();
}

/// Asks to take back what only waits for its turn in memory, and waits until that is committed.
void withdraw(delivery_withdrawal* from, tenant_no tenant, const std::vector<cancelled_delivery>& cancelled) {
  if (from == nullptr)
    return;
  std::map<endpoint_no, std::vector<delivery_id>> by_endpoint;
  for (const auto& each : cancelled)
    if (each.running)
      by_endpoint[each.endpoint].push_back(each.id);
  const auto until = std::chrono::steady_clock::now() + postgres_operations_store::withdrawal_max;
  std::vector<std::future<void>> ends;
  for (auto& [endpoint, ids] : by_endpoint) {
    const auto ended = std::make_shared<std::promise<void>>();
    ends.push_back(ended->get_future());
    from->withdraw(
      std::make_shared<const withdrawal>(tenant, endpoint, std::move(ids), [ended] { ended->set_value(); }));
  }
  for (const auto& each : ends)
    each.wait_until(until);
}

using endpoint_work = endpoint_record (*)(pqxx::transaction_base&, const entered_tenant&, const endpoint_id&);

void change_endpoint(management_queue& queue, const operations_ears& ears, std::string tenant, endpoint_id id,
                     endpoint_work work, reply<endpoint_record> done) {
  post_change<endpoint_record>(
    queue, std::move(tenant), ears.configuration_changed, std::move(done),
    [id, work](pqxx::transaction_base& transaction, const entered_tenant& in) { return work(transaction, in, id); });
}

/// The tenant is found, the delivery changed, and what is in memory withdrawn before the answer, which then tells what
/// has become of it. (Under a key the answer is made before the commit: 202.)
result<delivery_record> cancel_and_look(session& on, const std::string& tenant, const delivery_id& id,
                                        delivery_withdrawal* withdrawals) {
  tenant_no no = 0;
  auto cancel = [&](pqxx::transaction_base& transaction) {
    const auto in = enter_tenant(transaction, tenant, access::read);
    no = in.no;
    return postrider::cancel_delivery(transaction, in, id);
  };
  auto done = transact<changed_delivery, pqxx::work>(on, cancel);
  if (!done)
    return done.error();
  if (is_final(done->record.state))
    return std::move(done->record);
  withdraw(withdrawals, no, {{id, done->endpoint, true}});
  auto look = [&](pqxx::transaction_base& transaction) {
    return postrider::get_delivery(transaction, enter_tenant(transaction, no, access::read), id);
  };
  auto now = transact<delivery_record, snapshot>(on, look);
  return now ? std::move(now)
             : result<delivery_record>{std::move(done->record)}; // it is committed, whatever came after
}

} // namespace

void postgres_operations_store::tell_due(tenant_no tenant, const std::vector<endpoint_no>& endpoints) const {
  if (ears_.due)
    for (const auto each : endpoints)
      ears_.due(tenant, each);
}

void postgres_operations_store::pause_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) {
  change_endpoint(queue_, ears_, std::move(tenant), id, postrider::pause_endpoint, std::move(done));
}

void postgres_operations_store::resume_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) {
  change_endpoint(queue_, ears_, std::move(tenant), id, postrider::resume_endpoint, std::move(done));
}

void postgres_operations_store::reset_breaker(std::string tenant, endpoint_id id, reply<endpoint_record> done) {
  change_endpoint(queue_, ears_, std::move(tenant), id, postrider::reset_breaker, std::move(done));
}

void postgres_operations_store::test_endpoint(std::string tenant, endpoint_id id, reply<event_id> done) {
  const auto made = shared_note<made_test>();
  post_tenant_transaction<event_id>(
    queue_, std::move(tenant), access::read, std::move(done),
    [id, made](pqxx::transaction_base& transaction, const entered_tenant& in) {
      *made = postrider::test_endpoint(transaction, in, id);
      return made->event;
    },
    [this, made](tenant_no no) { tell_due(no, {made->endpoint}); });
}

void postgres_operations_store::retry_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) {
  const auto endpoint = shared_note<endpoint_no>();
  post_tenant_transaction<delivery_record>(
    queue_, std::move(tenant), access::read, std::move(done),
    [id, endpoint](pqxx::transaction_base& transaction, const entered_tenant& in) {
      auto out = postrider::retry_delivery(transaction, in, id);
      *endpoint = out.endpoint;
      return std::move(out.record);
    },
    [this, endpoint](tenant_no no) { tell_due(no, {*endpoint}); });
}

void postgres_operations_store::cancel_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) {
  if (!keyed_scope::current()) {
    call_turn turn{tenant, call_kind::usual};
    return post_call<delivery_record>(
      queue_, std::move(done),
      [this, tenant = std::move(tenant), id](session& on) {
        return cancel_and_look(on, tenant, id, ears_.withdrawals);
      },
      std::move(turn));
  }
  const auto cancelled = shared_note<cancelled_delivery>();
  post_tenant_transaction<delivery_record>(
    queue_, std::move(tenant), access::read, std::move(done),
    [id, cancelled](pqxx::transaction_base& transaction, const entered_tenant& in) {
      auto out = postrider::cancel_delivery(transaction, in, id);
      *cancelled = {id, out.endpoint, !is_final(out.record.state)};
      return std::move(out.record);
    },
    [this, cancelled](tenant_no no) { withdraw(ears_.withdrawals, no, {*cancelled}); });
}

void postgres_operations_store::start_job(std::string tenant, new_job job, reply<job_record> done) {
  post_tenant_transaction<job_record>(
    queue_, std::move(tenant), access::read, std::move(done),
    [job = std::move(job)](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::start_job(transaction, in, job);
    },
    [](tenant_no) {});
}

void postgres_operations_store::get_job(std::string tenant, job_id id, reply<job_record> done) {
  post_read<job_record>(queue_, std::move(tenant), std::move(done),
                        [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
                          return postrider::get_job(transaction, in, id);
                        });
}

void postgres_operations_store::erase_event(std::string tenant, event_id id, reply<event_record> done) {
  const auto cancelled = shared_note<std::vector<cancelled_delivery>>();
  post_tenant_transaction<event_record>(
    queue_, std::move(tenant), access::read, std::move(done),
    [id, cancelled](pqxx::transaction_base& transaction, const entered_tenant& in) {
      auto out = postrider::erase_event(transaction, in, id);
      *cancelled = std::move(out.cancelled);
      return std::move(out.record);
    },
    [this, cancelled](tenant_no no) { withdraw(ears_.withdrawals, no, *cancelled); });
}

void postgres_operations_store::publish(std::string tenant, std::vector<new_event> events,
                                        reply<std::vector<published_event>> done) {
  const auto due = shared_note<std::vector<endpoint_no>>();
  post_tenant_transaction<std::vector<published_event>>(
    queue_, std::move(tenant), access::read, std::move(done),
    [due, events = std::move(events)](pqxx::transaction_base& transaction, const entered_tenant& in) {
      auto out = postrider::publish(transaction, in, events);
      *due = std::move(out.due);
      return std::move(out.events);
    },
    [this, due](tenant_no no) { tell_due(no, *due); });
}

void postgres_operations_store::get_stats(std::string tenant, std::optional<wall_time> since,
                                          reply<tenant_stats> done) {
  post_read<tenant_stats>(
    queue_, std::move(tenant), std::move(done),
    [since](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::get_stats(transaction, in, since);
    },
    call_kind::search);
}

} // namespace postrider
