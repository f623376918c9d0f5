#include "persistence/retention.hpp"

#include "persistence/maintenance_steps.hpp"
#include "persistence/parameters.hpp"
#include "persistence/retention_sql.hpp"

#include <spdlog/spdlog.h>

#include <vector>

namespace postrider {

namespace {

constexpr std::int64_t batch_rows = 2'000; // as the statements say
constexpr int batches_max = 500;           // of each kind in one round

/// A step either has a value or is noted as the first failure; the others go on.
class round_of {
public:
  round_of(session& on, const retention_policy& policy, wall_time now, retention_round& done)
      : on_{on}, now_{to_rfc3339(now)}, days_max_{policy.days_max}, done_{done} {
    plans_ = "{";
    for (const auto& [name, quotas] : policy.plans) // names are of [a-z0-9-]
      if (quotas.retention_days)
        plans_ += (plans_.size() > 1 ? ",\"" : "\"") + name + "\":" + std::to_string(*quotas.retention_days);
    plans_ += "}";
  }

  std::optional<session_failure> run() {
    const auto mine = one<bool>(begin_retention_sql);
    if (!mine || !*mine)
      return first_;
    warn();
    expire();
    delete_shorter();
    if (const auto longest = one<std::int64_t>(longest_retention_sql, plans_, days_max_)) {
      detach(*longest);
      drop(*longest);
    }
    if (on_.connected())
      one<bool>(end_retention_sql); // a connection that is lost has lost the lock
    return first_;
  }

private:
  template <class T>
  std::optional<T> note(session_result<T> result) {
    if (result)
      return std::move(*result);
    if (!first_)
      first_ = result.error();
    return std::nullopt;
  }
  bool note(const session_result<void>& result) {
    if (!result && !first_)
      first_ = result.error();
    return result.has_value();
  }
  template <class... Parameters>
  std::optional<pqxx::result> rows(std::string_view sql, const Parameters&... parameters) {
    return note(on_.call([&](pqxx::connection_base& connection) {
      return pqxx::nontransaction{connection}.exec_params(std::string{sql}, parameters...);
    }));
  }
  template <class T, class... Parameters>
  std::optional<T> one(std::string_view sql, const Parameters&... parameters) {
    const auto found = rows(sql, parameters...);
    return found ? std::optional{(*found)[0][0].template as<T>()} : std::nullopt;
  }
  /// Until a batch is not full: `step` answers its size, or nothing after a failure.
  template <class Step>
  std::int64_t in_batches(Step step) {
    std::int64_t all = 0;
    for (int batch = 0; batch < batches_max; ++batch) {
      const std::optional<std::int64_t> size = step();
      all += size.value_or(0);
      if (size.value_or(0) < batch_rows)
        break;
    }
    return all;
  }

  void warn() {
    if (const auto opened = rows(warn_of_expiry_sql, plans_, days_max_, now_))
      done_.alerts = static_cast<std::int64_t>(opened->affected_rows());
    if (done_.alerts > 0)
      spdlog::warn("store: deliveries expire within a day, alerts opened endpoints={}", done_.alerts);
  }

  void expire() {
    done_.expired = in_batches([this]() -> std::optional<std::int64_t> {
      const auto found = rows(expire_deliveries_sql, plans_, days_max_, now_);
      if (!found)
        return std::nullopt;
      std::int64_t sum = 0;
      for (const auto& row : *found)
        sum += row[0].as<std::int64_t>();
      return sum;
    });
    if (done_.expired > 0)
      spdlog::warn("store: live deliveries were kept long enough and are dead count={}", done_.expired);
  }

  void delete_shorter() {
    const auto tenants = rows(shorter_retentions_sql, plans_, days_max_, now_);
    if (!tenants)
      return;
    for (const auto& row : *tenants) {
      const auto tenant = row[0].as<std::int64_t>();
      const std::string before = row[1].c_str();
      const std::string events_before = row[2].c_str();
      done_.deliveries += in_batches([&] { return one<std::int64_t>(delete_deliveries_sql, tenant, before); });
      if (one<bool>(has_old_live_sql, tenant, before).value_or(true))
        continue; // its request runs: the next round
      done_.events += in_batches([&]() -> std::optional<std::int64_t> {
        const auto gone = rows(delete_events_sql, tenant, events_before);
        return gone ? std::optional{static_cast<std::int64_t>(gone->affected_rows())} : std::nullopt;
      });
    }
    if (done_.deliveries + done_.events > 0)
      spdlog::info("store: rows of shorter retentions deleted deliveries={} events={}", done_.deliveries, done_.events);
  }

  void detach(std::int64_t days) {
    const auto expired = rows(expired_partitions_sql, days, now_);
    if (!expired)
      return;
    std::string held_up; // the day whose deliveries stay; of it nothing else may go
    for (const auto& row : *expired) {
      const std::string parent = row[0].c_str();
      const std::string name = row[1].c_str();
      const auto day = name.substr(name.size() - 8);
      if (day == held_up)
        continue;
      if (parent == "event" && !rows(delete_stragglers_sql, row[3].c_str(), row[4].c_str()))
        continue; // their events stay until they have gone
      if (!note(detach_partition(on_, parent, name, row[2].as<bool>())) && parent == "delivery")
        held_up = day;
    }
  }

  void drop(std::int64_t days) {
    const auto detached = rows(detached_partitions_sql, days, now_);
    if (!detached)
      return;
    for (const auto& row : *detached) {
      const std::string name = row[0].c_str();
      const auto dropped = on_.call([&](pqxx::connection_base& connection) {
        pqxx::work transaction{connection};
        const auto quoted = connection.quote_name(name);
        if (name.starts_with("delivery_"))
          transaction.exec(std::string{count_last_live_sql_before} + quoted + std::string{count_last_live_sql_after});
        transaction.exec("drop table " + quoted);
        transaction.commit();
      });
      if (!note(dropped))
        continue;
      ++done_.partitions;
      spdlog::info("store: expired partition dropped table={}", name);
    }
  }

  session& on_;
  const std::string now_;
  const std::int64_t days_max_;
  retention_round& done_;
  std::string plans_;
  std::optional<session_failure> first_;
};

} // namespace

std::optional<session_failure> retain(session& on, const retention_policy& policy, std::optional<wall_time> now,
                                      retention_round* done) {
  if (!now) {
    const auto read = on.call([](pqxx::connection_base& connection) {
      return read_time(pqxx::nontransaction{connection}.exec1(std::string{database_time_sql})[0]);
    });
    if (!read)
      return read.error();
    now = *read;
  }
  retention_round own;
  return round_of{on, policy, *now, done != nullptr ? *done : own}.run();
}

} // namespace postrider
