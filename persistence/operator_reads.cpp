#include "persistence/operator_reads.hpp"

#include "core/dispatch_lanes.hpp"
#include "persistence/management_calls.hpp"
#include "persistence/operator_sql.hpp"
#include "persistence/parameters.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace postrider {
namespace {

constexpr std::size_t tenants_first = 16;
constexpr std::size_t tenants_batch_max = 256;

using transaction = pqxx::transaction_base;

struct tenant_row {
  tenant_no no = 0;
  std::string slug;
  shard_no shard = 0;
  bool enabled = true;
  wall_time since{};
};

binary_array array_of(const std::vector<shard_no>& shards) {
  binary_array out{array_type::int2, shards.size(), 2};
  for (const auto each : shards)
    out.add(std::int16_t{each});
  return out;
}

/// Reads one stretch, a batch of tenants at a time.
class stretch_reader {
public:
  stretch_reader(transaction& on, const resting_query& query) : on_{on}, query_{query} {}

  resting_stretch read() {
    std::string from = query_.after ? query_.after->tenant : std::string{};
    std::size_t seen = 0;
    for (auto count = first_batch(); !full(); count = std::min(count * 2, tenants_batch_max)) {
      const auto tenants = read_tenants(from, count);
      add(tenants);
      seen += tenants.size();
      if (full())
        break;
      if (tenants.size() < count) {
        out_.places.complete = true;
        return std::move(out_);
      }
      out_.places.read_to = end_of_tenant(query_.node, tenants.back().slug);
      if (seen >= postgres_operator_reads::tenants_max)
        return std::move(out_);
      from = tenants.back().slug + '\x01'; // less than any character of a slug
    }
    out_.places.places.resize(query_.limit);
    out_.rows.resize(query_.limit);
    out_.places.read_to = out_.places.places.back();
    return std::move(out_);
  }

private:
  [[nodiscard]] bool children() const { return query_.deliveries || query_.verifiers; }
  [[nodiscard]] std::size_t first_batch() const {
    return children() ? tenants_first : std::min(query_.limit + 2, tenants_batch_max);
  }
  /// One more than was asked for tells that there is more.
  [[nodiscard]] bool full() const { return out_.rows.size() > query_.limit; }
  [[nodiscard]] bool wanted(const tree_path& place) const { return !query_.after || place > *query_.after; }

  std::vector<tenant_row> read_tenants(const std::string& from, std::size_t count) {
    std::vector<tenant_row> out;
    for (const auto& row : on_.exec_params(std::string{resting_tenants_sql}, parameter(array_of(query_.shards)), from,
                                           static_cast<std::int64_t>(count)))
      out.push_back({row[0].as<tenant_no>(), row[1].as<std::string>(), row[2].as<shard_no>(), row[3].as<bool>(),
                     read_time(row[4])});
    return out;
  }

  void push(tree_path place, const tenant_row& tenant, wall_time since, std::string_view state = resting_word({})) {
    if (!wanted(place) || full())
      return;
    out_.places.places.push_back(std::move(place));
    out_.rows.push_back({tenant.shard, since, state});
  }

  void add(const std::vector<tenant_row>& tenants) {
    const auto rows = children() && !tenants.empty() ? read_children(tenants) : pqxx::result{};
    auto child = rows.begin();
    for (std::size_t i = 0; i < tenants.size(); ++i) {
      const auto& tenant = tenants[i];
      if (query_.supervisors)
        push(supervisor_path(query_.node, tenant.slug), tenant, tenant.since);
      for (; child != rows.end() && child[0].as<std::size_t>() == i + 1; ++child) {
        const bool delivery = child[1].as<int>() == 1;
        if (!delivery && !tenant.enabled)
          continue; // its sources take nothing
        auto name = delivery ? to_string(endpoint_id{read_uuid(child[2])}) : child[3].as<std::string>();
        push({query_.node, tenant.slug, delivery ? tree_kind::delivery : tree_kind::provider_verifier, std::move(name)},
             tenant, read_time(child[4]), resting_word(static_cast<endpoint_status>(child[5].as<int>())));
      }
    }
  }

  pqxx::result read_children(const std::vector<tenant_row>& tenants) {
    binary_array nos{array_type::int8, tenants.size(), 8};
    for (const auto& each : tenants)
      nos.add(std::int64_t{each.no});
    std::optional<std::string> after_id, after_name;
    bool deliveries = query_.deliveries;
    if (const auto& after = query_.after; after && after->tenant == tenants.front().slug) {
      if (after->kind == tree_kind::delivery)
        if (const auto id = parse_id<endpoint_id>(after->child))
          after_id = to_string(id->value);
      if (after->kind == tree_kind::provider_verifier) {
        after_name = after->child;
        deliveries = deliveries && tenants.size() > 1;
      }
    }
    return on_.exec_params(std::string{resting_children_sql}, parameter(nos),
                           static_cast<std::int64_t>(query_.limit + 1), deliveries, query_.verifiers, after_id,
                           after_name);
  }

  transaction& on_;
  const resting_query& query_;
  resting_stretch out_;
};

std::optional<wall_time> optional_time(const pqxx::field& field) {
  return read_optional_time(field);
}

std::string outcome_word(int reason, int status) {
  auto word = std::string{reason == 0 ? "succeeded" : "failed"};
  if (reason == static_cast<int>(attempt_reason::interrupted))
    return std::string{to_string(attempt_outcome::interrupted)};
  if (reason != 0)
    word.append(":").append(to_string(static_cast<attempt_reason>(reason)));
  if (status != 0)
    word.append(":").append(std::to_string(status));
  return word;
}

/// False: there is no such endpoint.
bool describe_endpoint(transaction& on, const tree_path& path, tenant_no tenant, shard_no shard, actor_status& out) {
  const auto id = parse_id<endpoint_id>(path.child);
  if (!id)
    return false;
  const auto rows = on.exec_params(std::string{resting_endpoint_sql}, tenant, to_string(id->value));
  if (rows.empty())
    return false;
  const auto endpoint = rows[0][0].as<endpoint_no>();
  const auto status = static_cast<endpoint_status>(rows[0][6].as<int>());
  out.state = resting_word(status);
  out.since = read_time(rows[0][1]);
  auto& part = out.delivery.emplace(actor_status::delivery_part{});
  part.window = rows[0][2].as<std::uint32_t>();
  part.breaker_state = to_string(static_cast<breaker_state>(rows[0][3].as<int>()));
  part.breaker_since = optional_time(rows[0][4]);
  part.next_probe_at = optional_time(rows[0][5]);
  std::int64_t scheduled = 0;
  lanes_due due;
  for (const auto& row : on.exec_params(std::string{resting_backlog_sql}, shard, endpoint)) {
    const auto lane = all_lanes.at(row[0].as<std::size_t>());
    due.note(read_time(row[1]), lane);
    scheduled += row[2].as<std::int64_t>();
    out.counters.emplace_back("scheduled_" + std::string{to_string(lane)}, row[2].as<std::int64_t>());
  }
  if (status == endpoint_status::active) // else nobody wakes it, whatever is due
    out.next_wake_at = due.earliest();
  part.backlog = static_cast<std::uint32_t>(scheduled);
  out.counters.emplace(out.counters.begin(), "scheduled", scheduled);
  for (const auto& row : on.exec_params(std::string{resting_outcomes_sql}, endpoint))
    part.last_outcomes.push_back(outcome_word(row[0].as<int>(), row[1].as<int>()));
  for (const auto& row : on.exec_params(std::string{resting_transitions_sql}, endpoint))
    out.transitions.push_back(
      {read_time(row[0]), row[1].as<std::string>(), row[2].as<std::string>(), row[3].as<std::string>()});
  return true;
}

std::optional<resting_actor> find_resting(transaction& on, const tree_path& path, const std::vector<shard_no>& shards) {
  const auto rows = on.exec_params(std::string{resting_tenant_sql}, path.tenant, parameter(array_of(shards)));
  if (rows.empty())
    return std::nullopt;
  const auto& tenant = rows[0];
  resting_actor out;
  out.shard = tenant[1].as<shard_no>();
  out.status.path = to_string(path);
  out.status.kind = to_string(path.kind);
  out.status.state = "passive";
  out.status.since = read_time(tenant[2]);
  switch (path.kind) {
  case tree_kind::node:
    return std::nullopt;
  case tree_kind::tenant_supervisor: {
    const auto counts = on.exec_params1(std::string{resting_children_counts_sql}, tenant[0].as<tenant_no>());
    out.status.counters = {{"config_version", tenant[3].as<std::int64_t>()},
                           {"sources", counts[0].as<std::int64_t>()},
                           {"endpoints", counts[1].as<std::int64_t>()}};
    return out;
  }
  case tree_kind::delivery:
    return describe_endpoint(on, path, tenant[0].as<tenant_no>(), out.shard, out.status) ? std::optional{out}
                                                                                         : std::nullopt;
  case tree_kind::provider_verifier:
    const auto source = on.exec_params(std::string{resting_source_sql}, tenant[0].as<tenant_no>(), path.child);
    if (source.empty() || !tenant[4].as<bool>())
      return std::nullopt;
    out.status.since = read_time(source[0][0]);
    return out;
  }
  return std::nullopt;
}

std::vector<cluster_node> read_nodes(transaction& on, milliseconds lease_ttl) {
  static constexpr std::array<const char*, 3> states{"live", "draining", "gone"};
  std::vector<cluster_node> out;
  std::unordered_map<uuid, std::size_t> at;
  for (const auto& row : on.exec_params(std::string{cluster_nodes_sql}, lease_ttl.count())) {
    auto& node = out.emplace_back();
    node.name = row[0].as<std::string>();
    node.incarnation = read_uuid(row[1]);
    node.address = row[2].as<std::string>();
    node.state = states.at(row[3].as<std::size_t>());
    node.heartbeat_age = milliseconds{row[4].as<std::int64_t>()};
    at.emplace(node.incarnation, out.size() - 1);
  }
  for (const auto& row : on.exec(std::string{cluster_shards_sql}))
    if (const auto found = at.find(read_uuid(row[0])); found != at.end())
      out[found->second].shards.push_back({row[1].as<shard_no>(), row[2].as<std::int64_t>()});
  return out;
}

/// All that one call reads is of one moment.
template <class T, class Work>
void read(management_queue& queue, reply<T> done, Work work) {
  post_call<T>(queue, std::move(done),
               [work = std::move(work)](session& connection) { return transact<T, snapshot>(connection, work); });
}

} // namespace

void postgres_operator_reads::resting(resting_query query, std::function<void(result<resting_stretch>)> done) {
  read<resting_stretch>(queue_, std::move(done), [query = std::move(query)](transaction& on) {
    return stretch_reader{on, query}.read();
  });
}

void postgres_operator_reads::resting(tree_path path, std::vector<shard_no> shards,
                                      std::function<void(result<std::optional<resting_actor>>)> done) {
  read<std::optional<resting_actor>>(
    queue_, std::move(done),
    [path = std::move(path), shards = std::move(shards)](transaction& on) { return find_resting(on, path, shards); });
}

void postgres_operator_reads::nodes(std::function<void(result<std::vector<cluster_node>>)> done) {
  read<std::vector<cluster_node>>(queue_, std::move(done),
                                  [ttl = lease_ttl_](transaction& on) { return read_nodes(on, ttl); });
}

} // namespace postrider
