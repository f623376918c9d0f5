#pragma once

#include "core/backoff.hpp"
#include "core/circuit_breaker.hpp"
#include "core/delivery_lane.hpp"
#include "core/ids.hpp"
#include "core/ingest_quota.hpp"
#include "core/order_book.hpp"
#include "core/order_key.hpp"
#include "core/provider_scheme.hpp"
#include "core/shard.hpp"
#include "core/time.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postrider {

/// A shared secret in clear, as the engine needs it. Lives in memory only; never logged.
struct secret {
  std::string text;                      ///< as given (`whsec_…` for the standard profile)
  std::optional<wall_time> expires_at{}; ///< rotated out, still valid until then
};

enum class dedupe_mode : std::uint8_t { id = 0, body_hash = 1, off = 2 };
enum class unverified_mode : std::uint8_t { reject = 0, quarantine = 1 };

/// One provider of one tenant.
struct source_config {
  source_no no = 0;
  source_id id;
  std::string name;
  std::string provider;
  std::string scheme;
  bool enabled = true;
  unverified_mode on_unverified = unverified_mode::reject;
  dedupe_mode dedupe = dedupe_mode::id;
  std::vector<secret> secrets;                    ///< newest first
  std::shared_ptr<const provider_scheme> rules{}; ///< none: nothing is believed
  std::map<std::string, std::string> config{};    ///< settings of the scheme; those of an object as `name/key`
};

/// TLS of an endpoint's own; a text that is empty was not given. The key lives in memory only; never logged.
struct endpoint_tls {
  std::string ca_pem;                 ///< the only authorities that may vouch for the endpoint
  std::string client_certificate_pem; ///< what is presented to it, with its chain; with `client_key_pem` or not at all
  std::string client_key_pem;

  [[nodiscard]] bool empty() const noexcept { return ca_pem.empty() && client_certificate_pem.empty(); }
  friend bool operator==(const endpoint_tls&, const endpoint_tls&) = default;
};

/// Stored as numbers: never renumber. `paused`: live deliveries wait; `disabled`: matches nothing, live deliveries
/// wait.
enum class endpoint_status : std::uint8_t { active = 0, paused = 1, disabled = 2 };

/// One URL that receives a tenant's events.
struct endpoint_config {
  endpoint_no no = 0;
  endpoint_id id;
  std::string url;
  std::vector<std::string> event_types;                     ///< patterns; empty: all
  std::vector<source_no> sources;                           ///< empty: all, published events included
  std::vector<std::pair<std::string, std::string>> headers; ///< custom, in order
  std::uint32_t max_in_flight = 32;                         ///< 1 to 1000
  std::optional<double> rate_limit_per_s{};                 ///< requests; nothing: not limited
  milliseconds timeout{15'000};                             ///< total, 100 to 60000
  delivery_priority priority = delivery_priority::medium;
  endpoint_status status = endpoint_status::active;
  delivery_ordering ordering = delivery_ordering::parallel;
  std::optional<order_key_place> order_key{}; ///< of fifo_per_key
  std::vector<secret> secrets;                ///< newest first: each signs
  retry_policy retry = default_retry_policy();
  breaker_policy breaker{};
  std::uint32_t breaker_resets = 0; ///< grows each time an operator resets its breaker: whoever sees it grow closes his
  std::shared_ptr<const endpoint_tls> tls{}; ///< none: as the node says
};

/// All that the engine needs to know of a tenant, of one version. Immutable once shared.
struct tenant_config {
  tenant_no no = 0;
  tenant_id id;
  std::string slug;
  shard_no shard = 0;
  std::int64_t version = 0; ///< `tenant.config_version`; grows with every change of the tenant, its sources, endpoints
  bool enabled = true;
  std::vector<source_config> sources;
  std::vector<endpoint_config> endpoints; ///< deleted ones are left out
  ingest_quotas quotas{};                 ///< its own, else those of its plan
};
using tenant_config_ptr = std::shared_ptr<const tenant_config>;

/// Segments between dots; `*` is one segment, `**` any number of them, none included.
bool matches_event_type(std::string_view pattern, std::string_view type) noexcept;

/// Among whose deliveries one to that endpoint stands: nothing where it takes them in parallel.
std::optional<std::string> order_key_for(const endpoint_config& endpoint, order_key_reader& event);

/// Whether an accepted event of that source and type gets a delivery to the endpoint (status, types, sources).
bool matches(const endpoint_config& endpoint, source_no source, std::string_view type) noexcept;

} // namespace postrider
