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

void end_credits(accept_item& item, void (taken_credit::*end)() noexcept) {
  for (auto& each : item.deliveries)
    (each.credit.*end)();
}

void take_committed(accept_item& item, committed_batch& out) {
  for (auto& each : item.deliveries) {
    if (each.ride) {
      out.rides.push_back({each.endpoint, each.id, item.what, each.seed, each.under});
      continue;
    }
    each.credit.give_back(); // if the lease was not there any more
    if (each.order_key)
      out.ordered.push_back({each.endpoint, std::move(*each.order_key)});
    else
      out.pending.push_back(each.endpoint);
  }
}

} // namespace

void store_bridge::connect(node_actor node) {
  const std::lock_guard lock{mutex_}; // also while it sends: a later report must not come first
  node_ = node;
  caf::anon_send(node_, atom::leases::value, hand(std::vector{early_leases_}));
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
      report.answer(item->ticket, ingest_result::accepted, item->what->id);
      auto& [keep, committed] = report.committed[&route];
      keep = item->origin;
      take_committed(*item, committed);
      continue;
    }
    case accept_outcome::duplicate:
      report.answer(item->ticket, ingest_result::duplicate, item->first);
      break;
    case accept_outcome::stale: {
      end_credits(*item, &taken_credit::give_back);
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
    end_credits(*item, &taken_credit::give_back);
  }
  for (auto& [key, part] : report.answers)
    part.first->answer(std::move(part.second));
  for (auto& [route, part] : report.committed)
    if (!part.second.rides.empty() || !part.second.pending.empty() || !part.second.ordered.empty())
      caf::anon_send(route->supervisor(), atom::committed::value, hand(std::move(part.second)));
  // Only now: whoever finds no credit taken any more has every ride in its mailbox, or behind it.
  for (const auto& item : batch)
    if (item && item->outcome == accept_outcome::accepted)
      end_credits(*item, &taken_credit::settle);
  for (auto& [route, part] : report.stale)
    caf::anon_send(route->verifier(), atom::stale::value, hand(std::move(part.second)));
}

void store_bridge::leases(std::vector<shard_lease> mine) {
  const std::lock_guard lock{mutex_};
  early_leases_ = mine;
  if (node_)
    caf::anon_send(node_, atom::leases::value, hand(std::move(mine)));
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
  log_event(database_ok ? spdlog::level::info : spdlog::level::warn,
            database_ok ? "database answers" : "database is away", {{"detail", detail}});
}

} // namespace postrider
