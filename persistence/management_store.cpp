#include "persistence/management_store.hpp"

#include "persistence/api_key_cache.hpp"
#include "persistence/creation_quota.hpp"
#include "persistence/delivery_repository.hpp"
#include "persistence/endpoint_repository.hpp"
#include "persistence/event_list.hpp"
#include "persistence/event_repository.hpp"
#include "persistence/key_repository.hpp"
#include "persistence/management_calls.hpp"
#include "persistence/operator_reads.hpp"
#include "persistence/source_repository.hpp"
#include "persistence/tenant_repository.hpp"

namespace postrider {
namespace {

session_options session_for(const management_store_options& options) {
  session_options out;
  out.url = options.url;
  out.role = "management";
  out.statement_timeout = options.call_deadline * 4 / 5;
  out.lock_timeout = options.call_deadline * 2 / 5;
  out.call_deadline = options.call_deadline;
  return out;
}

operations_ears ears_of(const management_store_options& options) {
  auto out = options.ears;
  out.configuration_changed = options.changed;
  return out;
}

} // namespace

struct postgres_management_store::parts {
  parts(management_store_options chosen, metrics& counts)
      : options{std::move(chosen)}
      , queue{session_for(options), {options.workers, options.waiting_max, options.call_deadline}, counts} {}

  void changed(tenant_no tenant) const {
    if (options.changed)
      options.changed(tenant);
  }

  const management_store_options options;
  api_key_cache keys;
  management_queue queue; ///< its threads use the others
  postgres_operator_reads operators{queue, options.lease_ttl};
  postgres_operations_store operations{queue, ears_of(options)};
};

postgres_management_store::postgres_management_store(management_store_options options, metrics& counts)
    : parts_{std::make_unique<parts>(std::move(options), counts)} {}
postgres_management_store::~postgres_management_store() = default;

void postgres_management_store::stop() {
  parts_->queue.stop();
}

operator_reads& postgres_management_store::operators() noexcept {
  return parts_->operators;
}

operations_store& postgres_management_store::operations() noexcept {
  return parts_->operations;
}

void postgres_management_store::find_key(api_key_hash hash, reply<std::optional<api_key_record>> done) {
  using found_key = std::optional<api_key_record>;
  const auto now = std::chrono::steady_clock::now();
  const auto wall = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  if (auto cached = parts_->keys.find(hash, now, wall))
    return done(std::move(cached));
  post_call<found_key>(parts_->queue, std::move(done),
                       [hash, &keys = parts_->keys](session& connection) -> result<found_key> {
                         const auto asked_at = std::chrono::steady_clock::now();
                         const auto generation = keys.generation();
                         const auto found =
                           connection.call([&](pqxx::connection_base& raw) { return find_api_key(raw, hash); });
                         if (!found)
                           return problem_of(found.error());
                         if (*found)
                           keys.put(hash, **found, asked_at, generation);
                         return *found;
                       },
                       {{}, call_kind::key});
}

void postgres_management_store::create_tenants(std::vector<new_tenant> tenants,
                                               reply<std::vector<tenant_record>> done) {
  const auto nos = std::make_shared<std::vector<tenant_no>>();
  post_transaction<std::vector<tenant_record>>(
    parts_->queue, std::move(done),
    [nos, tenants = std::move(tenants), &key = parts_->options.master_key](pqxx::transaction_base& transaction,
                                                                           key_claim& claim) {
      claim.take(transaction, 0);
      auto created = postrider::create_tenants(transaction, tenants, key);
      *nos = std::move(created.nos);
      return std::move(created.records);
    },
    [nos, &all = *parts_] {
      for (const auto no : *nos)
        all.changed(no);
    });
}

void postgres_management_store::list_tenants(page_request request, reply<page<tenant_record>> done) {
  post_call<page<tenant_record>>(parts_->queue, std::move(done), [request](session& connection) {
    auto work = [&](pqxx::transaction_base& transaction) { return postrider::list_tenants(transaction, request); };
    return transact<page<tenant_record>, snapshot>(connection, work);
  });
}

void postgres_management_store::get_tenant(std::string slug_or_id, reply<tenant_record> done) {
  call_turn turn{slug_or_id};
  post_call<tenant_record>(
    parts_->queue, std::move(done),
    [tenant = std::move(slug_or_id)](session& connection) {
      auto work = [&](pqxx::transaction_base& transaction) { return postrider::get_tenant(transaction, tenant); };
      return transact<tenant_record, snapshot>(connection, work);
    },
    std::move(turn));
}

/// Its keys are refused at once on this node.
void postgres_management_store::delete_tenant(std::string slug_or_id, reply<bool> done) {
  call_turn turn{slug_or_id};
  post_call<bool>(
    parts_->queue, std::move(done),
    [tenant = std::move(slug_or_id), &all = *parts_](session& connection) -> result<bool> {
      auto work = [&](pqxx::transaction_base& transaction) { return postrider::delete_tenant(transaction, tenant); };
      const auto deleted = transact<tenant_no, pqxx::work>(connection, work);
      if (!deleted)
        return deleted.error();
      all.keys.clear();
      all.changed(*deleted);
      return true;
    },
    std::move(turn));
}

/// Its keys are told so at once on this node.
void postgres_management_store::update_tenant(std::string slug_or_id, tenant_patch patch, reply<tenant_record> done) {
  post_tenant_transaction<tenant_record>(
    parts_->queue, std::move(slug_or_id), access::write, std::move(done),
    [patch = std::move(patch)](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::update_tenant(transaction, in, patch);
    },
    [&all = *parts_](tenant_no no) {
      all.keys.clear();
      all.changed(no);
    });
}

void postgres_management_store::create_api_key(new_api_key wanted, reply<created_api_key> done) {
  auto tenant = wanted.tenant;
  post_tenant_transaction<created_api_key>(
    parts_->queue, std::move(tenant), access::read, std::move(done),
    [wanted = std::move(wanted)](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return create_tenant_key(transaction, in, wanted);
    },
    [](tenant_no) {});
}

void postgres_management_store::list_api_keys(std::string tenant, page_request request,
                                              reply<page<api_key_record>> done) {
  post_read<page<api_key_record>>(parts_->queue, std::move(tenant), std::move(done),
                                  [request](pqxx::transaction_base& transaction, const entered_tenant& in) {
                                    return list_tenant_keys(transaction, in, request);
                                  });
}

/// Refused at once on this node.
void postgres_management_store::revoke_api_key(std::string tenant, key_id id, reply<bool> done) {
  post_tenant_transaction<bool>(
    parts_->queue, std::move(tenant), access::read, std::move(done),
    [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
      revoke_tenant_key(transaction, in, id);
      return true;
    },
    [&keys = parts_->keys](tenant_no) { keys.clear(); });
}

void postgres_management_store::once(keyed_request_ptr request, const std::function<void()>& ask) {
  const keyed_scope scope{std::move(request)};
  ask();
}

void postgres_management_store::create_sources(std::string tenant, std::vector<new_source> sources,
                                               reply<std::vector<source_record>> done) {
  post_change<std::vector<source_record>>(parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
                                          [sources = std::move(sources), &options = parts_->options](
                                            pqxx::transaction_base& transaction, const entered_tenant& in) {
                                            check_quota(transaction, in, options.plans, source_quota, sources);
                                            return postrider::create_sources(transaction, in, sources,
                                                                             data_key_of(in, options.master_key));
                                          });
}

void postgres_management_store::list_sources(std::string tenant, page_request request,
                                             reply<page<source_record>> done) {
  post_read<page<source_record>>(parts_->queue, std::move(tenant), std::move(done),
                                 [request](pqxx::transaction_base& transaction, const entered_tenant& in) {
                                   return postrider::list_sources(transaction, in, request);
                                 });
}

void postgres_management_store::get_source(std::string tenant, std::string name_or_id, reply<source_record> done) {
  post_read<source_record>(
    parts_->queue, std::move(tenant), std::move(done),
    [name_or_id = std::move(name_or_id)](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::get_source(transaction, in, name_or_id);
    });
}

void postgres_management_store::get_source_rules(std::string tenant, std::string name_or_id,
                                                 reply<source_config> done) {
  post_read<source_config>(parts_->queue, std::move(tenant), std::move(done),
                           [name_or_id = std::move(name_or_id), &key = parts_->options.master_key](
                             pqxx::transaction_base& transaction, const entered_tenant& in) {
                             return postrider::get_source_rules(transaction, name_or_id, data_key_of(in, key));
                           });
}

void postgres_management_store::delete_source(std::string tenant, std::string name_or_id, reply<bool> done) {
  post_change<bool>(
    parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
    [name_or_id = std::move(name_or_id)](pqxx::transaction_base& transaction, const entered_tenant& in) {
      postrider::delete_source(transaction, in, name_or_id);
      return true;
    });
}

void postgres_management_store::change_source(std::string tenant, std::string name_or_id, source_change change,
                                              reply<source_record> done) {
  post_change<source_record>(
    parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
    [name_or_id = std::move(name_or_id), change = std::move(change),
     &key = parts_->options.master_key](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::change_source(transaction, in, name_or_id, change, data_key_of(in, key));
    });
}

void postgres_management_store::rotate_source_secret(std::string tenant, std::string name_or_id,
                                                     secret_rotation rotation, reply<source_record> done) {
  post_change<source_record>(
    parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
    [name_or_id = std::move(name_or_id), rotation = std::move(rotation),
     &key = parts_->options.master_key](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::rotate_source_secret(transaction, in, name_or_id, rotation, data_key_of(in, key));
    });
}

void postgres_management_store::create_endpoints(std::string tenant, std::vector<new_endpoint> endpoints,
                                                 reply<std::vector<endpoint_record>> done) {
  post_change<std::vector<endpoint_record>>(parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
                                            [endpoints = std::move(endpoints), &options = parts_->options](
                                              pqxx::transaction_base& transaction, const entered_tenant& in) {
                                              check_quota(transaction, in, options.plans, endpoint_quota, endpoints);
                                              return postrider::create_endpoints(transaction, in, endpoints,
                                                                                 data_key_of(in, options.master_key));
                                            });
}

void postgres_management_store::list_endpoints(std::string tenant, page_request request,
                                               reply<page<endpoint_record>> done) {
  post_read<page<endpoint_record>>(parts_->queue, std::move(tenant), std::move(done),
                                   [request](pqxx::transaction_base& transaction, const entered_tenant& in) {
                                     return postrider::list_endpoints(transaction, in, request);
                                   });
}

void postgres_management_store::get_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) {
  post_read<endpoint_record>(parts_->queue, std::move(tenant), std::move(done),
                             [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
                               return postrider::get_endpoint(transaction, in, id);
                             });
}

void postgres_management_store::get_endpoint_secret(std::string tenant, endpoint_id id, reply<std::string> done) {
  post_read<std::string>(
    parts_->queue, std::move(tenant), std::move(done),
    [id, &key = parts_->options.master_key](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::get_endpoint_secret(transaction, in, id, data_key_of(in, key));
    });
}

void postgres_management_store::delete_endpoint(std::string tenant, endpoint_id id, reply<bool> done) {
  post_change<bool>(parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
                    [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
                      postrider::delete_endpoint(transaction, in, id);
                      return true;
                    });
}

void postgres_management_store::change_endpoint(std::string tenant, endpoint_id id, endpoint_change change,
                                                reply<endpoint_record> done) {
  post_change<endpoint_record>(parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
                               [id, change = std::move(change), &key = parts_->options.master_key](
                                 pqxx::transaction_base& transaction, const entered_tenant& in) {
                                 return postrider::change_endpoint(transaction, in, id, change, data_key_of(in, key));
                               });
}

void postgres_management_store::rotate_endpoint_secret(std::string tenant, endpoint_id id, secret_rotation rotation,
                                                       reply<bool> done) {
  post_change<bool>(parts_->queue, std::move(tenant), parts_->options.changed, std::move(done),
                    [id, rotation = std::move(rotation),
                     &key = parts_->options.master_key](pqxx::transaction_base& transaction, const entered_tenant& in) {
                      postrider::rotate_endpoint_secret(transaction, in, id, rotation, data_key_of(in, key));
                      return true;
                    });
}

void postgres_management_store::get_event(std::string tenant, event_id id, reply<event_record> done) {
  post_read<event_record>(parts_->queue, std::move(tenant), std::move(done),
                          [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
                            return postrider::get_event(transaction, in, id);
                          });
}

void postgres_management_store::get_payload(std::string tenant, event_id id, reply<event_payload> done) {
  post_read<event_payload>(parts_->queue, std::move(tenant), std::move(done),
                           [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
                             return postrider::get_payload(transaction, in, id);
                           });
}

void postgres_management_store::list_events(std::string tenant, event_filter filter, page_request request,
                                            reply<page<event_record>> done) {
  post_read<page<event_record>>(
    parts_->queue, std::move(tenant), std::move(done),
    [filter = std::move(filter), request](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::list_events(transaction, in, filter, request);
    },
    call_kind::search);
}

void postgres_management_store::list_deliveries(std::string tenant, delivery_filter filter, page_request request,
                                                reply<page<delivery_record>> done) {
  post_read<page<delivery_record>>(
    parts_->queue, std::move(tenant), std::move(done),
    [filter, request](pqxx::transaction_base& transaction, const entered_tenant& in) {
      return postrider::list_deliveries(transaction, in, filter, request);
    },
    call_kind::search);
}

void postgres_management_store::get_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) {
  post_read<delivery_record>(parts_->queue, std::move(tenant), std::move(done),
                             [id](pqxx::transaction_base& transaction, const entered_tenant& in) {
                               return postrider::get_delivery(transaction, in, id);
                             });
}

} // namespace postrider
