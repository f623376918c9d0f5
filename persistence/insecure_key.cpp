#include "persistence/insecure_key.hpp"

#include "persistence/command_session.hpp"
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
  command_session on{url, "key"};
  if (auto failure = on.connect())
    return std::move(*failure);
  const auto kept = on.call([](pqxx::connection_base& connection) {
    pqxx::work transaction{connection};
    const auto fresh = make_data_key();
    transaction.exec_params(keep_sql, pqxx::binarystring{fresh.data(), fresh.size()});
    const pqxx::binarystring found{transaction.exec1(read_sql)[0]};
    transaction.commit();
    return std::string{found.get(), found.size()};
  });
  if (!kept)
    return problem_of(kept.error(), "insecure-key-failed");
  secret_key key{};
  if (kept->size() != key.size())
    return problem{500, "insecure-key-failed", "cluster_setting.insecure_master_key does not hold 32 bytes"};
  std::copy(kept->begin(), kept->end(), key.begin());
  return key;
}

} // namespace postrider
