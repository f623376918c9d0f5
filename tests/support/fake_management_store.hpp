#pragma once

#include "actors/management_store.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace postrider::test {

/// The management port over maps, with the rules of the real one: unique slugs and names, all or none, pages newest
/// first, foreign ids unknown. Calls back at once, on the caller's thread. Thread-safe.
class fake_management_store final : public management_store {
public:
  /// Everything is refused with 503 while set.
  std::atomic<bool> away{false};
  /// Nothing is called back while set.
  std::atomic<bool> silent{false};
  /// The rotations asked for, newest last. For the caller's thread, between two calls.
  std::vector<secret_rotation> rotations;

  /// A key of that role; its text.
  std::string add_key(api_role role, std::optional<tenant_id> tenant = std::nullopt);
  tenant_id add_tenant(const std::string& slug);
  void add_event(const std::string& tenant, event_record event, event_payload payload);
  void add_delivery(const std::string& tenant, delivery_record delivery);
  /// A fresh id, newer than all before.
  template <class Id>
  Id make_id() {
    return Id{next_uuid()};
  }

  void find_key(api_key_hash hash, reply<std::optional<api_key_record>> done) override;
  void create_tenants(std::vector<new_tenant> tenants, reply<std::vector<tenant_record>> done) override;
  void list_tenants(page_request request, reply<page<tenant_record>> done) override;
  void get_tenant(std::string slug_or_id, reply<tenant_record> done) override;
  void delete_tenant(std::string slug_or_id, reply<bool> done) override;
  void update_tenant(std::string slug_or_id, tenant_patch patch, reply<tenant_record> done) override;
  void create_api_key(new_api_key wanted, reply<created_api_key> done) override;
  void list_api_keys(std::string tenant, page_request request, reply<page<api_key_record>> done) override;
  void revoke_api_key(std::string tenant, key_id id, reply<bool> done) override;
  /// One request after the other, so none meets another that runs.
  void once(keyed_request_ptr request, const std::function<void()>& ask) override;
  void create_sources(std::string tenant, std::vector<new_source> sources,
                      reply<std::vector<source_record>> done) override;
  void list_sources(std::string tenant, page_request request, reply<page<source_record>> done) override;
  void get_source(std::string tenant, std::string name_or_id, reply<source_record> done) override;
  void get_source_rules(std::string tenant, std::string name_or_id, reply<source_config> done) override;
  void delete_source(std::string tenant, std::string name_or_id, reply<bool> done) override;
  void change_source(std::string tenant, std::string name_or_id, source_change change,
                     reply<source_record> done) override;
  void rotate_source_secret(std::string tenant, std::string name_or_id, secret_rotation rotation,
                            reply<source_record> done) override;
  void create_endpoints(std::string tenant, std::vector<new_endpoint> endpoints,
                        reply<std::vector<endpoint_record>> done) override;
  void list_endpoints(std::string tenant, page_request request, reply<page<endpoint_record>> done) override;
  void get_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) override;
  void get_endpoint_secret(std::string tenant, endpoint_id id, reply<std::string> done) override;
  void delete_endpoint(std::string tenant, endpoint_id id, reply<bool> done) override;
  void change_endpoint(std::string tenant, endpoint_id id, endpoint_change change,
                       reply<endpoint_record> done) override;
  void rotate_endpoint_secret(std::string tenant, endpoint_id id, secret_rotation rotation, reply<bool> done) override;
  void get_event(std::string tenant, event_id id, reply<event_record> done) override;
  void get_payload(std::string tenant, event_id id, reply<event_payload> done) override;
  void list_events(std::string tenant, event_filter filter, page_request request,
                   reply<page<event_record>> done) override;
  void list_deliveries(std::string tenant, delivery_filter filter, page_request request,
                       reply<page<delivery_record>> done) override;
  void get_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) override;

private:
  struct tenant_data {
    tenant_record record;
    bool deleted = false;
    std::vector<source_record> sources;
    std::map<std::string, source_config> rules; ///< by the source's id
    std::map<std::string, new_source> given;    ///< likewise: what it was made of
    std::vector<endpoint_record> endpoints;     ///< with their secrets
    std::map<event_id, std::pair<event_record, event_payload>> events;
    std::vector<delivery_record> deliveries;
  };
  uuid next_uuid();
  tenant_data* find(const std::string& slug_or_id);
  static void show(source_record& record, const new_source& given);
  /// Runs `work` with the tenant under the lock and hands on its result; 404 without one.
  template <class T, class Work>
  void with_tenant(const std::string& tenant, reply<T>& done, Work work);
  template <class T, class Work>
  void run(reply<T>& done, Work work);

  std::recursive_mutex mutex_;
  std::uint64_t ids_ = 0;
  std::vector<tenant_data> tenants_;
  std::map<api_key_hash, api_key_record> keys_;
  std::map<std::string, std::pair<std::array<std::uint8_t, 32>, kept_answer>> kept_; ///< by idempotency key
};

} // namespace postrider::test
