#include "persistence/ordered_claim.hpp"

#include "persistence/claim_rows.hpp"
#include "persistence/ordered_claim_sql.hpp"
#include "persistence/parameters.hpp"

#include <pqxx/pqxx>

namespace postrider {

namespace {

constexpr int round_page = 256;
constexpr int number_column = 19;
constexpr int key_column = 20;

enum class row_kind : int { claimed = 0, overdue = 2, owned = 3, blocked = 5, round_end = 6 };

binary_array texts(const std::vector<std::string>& all) {
  binary_array out{array_type::text, all.size(), 24};
  for (const auto& each : all)
    out.add(std::string_view{each});
  return out;
}

order_place read_place(const pqxx::row& row) {
  return {row[number_column].as<std::int64_t>(), row[key_column].c_str()};
}

claim_result read_rows(const pqxx::result& rows) {
  claim_result out;
  out.owned = false;
  for (const auto& row : rows) {
    switch (static_cast<row_kind>(row[0].as<int>())) {
    case row_kind::claimed:
      out.claimed.push_back(read_claimed(row));
      out.claimed.back().place = read_place(row);
      break;
    case row_kind::overdue:
      out.overdue_attempts.push_back(read_overdue(row));
      out.overdue_attempts.back().place = read_place(row);
      break;
    case row_kind::owned:
      out.owned = true;
      break;
    case row_kind::blocked:
      out.blocked.push_back({row[key_column].c_str(), read_time_up(row[5])});
      break;
    case row_kind::round_end:
      // The least text above it: keys are compared byte by byte, and no text holds a zero byte.
      out.look_on = std::string{row[key_column].c_str()} + '\x01';
      break;
    }
  }
  return out;
}

} // namespace

std::vector<prepared_sql> ordered_claim_statements() {
  return {{"claim_in_order", ordered_claim_sql}};
}

session_result<claim_result> claim_in_order(session& on, const claim_request& request) {
  const auto& look = *request.order;
  const auto keys = texts(look.keys);
  const auto open_keys = texts(look.open_keys);
  const auto before = request.backoff_before ? std::optional{parameter(*request.backoff_before)} : std::nullopt;
  return on.call([&](pqxx::connection_base& connection) {
    return read_rows(pqxx::nontransaction{connection}.exec_prepared(
      "claim_in_order", request.shard, request.endpoint, request.under, parameter(request.now),
      parameter(request.attempt_deadline), claim_limit_of(request), look.from ? look.from->c_str() : nullptr,
      round_page, parameter(keys), parameter(open_keys), before ? before->c_str() : nullptr, look.run, request.bytes));
  });
}

} // namespace postrider
