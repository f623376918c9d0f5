#pragma once

#include "config/source_settings.hpp"
#include "core/api_key.hpp"
#include "core/delivery_state.hpp"
#include "core/ids.hpp"
#include "core/outcome.hpp"
#include "core/result.hpp"
#include "core/tenant_config.hpp"
#include "core/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the management API asks of the database: plain requests in, one callback out (from a thread of the
/// implementation), never blocking the caller. No actors. Every failure is a `problem` (503 `store-unavailable` while
/// the database is away, 404 `not-found`, 409 `slug-taken`/`name-taken`, 503 `overloaded` when 256 requests wait).
/// Requests are validated before they come here.
namespace postrider {

template <class T>
using reply = std::function<void(result<T>)>;

/// 404, in the same words whoever gives it: unknown, deleted and another tenant's cannot be told from each other.
inline problem not_found(std::string_view what) {
  return {404, "not-found", "there is no such " + std::string{what}};
}

/// Quotas of a tenant, or of a plan. A tenant's own go before its plan's; what neither names is not limited.
struct tenant_quotas {
  std::optional<std::int64_t> ingest_per_s, ingest_bytes_per_s, sources, endpoints, backlog, retention_days;
};

struct tenant_record {
  tenant_id id;
  std::string slug, name;
  std::string plan; ///< empty: none
  tenant_quotas quotas;
  shard_no shard = 0;
  bool enabled = true;
  wall_time created_at{}, updated_at{};
};
struct new_tenant {
  std::string slug, name, plan;
  tenant_quotas quotas;
};
/// A merge patch of a tenant: what is left out stays as it is. The slug cannot change: it stands in the URLs that
/// providers call.
struct tenant_patch {
  using quota = std::optional<std::int64_t> tenant_quotas::*;
  std::optional<std::string> name{}, plan{}; ///< an empty plan: none
  std::optional<bool> enabled{};
  std::vector<std::pair<quota, std::optional<std::int64_t>>> quotas{}; ///< each with its value; nothing: the plan's
};

struct source_record {
  source_id id;
  std::string tenant_slug, name, provider, scheme;
  bool enabled = true;
  unverified_mode on_unverified = unverified_mode::reject;
  dedupe_mode dedupe = dedupe_mode::id;
  std::size_t secret_count = 0;
  std::string config = "{}"; ///< JSON; of its secrets `{"set":true}` alone
  wall_time created_at{}, updated_at{};
};
struct new_source {
  std::string name, provider, scheme;
  std::vector<std::string> secrets; ///< in clear; stored encrypted; newest first
  bool enabled = true;
  unverified_mode on_unverified = unverified_mode::reject;
  dedupe_mode dedupe = dedupe_mode::id;
  source_settings settings{};
  std::string at{}; ///< where it stands in the request's body, a JSON pointer
};

/// What a change of a source starts from: as it is shown, and as whoever stored it would have said it (the settings in
/// clear, the secrets that verify now). For deciding on the change alone: it is neither logged nor answered.
struct stored_source {
  source_record shown;
  new_source given;
};
/// Decides what a source becomes, pure and quick: it runs while the tenant is locked. Its `provider` and `secrets` are
/// not looked at: they stay.
using source_change = std::function<result<new_source>(const stored_source&)>;

/// Secrets of one source, or of one endpoint, that are valid at a time.
inline constexpr std::size_t live_secrets_max = 10;
/// A new secret; those before it are valid for `overlap` more, at most.
struct secret_rotation {
  std::string secret; ///< in clear
  std::chrono::seconds overlap{0};
};

struct endpoint_record {
  endpoint_config config; ///< `secrets` left empty except in the answer to its creation
  std::string description;
  std::string disabled_reason;
  std::vector<std::string> source_ids; ///< as `src_…`, in the order given
  breaker_state breaker = breaker_state::closed;
  std::optional<wall_time> breaker_since{}, next_probe_at{};
  wall_time created_at{}, updated_at{};
};
struct new_endpoint {
  endpoint_config config;              ///< no, id and sources are ignored; one secret at least
  std::vector<std::string> sources;    ///< ids or names; unknown: 422 at `sources_at`/N
  std::string sources_at = "/sources"; ///< where they stand in the request's body
  std::string description;
  std::string at{}; ///< where it stands itself, a JSON pointer
};

/// What an endpoint becomes. Its secrets stay.
struct changed_endpoint {
  new_endpoint fields;
  std::string disabled_reason;
  bool sources_named = false; ///< else they stay, `fields.sources` is not looked at
  bool tls_named = false;     ///< likewise; a client certificate without its key keeps the stored key
};
/// Decides on it; as `source_change`.
using endpoint_change = std::function<result<changed_endpoint>(const endpoint_record&)>;

struct event_record {
  event_id id;
  std::string source, type, provider_event_id, content_type;
  std::string headers; ///< `name: value\r\n` each
  std::size_t size = 0;
  bool erased = false; ///< payload and headers are gone
  wall_time received_at{};
  std::vector<std::pair<delivery_state, std::int64_t>> deliveries; ///< counts, only those above 0
};
struct event_payload {
  std::string content_type, body;
};
struct event_filter {
  std::optional<std::string> type{}, source{}; ///< the exact type; a source's id or name, `api` for published events
  std::optional<wall_time> since{}, until{};   ///< by `received_at`, from and below
};

struct attempt_record {
  attempt_id id;
  std::uint32_t number = 0;
  std::optional<wall_time> started_at{};
  std::optional<milliseconds> duration{};
  std::optional<attempt_outcome> outcome{}; ///< nothing while in flight
  attempt_reason reason = attempt_reason::none;
  int http_status = 0;
  std::string excerpt;
};
struct delivery_record {
  delivery_id id;
  event_id event;
  endpoint_id endpoint;
  delivery_state state = delivery_state::pending;
  delivery_reason reason = delivery_reason::none;
  std::uint32_t attempt_count = 0, generation = 1, step = 0;
  std::optional<std::int64_t> order{};
  std::optional<wall_time> next_attempt_at{};
  wall_time created_at{}, updated_at{};
  std::string last_error;               ///< a reason word, with the status where there is one; empty: none
  std::vector<attempt_record> attempts; ///< of one delivery alone, oldest first
  // for `explain`, read in the same snapshot:
  bool tenant_enabled = true;
  endpoint_status endpoint_state = endpoint_status::active;
  breaker_state breaker = breaker_state::closed;
  std::optional<wall_time> next_probe_at{}, held_until{};
  std::optional<double> rate_limit_per_s{};
  std::optional<delivery_id> predecessor{}; ///< of one delivery alone: the first ahead of it in its order that is live
};

/// A page of a list, newest first. `before`: only what is older than that id.
template <class T>
struct page {
  std::vector<T> data;
  std::optional<uuid> next; ///< give it back as `before`
};
struct page_request {
  std::size_t limit = 50; ///< 1 to 250
  std::optional<uuid> before{};
};
struct delivery_filter {
  std::optional<delivery_state> state{};
  std::optional<endpoint_id> endpoint{};
  std::optional<event_id> event{};
  std::optional<wall_time> since{};
};

struct api_key_record {
  key_id id;
  std::string name;
  api_role role = api_role::tenant_viewer;
  std::optional<tenant_id> tenant{}; ///< nothing: operator
  std::optional<wall_time> expires_at{}, last_used_at{};
  wall_time created_at{};
  bool tenant_enabled = true; ///< false: its tenant is disabled
  std::string tenant_slug{};  ///< empty: operator
};
struct new_api_key {
  std::string name;
  api_role role = api_role::tenant_viewer;
  std::string tenant{}; ///< slug or id; empty for operators, and only for them
  std::optional<wall_time> expires_at{};
};
struct created_api_key {
  api_key_record record;
  std::string key; ///< `prk_…`, in clear: shown this once, stored as a hash
};

/// An answer as it is kept for an `Idempotency-Key`: without secrets.
struct kept_answer {
  int status = 0;
  std::string body;
};

/// One request that brings an `Idempotency-Key`, as the store sees it. The store makes its change and keeps its answer
/// in one transaction (docs/decisions/0008-idempotency-keys.md), so it has the answer made before it commits, and lets
/// it go afterwards. The store calls exactly one of `release`, `replay` and `fail`, or, where nothing was begun, the
/// change's own reply.
class keyed_request {
public:
  virtual ~keyed_request() = default;
  [[nodiscard]] virtual const std::string& key() const noexcept = 0; ///< 1 to 255 bytes of UTF-8
  /// Of method, path and body: another one under the same key is another request.
  [[nodiscard]] virtual const std::array<std::uint8_t, 32>& fingerprint() const noexcept = 0;

  /// Calls `answer`, which gives the change's answer, and holds that back. What is to be kept of it; nothing: it is a
  /// failure, and the change must not stay. Throws where no answer is given.
  virtual std::optional<kept_answer> hold(const std::function<void()>& answer) = 0;
  virtual void release() = 0;                          ///< what is held goes out
  virtual void replay(const kept_answer& earlier) = 0; ///< the first request's answer goes out
  virtual void fail(const problem& what) = 0;          ///< what is held is dropped
};
using keyed_request_ptr = std::shared_ptr<keyed_request>;

class management_store {
public:
  virtual ~management_store() = default;

  /// The key with that hash, if it is neither revoked nor expired and its tenant lives. Cached for at most a second.
  virtual void find_key(api_key_hash hash, reply<std::optional<api_key_record>> done) = 0;

  virtual void create_tenants(std::vector<new_tenant> tenants,
                              reply<std::vector<tenant_record>> done) = 0; ///< all or none
  virtual void list_tenants(page_request page, reply<postrider::page<tenant_record>> done) = 0;
  virtual void get_tenant(std::string slug_or_id, reply<tenant_record> done) = 0;
  virtual void delete_tenant(std::string slug_or_id, reply<bool> done) = 0;
  virtual void update_tenant(std::string slug_or_id, tenant_patch patch, reply<tenant_record> done) = 0;

  /// A key of a tenant: `wanted.tenant` names it; the role is one of a tenant's.
  virtual void create_api_key(new_api_key wanted, reply<created_api_key> done) = 0;
  /// Those that are not revoked; expired ones are among them.
  virtual void list_api_keys(std::string tenant, page_request page, reply<postrider::page<api_key_record>> done) = 0;
  /// Refused from now on; other nodes may know it for one more second.
  virtual void revoke_api_key(std::string tenant, key_id id, reply<bool> done) = 0;

  /// Runs `ask` at once, on the caller's thread. The first change that it asks of this store, directly or in the answer
  /// to something that it only reads, is made under the key: once, however often it is asked. Further answers of
  /// `request` than the change's own: 422 `idempotency-key-reused`; 409 `idempotency-key-in-use`, where the first still
  /// runs after 5 s at most.
  virtual void once(keyed_request_ptr request, const std::function<void()>& ask) = 0;

  virtual void create_sources(std::string tenant, std::vector<new_source> sources,
                              reply<std::vector<source_record>> done) = 0;
  virtual void list_sources(std::string tenant, page_request page, reply<postrider::page<source_record>> done) = 0;
  virtual void get_source(std::string tenant, std::string name_or_id, reply<source_record> done) = 0;
  /// The source as the engine has it, its secrets in clear: for a trial whose answer tells none of them.
  virtual void get_source_rules(std::string tenant, std::string name_or_id, reply<source_config> done) = 0;
  virtual void delete_source(std::string tenant, std::string name_or_id, reply<bool> done) = 0;
  /// Reads, decides and writes while nobody else changes the tenant. A problem of `change` is the answer.
  virtual void change_source(std::string tenant, std::string name_or_id, source_change change,
                             reply<source_record> done) = 0;
  /// 422 where the source's scheme has no secrets or this is none of its form; 409 `too-many-secrets` where more than
  /// `live_secrets_max` would be valid.
  virtual void rotate_source_secret(std::string tenant, std::string name_or_id, secret_rotation rotation,
                                    reply<source_record> done) = 0;

  virtual void create_endpoints(std::string tenant, std::vector<new_endpoint> endpoints,
                                reply<std::vector<endpoint_record>> done) = 0;
  virtual void list_endpoints(std::string tenant, page_request page, reply<postrider::page<endpoint_record>> done) = 0;
  virtual void get_endpoint(std::string tenant, endpoint_id id, reply<endpoint_record> done) = 0;
  virtual void get_endpoint_secret(std::string tenant, endpoint_id id, reply<std::string> done) = 0;
  virtual void delete_endpoint(std::string tenant, endpoint_id id, reply<bool> done) = 0;
  virtual void change_endpoint(std::string tenant, endpoint_id id, endpoint_change change,
                               reply<endpoint_record> done) = 0;
  /// 409 `too-many-secrets` likewise.
  virtual void rotate_endpoint_secret(std::string tenant, endpoint_id id, secret_rotation rotation,
                                      reply<bool> done) = 0;

  virtual void get_event(std::string tenant, event_id id, reply<event_record> done) = 0;
  virtual void get_payload(std::string tenant, event_id id, reply<event_payload> done) = 0;
  /// A page may hold less than its limit, even nothing, and still have a next one: the work of one page is bounded.
  virtual void list_events(std::string tenant, event_filter filter, page_request page,
                           reply<postrider::page<event_record>> done) = 0;
  virtual void list_deliveries(std::string tenant, delivery_filter filter, page_request page,
                               reply<postrider::page<delivery_record>> done) = 0;
  virtual void get_delivery(std::string tenant, delivery_id id, reply<delivery_record> done) = 0;
};

} // namespace postrider
