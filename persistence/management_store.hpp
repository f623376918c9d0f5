#pragma once

#include "actors/inspection.hpp"
#include "actors/management_store.hpp"
#include "core/metrics.hpp"
#include "core/secret_box.hpp"
#include "persistence/operations_store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace postrider {

struct management_store_options {
  std::string url; ///< libpq URL or DSN
  secret_key master_key{};
  std::map<std::string, tenant_quotas> plans{}; ///< `[plans.NAME]`; under one that is not among them nothing is created
  std::function<void(tenant_no)>
    changed{};             ///< after each committed change of a tenant's configuration; returns at once
  operations_ears ears{};  ///< `configuration_changed` of it is `changed`
  std::size_t workers = 2; ///< threads, each with a connection; one more looks up keys
  std::size_t waiting_max = 256;
  milliseconds call_deadline{5'000}; ///< from the call to its answer; statements end before
  milliseconds lease_ttl{6'000};     ///< a node that was not heard of for so long is gone
};

/// The management store on PostgreSQL. Connects by itself and for ever; exists also while the database is away.
/// Callbacks come from its threads; in two cases from the caller's, before the call returns: a key that is cached, and
/// `overloaded`.
///
/// Each change of a tenant, its sources or endpoints locks the tenant's row first and counts up its `config_version` in
/// the same transaction, so the versions of a tenant are in the order of commits. All but the lists of tenants and the
/// search for keys run as postrider_api, confined to their tenant by row-level security. An answer of 503 leaves open
/// whether a change was committed.
class postgres_management_store final : public management_store {
public:
  postgres_management_store(management_store_options options, metrics& counts);
  ~postgres_management_store() override;

  /// Fails what waits, lets what runs end, joins the threads: afterwards there is no callback but 503 from the caller's
  /// own thread. Idempotent.
  void stop();

  /// What operators read, on these threads and connections.
  operator_reads& operators() noexcept;

  /// What people ask of deliveries and endpoints, likewise.
  operations_store& operations() noexcept;

  void find_key(api_key_hash hash, reply<std::optional<api_key_record>> done) override;

  void create_tenants(std::vector<new_tenant> tenants, reply<std::vector<tenant_record>> done) override;
  void list_tenants(page_request page, reply<postrider::page<tenant_record>> done) override;
  void get_tenant(std::string slug_or_id, reply<tenant_record> done) override;
  void delete_tenant(std::string slug_or_id, reply<bool> done) override;
  void update_tenant(std::string slug_or_id, tenant_patch patch, reply<tenant_record> done) override;

  void create_api_key(new_api_key wanted, reply<created_api_key> done) override;
  void list_api_keys(std::string tenant, page_request page, reply<postrider::page<api_key_record>> done) override;
  void revoke_api_key(std::string tenant, key_id id, reply<bool> done) override;

  void once(keyed_request_ptr request, const std::function<void()>& ask) override;

  void create_sources(std::string tenant, std::vector<new_source> sources,
                      reply<std::vector<source_record>> done) override;
  void list_sources(std::string tenant, page_request page, reply<postrider::page<source_record>> done) override;
  void get_source(std::string tenant, std::string name_or_id, reply<source_record> done) override;
  void get_source_rules(std::string tenant, std::string name_or_id, reply<source_config> done) override;
  void delete_source(std::string tenant, std::string name_or_id, reply<bool> done) override;
  void change_source(std::string tenant, std::string name_or_id, source_change change,
                     reply<source_record> done) override;
  void rotate_source_secret(std::string tenant, std::string name_or_id, secret_rotation rotation,
                            reply<source_record> done) override;

  void create_endpoints(std::string tenant, std::vector<new_endpoint> endpoints,
                        reply<std::vector<endpoint_record>> done) override;
  void list_endpoints(std::string tenant, page_request page, reply<postrider::page<endpoint_record>> done) override;
  void get_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) override;
  void get_endpoint_secret(std::string tenant, endpoint_id id, reply<std::string> done) override;
  void delete_endpoint(std::string tenant, endpoint_id id, reply<bool> done) override;
  void change_endpoint(std::string tenant, endpoint_id id, endpoint_change change,
                       reply<endpoint_record> done) override;
  void rotate_endpoint_secret(std::string tenant, endpoint_id id, secret_rotation rotation, reply<bool> done) override;

  void get_event(std::string tenant, event_id id, reply<event_record> done) override;
  void get_payload(std::string tenant, event_id id, reply<event_payload> done) override;
  void list_events(std::string tenant, event_filter filter, page_request page,
                   reply<postrider::page<event_record>> done) override;
  void list_deliveries(std::string tenant, delivery_filter filter, page_request page,
                       reply<postrider::page<delivery_record>> done) override;
  void get_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) override;

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace postrider
