#include "net/connection_pool.hpp"

#include "net/lane_choice.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

namespace postrider {
namespace {

constexpr std::size_t entries_max = 16'384;
constexpr std::chrono::seconds entry_unused_max{60};
constexpr std::size_t looked_at_to_evict = 16;

} // namespace

std::shared_ptr<prepared_endpoint> connection_pool::prepare(const std::shared_ptr<const endpoint_config>& config,
                                                            mono_time now) {
  auto& one = entries_[config->no];
  touch(one, now);
  if (one.prepared && one.prepared->is_of(config))
    return one.prepared;
  auto fresh = prepare_endpoint(config, limits_.https_only);
  fresh->take_tls(one.prepared.get(), *limits_.tls);
  if (!fresh->problem.empty()) // the management API lets none of these pass; told once for each version
    spdlog::error("endpoint {} is never called: {}", to_string(config->id), fresh->problem);
  if (one.prepared && !one.prepared->same_peer(*fresh))
    drop_idle(one);
  one.number = config->no;
  one.prepared = std::move(fresh);
  auto out = one.prepared;
  if (entries_.size() > entries_max) {
    auto& oldest = used_.front();
    drop_idle(oldest);
    entries_.erase(oldest.number);
  }
  return out;
}

std::shared_ptr<client_connection> connection_pool::take(endpoint_no endpoint, mono_time now) {
  const auto found = entries_.find(endpoint);
  if (found == entries_.end())
    return nullptr;
  auto& idle = found->second.idle;
  while (!idle.empty()) {
    auto connection = std::move(idle.back());
    idle.pop_back();
    --idle_count_;
    connection->auto_hook<idle_tag>::unlink();
    if (now < connection->idle_until && connection->quiet())
      return connection;
    connection->close();
  }
  return nullptr;
}

void connection_pool::put(std::shared_ptr<client_connection> connection, mono_time now,
                          std::optional<std::chrono::seconds> peer_timeout) {
  milliseconds keep_for = limits_.idle_timeout;
  if (peer_timeout) // a second before the peer: a request that meets its close is a failed attempt
    keep_for = std::min(keep_for, milliseconds{*peer_timeout} - milliseconds{1000});
  const auto found = entries_.find(connection->endpoint_number());
  if (keep_for <= milliseconds{0} || found == entries_.end())
    return connection->close();
  auto& one = found->second;
  const lane_choice lanes{one.number, one.prepared->max_in_flight, limits_.threads};
  if (!one.prepared->same_peer(connection->endpoint()) || one.idle.size() >= lanes.idle_share(limits_.thread))
    return connection->close();
  touch(one, now);
  if (idle_count_ >= limits_.idle_max)
    evict_one();
  connection->idle_until = now + keep_for;
  idle_.push_back(*connection);
  ++idle_count_;
  one.idle.push_back(std::move(connection));
}

bool connection_pool::evict_one() {
  if (idle_.empty())
    return false;
  drop(idle_.front());
  return true;
}

bool connection_pool::evict_for(const connection_holder& who, const connection_places& places) {
  std::array<connection_holder, looked_at_to_evict> holders{};
  std::size_t count = 0;
  for (auto each = idle_.begin(); each != idle_.end() && count < holders.size(); ++each)
    holders[count++] = each->holder();
  const auto chosen = places.to_close_for(who, std::span{holders}.first(count));
  std::vector<client_connection*> closing; // first all of them: closing one moves the others up
  for (const auto at : chosen)
    closing.push_back(&*std::next(idle_.begin(), static_cast<std::ptrdiff_t>(at)));
  for (auto* const each : closing)
    drop(*each);
  return !closing.empty();
}

void connection_pool::drop(client_connection& connection) {
  auto& idle = entries_.at(connection.endpoint_number()).idle;
  const auto at = std::find_if(idle.begin(), idle.end(), [&](const auto& each) { return each.get() == &connection; });
  const auto kept = std::move(*at);
  idle.erase(at);
  --idle_count_;
  kept->close();
}

void connection_pool::drop_idle(entry& one) {
  while (!one.idle.empty())
    drop(*one.idle.back());
}

void connection_pool::touch(entry& one, mono_time now) {
  one.used_at = now;
  one.auto_hook<idle_tag>::unlink();
  used_.push_back(one);
}

void connection_pool::sweep(mono_time now) {
  for (auto each = idle_.begin(); each != idle_.end();) {
    auto& connection = *each++;
    if (now >= connection.idle_until)
      drop(connection);
  }
  while (!used_.empty() && used_.front().used_at + entry_unused_max < now) {
    auto& oldest = used_.front();
    drop_idle(oldest);
    entries_.erase(oldest.number);
  }
}

void connection_pool::close() {
  while (evict_one()) {
  }
  entries_.clear();
}

} // namespace postrider
