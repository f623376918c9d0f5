#pragma once

#include "actors/withdrawal.hpp"
#include "persistence/job_runner.hpp"
#include "tests/persistence/management_fixture.hpp"
#include "tests/persistence/postgres_world.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace postrider::tests {

/// Tenant `acme` with one endpoint, and what people ask of it. Nobody delivers: the rows are as the test makes them.
struct operations_fixture : management_fixture, delivery_withdrawal {
  operations_fixture() { (void)tenant("acme"); }

  void withdraw(withdrawal_ptr what) override {
    for (const auto& each : what->deliveries())
      withdrawn.push_back(each);
  }

  /// The answer of `(operations.*method)("acme", arguments..., done)`, on a store that tells this of withdrawals.
  template <class... Parameters, class... Arguments>
  auto operate(void (operations_store::*method)(Parameters...), Arguments&&... arguments) {
    using answer = answer_of<std::tuple_element_t<sizeof...(Parameters) - 1, std::tuple<Parameters...>>>;
    const auto promise = std::make_shared<std::promise<answer>>();
    auto future = promise->get_future();
    (operations.*method)("acme", std::forward<Arguments>(arguments)...,
                         [promise](answer given) { promise->set_value(std::move(given)); });
    if (future.wait_for(std::chrono::seconds{60}) != std::future_status::ready)
      throw std::runtime_error("the store did not answer");
    return future.get();
  }

  /// As published, one after the other; each must be new.
  std::vector<event_id> publish(std::size_t count, const std::string& type = "invoice.paid") {
    std::vector<new_event> events(count);
    for (auto& each : events) {
      each.type = type;
      each.content_type = "application/json";
      each.payload = R"({"n":1})";
    }
    const auto done = operate(&operations_store::publish, events);
    BOOST_REQUIRE_MESSAGE(done, (done ? "" : done.error().detail));
    std::vector<event_id> out;
    for (const auto& each : *done) {
      BOOST_TEST(!each.duplicate);
      out.push_back(each.id);
    }
    return out;
  }
  std::vector<delivery_id> deliveries() const {
    pqxx::connection connection{url};
    pqxx::nontransaction session{connection};
    std::vector<delivery_id> out;
    for (const auto& row : session.exec("select id from delivery order by event_id, endpoint_no"))
      out.push_back({parse_uuid(row[0].c_str()).value()});
    return out;
  }
  /// As the engine would have left it.
  void become(const delivery_id& id, delivery_state state, const std::string& more = "") const {
    const auto word = std::to_string(static_cast<int>(state));
    const auto column = std::string{to_string(state)};
    const auto due_time = more.find("next_attempt_at") == std::string::npos ? ", next_attempt_at = null" : "";
    sql("with d as (update delivery set state = " + word + ", attempt_count = 1" + due_time + more + " where id = '" +
        to_string(id.value) +
        "' and state = 0 returning tenant_no) insert into tenant_counter"
        " (tenant_no, accepted, pending, in_flight, retry_wait, succeeded, dead, cancelled) select tenant_no, 0, -1, " +
        one_if(column == "in_flight") + one_if(column == "retry_wait") + one_if(column == "succeeded") +
        one_if(column == "dead") + (column == "cancelled" ? "1" : "0") + " from d");
  }
  std::string column(const delivery_id& id, const std::string& name) const {
    return sql("select " + name + " from delivery where id = '" + to_string(id.value) + "'");
  }
  /// I14, and that the counters say what the rows say.
  void check_counters() const {
    BOOST_TEST(
      sql("select string_agg(state || ':' || n, ' ' order by state) from (select state, count(*) n from delivery"
          " group by state) d") ==
      sql(
        "select string_agg(state || ':' || n, ' ' order by state) from (select c.state, sum(c.n) n from tenant_counter,"
        " lateral (values (0, pending), (1, in_flight), (2, retry_wait), (3, succeeded), (4, dead), (5, cancelled))"
        " c (state, n) group by c.state) d where n <> 0"));
    BOOST_TEST(sql("select sum(accepted) - sum(pending + in_flight + retry_wait + succeeded + dead + cancelled)"
                   " from tenant_counter") == "0");
  }
  /// Runs it to its end.
  job_record finish(const new_job& wanted) {
    const auto made = operate(&operations_store::start_job, wanted);
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().detail));
    BOOST_TEST((made->state == job_state::running));
    BOOST_TEST(!made->total.has_value());
    job_runner runner{{url, ears(), milliseconds{5}}, counts};
    runner.start();
    auto now = *made;
    BOOST_REQUIRE(eventually([&] {
      now = operate(&operations_store::get_job, made->id).value();
      return now.state != job_state::running;
    }));
    runner.stop();
    BOOST_TEST((now.state == job_state::done));
    BOOST_TEST(now.error.empty());
    return now;
  }
  operations_ears ears() {
    operations_ears out;
    out.due = [this](tenant_no, endpoint_no no) { due.insert(no); };
    out.withdrawals = this;
    return out;
  }

  std::set<endpoint_no> due; // of the runner's thread, or of the store's; read when these are done
  std::vector<delivery_id> withdrawn;
  management_queue queue{session_options{.url = url, .role = "operations"}, {}, counts};
  postgres_operations_store operations{queue, ears()};

private:
  static std::string one_if(bool holds) { return holds ? "1, " : "0, "; }
};

} // namespace postrider::tests
