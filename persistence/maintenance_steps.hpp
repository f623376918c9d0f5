#pragma once

#include "persistence/session.hpp"

#include <pqxx/pqxx>

#include <string>
#include <utility>

/// What the long rounds of the maintenance session share. Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

/// `name` is that of a partition of ours: letters, digits and underscores.
inline session_result<void> run_on(session& on, const std::string& before, const std::string& name,
                                   const std::string& after) {
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec(before + connection.quote_name(name) + after);
  });
}

/// `work` without that timeout of the session's.
template <class F>
session_result<void> without_timeout(session& on, const std::string& timeout, F&& work) {
  const auto set = [&](const std::string& value) {
    return on.call([&](pqxx::connection_base& connection) {
      pqxx::nontransaction{connection}.exec("set " + timeout + " = " + value);
    });
  };
  const auto usual = timeout == "lock_timeout" ? on.options().lock_timeout : on.options().statement_timeout;
  if (const auto lifted = set("0"); !lifted)
    return lifted;
  auto done = std::forward<F>(work)();
  if (!on.connected())
    return done; // a new connection has the usual settings
  const auto restored = set(std::to_string(usual.count()));
  return done ? restored : done;
}

/// Concurrently: it waits for old transactions without holding up new ones, for as long as that takes. Cut short in
/// between it stays half done (`pending`), and no other partition of that table can be detached until it is finished.
inline session_result<void> detach_partition(session& on, const std::string& parent, const std::string& name,
                                             bool pending) {
  return without_timeout(on, "lock_timeout", [&] {
    return run_on(on, "alter table " + parent + " detach partition ", name, pending ? " finalize" : " concurrently");
  });
}

} // namespace postrider
