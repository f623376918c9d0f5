#include "persistence/session.hpp"

#include "persistence/connection_string.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

namespace postrider {

namespace {

std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (text.starts_with("ERROR:"))
    text.remove_prefix(6);
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  return std::string{text};
}

session_failure::kind kind_of(const std::string& sqlstate, std::string_view message) {
  using enum session_failure::kind;
  const auto category = sqlstate.substr(0, 2);
  if (category == "08" || sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "57P03" || sqlstate == "25006")
    return lost; // 25006: a primary that has become a standby; connecting again finds the new one
  // A row outside of all partitions is not the row's fault: maintenance will create them.
  if (sqlstate == "23514" && message.find("no partition") != std::string_view::npos)
    return busy;
  if (category == "22" || category == "23" || category == "54")
    return rejected;
  if (category == "40" || category == "53" || category == "55" || category == "57" || category == "58")
    return busy;
  return mistake;
}

std::string settings_sql(const session_options& options) {
  const auto number = [](milliseconds value) { return std::to_string(value.count()); };
  std::string out =
    "set client_min_messages = error; set timezone = 'UTC'; set bytea_output = hex;"
    // Weaker settings lose acknowledged webhooks with the server; stronger ones (remote_apply) are the operator's.
    "select set_config('synchronous_commit', 'on', false)"
    " where current_setting('synchronous_commit') in ('off', 'local', 'remote_write');"
    "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3;"
    "set tcp_user_timeout = 6000;"
    "set jit = off;" // on a table that was not analyzed yet, compiling took 700 ms for a statement of 5 ms
    "set statement_timeout = " +
    number(options.statement_timeout) + "; set lock_timeout = " + number(options.lock_timeout) +
    "; set idle_in_transaction_session_timeout = " + number(options.idle_in_transaction_timeout) + ";";
  if (options.ends_with_us)
    out += "set client_connection_check_interval = 1000;";
  if (options.pinned_plans)
    // A plan made while the tables are empty would otherwise collapse when they are full. Dear tuples and cheap pages
    // make one descent of an index per row of the batch the cheapest way even then.
    out +=
      "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_bitmapscan = off;"
      "set enable_material = off; set enable_memoize = off; set cpu_tuple_cost = 1; set random_page_cost = 1;"
      "set plan_cache_mode = force_generic_plan;";
  return out;
}

} // namespace

struct session::connection_holder {
  explicit connection_holder(const std::string& dsn) : connection{dsn}, quiet{connection} {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    connection.inhibit_reactivation(true); // deprecated, and the only way
#pragma GCC diagnostic pop
  }
  pqxx::connection connection;
  pqxx::quiet_errorhandler quiet; // notices would go to standard error
};

session::session(session_options options, watchdog& dog, metrics& counts)
    : options_{std::move(options)}, limit_{dog}, metrics_{counts}, lazy_{options_.role == "management"} {
  if (!lazy_)
    metrics_.store_connections_wanted.add(1);
}

session::~session() {
  disconnect();
  if (!lazy_)
    metrics_.store_connections_wanted.add(-1);
}

void session::disconnect() noexcept {
  if (connection_ && std::exchange(counted_, false))
    (lazy_ ? metrics_.management_connections : metrics_.store_connections).add(-1);
  connection_.reset();
}

int session::descriptor() const noexcept {
  return connection_ ? connection_->connection.sock() : -1;
}

int session::backend_pid() const noexcept {
  return connection_ ? connection_->connection.backendpid() : 0;
}

std::optional<session_failure> session::connect() {
  if (connected())
    return std::nullopt;
  const auto dsn = connection_string(options_.url, "postrider " + options_.role, options_.connect_timeout);
  if (!dsn)
    return session_failure{session_failure::kind::mistake, {}, dsn.error().detail};
  try {
    connection_ = std::make_unique<connection_holder>(*dsn); // bounded by connect_timeout
  } catch (const std::exception& error) {
    return session_failure{session_failure::kind::lost, {}, first_line(error.what())};
  }
  auto failure = watched([this](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec(settings_sql(options_));
    for (const auto& each : options_.statements) {
      connection.prepare(each.name, std::string{each.sql});
      connection.prepare_now(each.name);
    }
  });
  if (failure) {
    disconnect();
    return failure;
  }
  counted_ = true;
  (lazy_ ? metrics_.management_connections : metrics_.store_connections).add(1);
  if (std::exchange(ever_connected_, true))
    metrics_.store_reconnects.add();
  return std::nullopt;
}

std::optional<session_failure> session::run(const std::function<void(pqxx::connection_base&)>& work) {
  if (!connected())
    return session_failure{session_failure::kind::lost, {}, "not connected"};
  auto failure = watched(work);
  if (failure && (failure->what == session_failure::kind::lost || !connection_->connection.is_open())) {
    failure->what = session_failure::kind::lost;
    disconnect();
  }
  return failure;
}

std::optional<session_failure> session::watched(const std::function<void(pqxx::connection_base&)>& work) {
  using enum session_failure::kind;
  const watchdog::guard watch{limit_, descriptor(), std::chrono::steady_clock::now() + options_.call_deadline};
  const auto failed = [&](session_failure failure) -> std::optional<session_failure> {
    if (watch.fired()) {
      metrics_.store_call_timeouts.add();
      spdlog::warn("store: call past its deadline, connection shut role={} deadline_ms={}", options_.role,
                   options_.call_deadline.count());
      failure.what = lost;
    }
    return failure;
  };
  try {
    work(connection_->connection);
    return std::nullopt;
  } catch (const pqxx::broken_connection& error) {
    return failed({lost, {}, first_line(error.what())});
  } catch (const pqxx::in_doubt_error& error) {
    return failed({lost, {}, first_line(error.what())});
  } catch (const pqxx::statement_completion_unknown& error) {
    return failed({lost, "40003", first_line(error.what())});
  } catch (const pqxx::deadlock_detected& error) {
    return failed({busy, "40P01", first_line(error.what())});
  } catch (const pqxx::transaction_rollback& error) {
    return failed({busy, "40001", first_line(error.what())});
  } catch (const pqxx::sql_error& error) {
    return failed({kind_of(error.sqlstate(), error.what()), error.sqlstate(), first_line(error.what())});
  } catch (const std::exception& error) {
    return failed({mistake, {}, first_line(error.what())});
  }
}

} // namespace postrider
