#include "tests/persistence/postgres_world.hpp"

#include "persistence/parameters.hpp"
#include "persistence/random_id.hpp"
#include "persistence/secret_columns.hpp"

#include <boost/test/unit_test.hpp>

#include <poll.h>

#include <algorithm>

namespace postrider::tests {

bool eventually(const std::function<bool()>& condition, milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= until)
      return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

postgres_world::postgres_world(options chosen) : url_{std::move(chosen.url)} {
  auto& server = chosen.server != nullptr ? *chosen.server : postgres_fixture::instance();
  if (url_.empty())
    url_ = server.fresh_database();
  master_key_.fill(7);
  beside_ = std::make_unique<pqxx::connection>(url_);
  postgres_store_options wanted;
  wanted.url = url_;
  wanted.node_name = chosen.node;
  wanted.lease_ttl = chosen.lease_ttl;
  wanted.master_keys = {master_key_};
  wanted.counts = counts;
  wanted.clock = clock;
  wanted.trust = trust;
  store_ = std::make_unique<postgres_store>(std::move(wanted), events_);
  if (chosen.start) {
    BOOST_REQUIRE(start().has_value());
    BOOST_REQUIRE(wait_until_ready());
  }
}

postgres_world::~postgres_world() = default;

result<void> postgres_world::start() {
  return store_->start();
}

bool postgres_world::wait_until_ready() {
  return tests::eventually([this] { return events_.available() && events_.held().size() == shard_count; });
}

pqxx::result postgres_world::sql(const std::string& statement) {
  return pqxx::nontransaction{*beside_}.exec(statement);
}

void postgres_world::reconnect() {
  beside_ = std::make_unique<pqxx::connection>(url_);
}

std::vector<int> postgres_world::backends(const std::string& role) {
  std::vector<int> out;
  for (const auto& row :
       sql("select pid from pg_stat_activity where datname = current_database() and application_name = 'postrider " +
           role + "'"))
    out.push_back(row[0].as<int>());
  return out;
}

conformance_tenant postgres_world::add_tenant() {
  conformance_tenant out;
  ++tenants_;
  out.id = {random_id(now())};
  out.slug = "tenant-" + std::to_string(tenants_);
  out.shard = static_cast<shard_no>(tenants_ % shard_count);
  const auto data_key = make_data_key();
  const source_id source{random_id(now())};
  pqxx::work transaction{*beside_};
  const auto tenant = transaction.exec_params1("insert into tenant (id, slug, name, shard, data_key) values ($1::uuid, "
                                               "$2, $2, $3, $4::bytea) returning no, config_version",
                                               to_string(out.id.value), out.slug, out.shard,
                                               pqxx::binarystring{seal_data_key(master_key_, out.id, data_key)});
  out.no = tenant[0].as<std::int64_t>();
  out.version = tenant[1].as<std::int64_t>();
  out.source = transaction
                 .exec_params1("insert into source (id, tenant_no, name, provider, scheme)"
                               " values ($1::uuid, $2, 'github', 'github', 'github') returning no",
                               to_string(source.value), out.no)[0]
                 .as<std::int64_t>();
  transaction.exec_params(
    "insert into source_secret (source_no, ordinal, tenant_no, sealed) values ($1, 1, $2, $3::bytea)", out.source,
    out.no, pqxx::binarystring{seal_column(data_key, "source secret", source_secret_associated_data(source, 1))});
  for (auto& each : out.endpoints) {
    const endpoint_id id{random_id(now())};
    each = transaction
             .exec_params1(
               "insert into endpoint (id, tenant_no, url) values ($1::uuid, $2, 'http://127.0.0.1:9/') returning no",
               to_string(id.value), out.no)[0]
             .as<std::int64_t>();
    transaction.exec_params(
      "insert into endpoint_secret (endpoint_no, ordinal, tenant_no, sealed) values ($1, 1, $2, $3::bytea)", each,
      out.no,
      pqxx::binarystring{seal_column(data_key, "whsec_ZW5kcG9pbnQgc2VjcmV0", endpoint_secret_associated_data(id, 1))});
  }
  transaction.commit();
  return out;
}

void postgres_world::change_tenant(const conformance_tenant& tenant) {
  sql("select touch_tenant(" + std::to_string(tenant.no) + ")");
}

void postgres_world::delete_endpoint(const conformance_tenant& tenant, std::size_t index) {
  sql("update endpoint set deleted_at = clock_timestamp() where no = " + std::to_string(tenant.endpoints.at(index)));
  change_tenant(tenant);
}

void postgres_world::ask_to_cancel(delivery_id id) {
  sql("update delivery set cancel_asked = 7 where state = 1 and id = '" + to_string(id.value) + "'");
}

fence postgres_world::fence_of(shard_no shard) {
  for (const auto& each : events_.held())
    if (each.shard == shard)
      return each.under;
  return 0;
}

void postgres_world::lose_lease(shard_no shard) {
  sql("update shard_lease set owner = gen_random_uuid(), epoch = epoch + 1, fence = ((epoch + 1) << 20) | 99,"
      " expires_at = clock_timestamp() + interval '1 hour' where shard = " +
      std::to_string(shard));
}

std::optional<stored_delivery> postgres_world::read(delivery_id id) {
  const auto text = "'" + to_string(id.value) + "'";
  const auto rows =
    sql("select state, reason, fence, attempt_count, step, (extract(epoch from next_attempt_at) * 1000000)::bigint,"
        " lane from delivery where id = " +
        text);
  if (rows.empty())
    return std::nullopt;
  stored_delivery out;
  out.state = static_cast<delivery_state>(rows[0][0].as<int>());
  out.reason = static_cast<delivery_reason>(rows[0][1].as<int>());
  out.under = rows[0][2].as<std::int64_t>();
  out.attempt_count = rows[0][3].as<std::uint32_t>();
  out.step = rows[0][4].as<std::uint32_t>();
  out.next_attempt_at = read_optional_time(rows[0][5]);
  out.lane = static_cast<delivery_lane>(rows[0][6].as<int>());
  for (const auto& row :
       sql("select number, outcome, reason from delivery_attempt where delivery_id = " + text + " order by number"))
    out.attempts.push_back({row[0].as<std::uint32_t>(), static_cast<attempt_outcome>(row[1].as<int>()),
                            static_cast<attempt_reason>(row[2].as<int>())});
  return out;
}

bool postgres_world::has_event(event_id id) {
  return !sql("select from event where id = '" + to_string(id.value) + "'").empty();
}

std::array<std::int64_t, delivery_state_count> postgres_world::counters(tenant_no tenant) {
  const auto row =
    sql("select coalesce(sum(pending), 0), coalesce(sum(in_flight), 0), coalesce(sum(retry_wait), 0),"
        " coalesce(sum(succeeded), 0), coalesce(sum(dead), 0), coalesce(sum(cancelled), 0), coalesce(sum(accepted), 0)"
        " from tenant_counter where tenant_no = " +
        std::to_string(tenant))[0];
  std::array<std::int64_t, delivery_state_count> out{};
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
    sum += out[i] = row[static_cast<pqxx::row::size_type>(i)].as<std::int64_t>();
  BOOST_TEST(sum == row[6].as<std::int64_t>()); // I14
  return out;
}

std::array<std::int64_t, delivery_state_count> postgres_world::counted(tenant_no tenant) {
  std::array<std::int64_t, delivery_state_count> out{};
  for (const auto& row :
       sql("select state, count(*) from delivery where tenant_no = " + std::to_string(tenant) + " group by state"))
    out.at(row[0].as<std::size_t>()) = row[1].as<std::int64_t>();
  return out;
}

} // namespace postrider::tests
