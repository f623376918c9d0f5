#include "persistence/insecure_key.hpp"

#include "persistence/connection_string.hpp"
#include "persistence/secret_columns.hpp"

#include <pqxx/pqxx>

#include <algorithm>

namespace postrider {

namespace {

constexpr const char* keep_sql =
  "insert into cluster_setting (name, value) values ('insecure_master_key', $1) on conflict (name) do nothing";
constexpr const char* read_sql = "select value from cluster_setting where name = 'insecure_master_key'";

} // namespace

result<secret_key> insecure_master_key(const std::string& url) {
  const auto dsn = connection_string(url, "postrider key", milliseconds{5'000});
  if (!dsn)
    return dsn.error();
  try {
    pqxx::connection connection{*dsn};
    const pqxx::quiet_errorhandler quiet{connection}; // notices would go to standard error
    pqxx::work transaction{connection};
    const auto fresh = make_data_key();
    transaction.exec_params(keep_sql, pqxx::binarystring{fresh.data(), fresh.size()});
    const pqxx::binarystring kept{transaction.exec1(read_sql)[0]};
    transaction.commit();
    secret_key key{};
    if (kept.size() != key.size())
      return problem{500, "insecure-key-failed", "cluster_setting.insecure_master_key does not hold 32 bytes"};
    std::copy(kept.begin(), kept.end(), key.begin());
    return key;
  } catch (const pqxx::broken_connection& error) {
    return store_unavailable(error.what());
  } catch (const std::exception& error) {
    return problem{500, "insecure-key-failed", error.what()};
  }
}

} // namespace postrider
