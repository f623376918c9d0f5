#include "actors/store_bridge.hpp"

#include "actors/provider_verifier.hpp"
#include "config/log_fields.hpp"

#include <caf/send.hpp>

#include <unordered_map>

namespace postrider {

namespace {

// What one batch has to tell: answers per listener, deliveries per tenant, refused plans per source.
struct batch_report {
  std::unordered_map<ingest_replies*, std::pair<std::shared_ptr<ingest_replies>, std::vector<ingest_answer>>> answers;
  std::unordered_map<const source_route*, std::pair<std::shared_ptr<const accept_origin>, committed_batch>> committed;
  std::unordered_map<const source_route*, std::pair<std::shared_ptr<const accept_origin>, std::vector<accept_item_ptr>>>
    stale;

  void answer(ingest_ticket& ticket, ingest_result outcome, event_id id = {}) {
    if (!ticket)
      return;
    auto& [replies, list] = answers[ticket.replies().get()];
    if (!replies)
      replies = ticket.replies();
    list.push_back(ticket.settle(outcome, id));
  }
};

void return_credits(const source_route& route, const accept_item& item) {
  for (const auto& each : item.deliveries)
    if (each.under != 0)
      route.credits_of(each).give_back();
}

void settle_credits(const source_route& route, const accept_item& item) {
  for (const auto& each : item.deliveries)
    if (each.ride)
      route.credits_of(each).settle();
}

void take_committed(const source_route& route, accept_item& item, committed_batch& out) {
  for (const auto& each : item.deliveries) {
    if (each.ride) {
      out.rides.push_back({each.endpoint, each.id, item.what, each.seed, each.under});
      continue;
    }
    if (each.under != 0)
      route.credits_of(each).give_back(); // the lease was not there any more
    out.pending.push_back(each.endpoint);
  }
}

} // namespace

void store_bridge::connect(node_actor node) {
  std::vector<shard_lease> early;
  {
    const std::lock_guard lock{mutex_};
    node_ = node;
    early = early_leases_;
  }
  caf::anon_send(node, atom::leases::value, hand(std::move(early)));
}

void store_bridge::disconnect() {
  const std::lock_guard lock{mutex_};
  node_ = nullptr;
}

node_actor store_bridge::node() const {
  const std::lock_guard lock{mutex_};
  return node_;
}

void store_bridge::accepted(std::vector<accept_item_ptr> batch) {
  batch_report report;
  for (auto& item : batch) {
    const auto& route = static_cast<const source_route&>(*item->origin); // the only kind of origin that VERIFIERs make
    switch (item->outcome) {
    case accept_outcome::accepted: {
      counts_.ingest_bytes.add(item->what->body.size());
      report.answer(item->ticket, ingest_result::accepted, item->what->id);
      auto& [keep, committed] = report.committed[&route];
      keep = item->origin;
      take_committed(route, *item, committed);
      continue;
    }
    case accept_outcome::duplicate:
      report.answer(item->ticket, ingest_result::duplicate, item->first);
      break;
    case accept_outcome::stale: {
      return_credits(route, *item);
      auto& [keep, items] = report.stale[&route];
      keep = item->origin;
      items.push_back(std::move(item));
      continue;
    }
    case accept_outcome::rejected:
      log_event(spdlog::level::err, "PostgreSQL refuses an event",
                {{"event", to_string(item->what->id)}, {"detail", item->detail}});
      report.answer(item->ticket, ingest_result::unavailable);
      break;
    case accept_outcome::unavailable:
    case accept_outcome::waiting:
      report.answer(item->ticket, ingest_result::unavailable);
      break;
    }
    return_credits(route, *item);
  }
  for (auto& [key, part] : report.answers)
    part.first->answer(std::move(part.second));
  for (auto& [route, part] : report.committed)
    if (!part.second.rides.empty() || !part.second.pending.empty())
      caf::anon_send(route->supervisor(), atom::committed::value, hand(std::move(part.second)));
  // Only now: whoever finds no credit taken any more has every ride in its mailbox, or behind it.
  for (const auto& item : batch)
    if (item && item->outcome == accept_outcome::accepted)
      settle_credits(static_cast<const source_route&>(*item->origin), *item);
  for (auto& [route, part] : report.stale)
    caf::anon_send(route->verifier(), atom::stale::value, hand(std::move(part.second)));
}

void store_bridge::leases(std::vector<shard_lease> mine) {
  node_actor node;
  {
    const std::lock_guard lock{mutex_};
    early_leases_ = mine;
    node = node_;
  }
  if (node)
    caf::anon_send(node, atom::leases::value, hand(std::move(mine)));
}

void store_bridge::due(std::vector<due_hint> hints) {
  if (const auto to = node(); to && !hints.empty())
    caf::anon_send(to, atom::due::value, hand(std::move(hints)));
}

void store_bridge::configuration_changed(std::vector<tenant_no> tenants) {
  if (const auto to = node(); to && !tenants.empty())
    caf::anon_send(to, atom::changed::value, hand(std::move(tenants)));
}

void store_bridge::availability(bool database_ok, std::string detail) {
  if (counts_.database_up.value() != (database_ok ? 1 : 0))
    log_event(database_ok ? spdlog::level::info : spdlog::level::warn,
              database_ok ? "database answers" : "database is away", {{"detail", detail}});
  counts_.database_up.set(database_ok ? 1 : 0);
}

} // namespace postrider
