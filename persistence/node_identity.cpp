#include "persistence/node_identity.hpp"

#include "persistence/lease_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>

#include <spdlog/spdlog.h>

namespace postrider {

namespace {

constexpr milliseconds look_every{200};

/// What one look at the node's row found.
struct look {
  bool registered = false;
  std::optional<uuid> former{};
  std::int64_t heartbeat_us = 0; ///< of the process that is in the way
};

session_result<bool> hold_incarnation(session& on, const uuid& incarnation) {
  return on.call([&](pqxx::connection_base& connection) {
    return pqxx::nontransaction{connection}.exec_prepared1("hold_incarnation", to_string(incarnation))[0].as<bool>();
  });
}

session_result<void> end_incarnation(session& on, const uuid& incarnation) {
  return on.call([&](pqxx::connection_base& connection) {
    pqxx::nontransaction{connection}.exec_prepared("end_incarnation", to_string(incarnation));
  });
}

session_result<look> try_register(session& on, const node_identity& node, bool again) {
  return on.call([&](pqxx::connection_base& connection) {
    look out;
    pqxx::work transaction{connection};
    transaction.exec_prepared("lock_node_name", node.name);
    const auto rows = transaction.exec_prepared("find_node", node.name);
    if (!rows.empty()) {
      const auto found = read_uuid(rows[0][0]);
      if (found != node.incarnation) {
        out.former = found;
        out.heartbeat_us = rows[0][1].as<std::int64_t>();
        if (again || !transaction.exec_prepared1("incarnation_is_gone", to_string(found))[0].as<bool>())
          return out;
      }
    }
    transaction.exec_prepared("register_node", node.name, to_string(node.incarnation), node.address, node.version);
    transaction.commit();
    out.registered = true;
    return out;
  });
}

} // namespace

std::vector<prepared_sql> identity_statements() {
  return {{"hold_incarnation", hold_incarnation_sql},
          {"incarnation_is_gone", incarnation_is_gone_sql},
          {"end_incarnation", end_incarnation_sql},
          {"lock_node_name", lock_node_name_sql},
          {"find_node", find_node_sql},
          {"register_node", register_node_sql}};
}

registration register_node(session& on, const node_identity& node, milliseconds silence, bool again,
                           const stop_signal& stop) {
  using enum registration::kind;
  std::optional<std::int64_t> first_heartbeat;
  const auto began = std::chrono::steady_clock::now();
  for (;;) {
    const auto held = hold_incarnation(on, node.incarnation);
    if (!held)
      return {failed, {}, held.error()};
    if (!*held) {
      // Our own former backend: the server has not noticed yet that its connection is gone.
      if (const auto ended = end_incarnation(on, node.incarnation); !ended)
        return {failed, {}, ended.error()};
    } else {
      const auto found = try_register(on, node, again);
      if (!found)
        return {failed, {}, found.error()};
      if (found->registered)
        return {registered, found->former, {}};
      if (again)
        return {superseded, found->former, {}};
      if (!first_heartbeat)
        first_heartbeat = found->heartbeat_us;
      if (found->heartbeat_us != *first_heartbeat)
        return {taken, found->former, {}};
      if (std::chrono::steady_clock::now() - began >= silence) {
        spdlog::warn("store: the former process of this node is silent, its session is ended node={}", node.name);
        if (const auto ended = end_incarnation(on, *found->former); !ended)
          return {failed, {}, ended.error()};
      }
    }
    if (stop.wait_for(look_every))
      return {failed, {}, {session_failure::kind::lost, {}, "stopping"}};
  }
}

} // namespace postrider
