#include "config/setting_keys.hpp"

#include <algorithm>
#include <array>

namespace postrider {

namespace {

using enum setting_kind;

template <class Reach>
constexpr auto field(Reach reach) {
  return +reach; // the plain function behind the lambda
}
#define POSTRIDER_FIELD(member) field([](settings & s) -> auto& { return s.member; })

constexpr std::array<std::string_view, 5> log_levels{"trace", "debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> log_formats{"json", "text"};

constexpr std::array sections{
  setting_section{"node", "This process."},
  setting_section{"database", "The only store of truth."},
  setting_section{"public", "The listener that providers and tenants call: /in/..., /v1/..."},
  setting_section{"operator", "The listener for operators: /actors, /healthz, /readyz, /metrics, /v1/..."},
  setting_section{"cluster", "Traffic between nodes."},
  setting_section{"secrets", "Keys that protect secrets at rest. Values are file:PATH or env:NAME."},
  setting_section{"jwt", "JSON Web Tokens as an alternative to API keys; all three keys or none."},
  setting_section{"delivery", "What is true of every endpoint unless it says otherwise, and where deliveries may go."},
  setting_section{"retention", "How long events and their deliveries are kept."},
  setting_section{"shutdown", "What happens between SIGTERM and the end."},
  setting_section{"log", "Standard error."},
};

constexpr std::int64_t ten_minutes_ms = 600'000;

// clang-format off
constexpr std::array keys{
  setting_key{.name = "node.name", .kind = node_name, .at = POSTRIDER_FIELD(node.name), .help = "unique in the cluster; empty: the host's name", .flag = "node"},
  setting_key{.name = "node.io_threads", .kind = integer, .at = POSTRIDER_FIELD(node.io_threads), .help = "threads that serve sockets", .min = 1, .max = 64},
  setting_key{.name = "node.actor_threads", .kind = integer, .at = POSTRIDER_FIELD(node.actor_threads), .help = "threads that run actors", .min = 1, .max = 64},

  setting_key{.name = "database.url", .kind = database_url, .at = POSTRIDER_FIELD(database.url), .help = "libpq URL or DSN, several hosts allowed; needed unless --embedded-postgres is given", .flag = "database-url"},
  setting_key{.name = "database.accept_writers", .kind = integer, .at = POSTRIDER_FIELD(database.accept_writers), .help = "connections that commit accepted events; one makes the larger batches", .min = 1, .max = 4},
  setting_key{.name = "database.accept_linger_us", .kind = integer, .at = POSTRIDER_FIELD(database.accept_linger_us), .help = "microseconds that a batch waits for more; for disks with a dear fsync", .min = 0, .max = 100'000},

  setting_key{.name = "public.listen", .kind = host_port, .at = POSTRIDER_FIELD(public_.listen), .help = "HOST:PORT; port 0 takes a free one", .flag = "public"},
  setting_key{.name = "public.tls_certificate", .kind = path, .at = POSTRIDER_FIELD(public_.tls_certificate), .help = "PEM file of the chain; empty: no TLS"},
  setting_key{.name = "public.tls_key", .kind = path, .at = POSTRIDER_FIELD(public_.tls_key), .help = "PEM file of its key"},
  setting_key{.name = "public.trusted_proxies", .kind = cidr_list, .at = POSTRIDER_FIELD(public_.trusted_proxies), .help = "addresses of proxies whose forwarding headers are believed"},

  setting_key{.name = "operator.listen", .kind = host_port, .at = POSTRIDER_FIELD(operator_.listen), .help = "HOST:PORT; port 0 takes a free one", .flag = "operator"},
  setting_key{.name = "operator.tls_certificate", .kind = path, .at = POSTRIDER_FIELD(operator_.tls_certificate), .help = "PEM file of the chain; empty: no TLS"},
  setting_key{.name = "operator.tls_key", .kind = path, .at = POSTRIDER_FIELD(operator_.tls_key), .help = "PEM file of its key"},
  setting_key{.name = "operator.client_ca", .kind = path, .at = POSTRIDER_FIELD(operator_.client_ca), .help = "PEM file of the authority that every client must present a certificate of; empty: none is asked for"},

  setting_key{.name = "cluster.listen", .kind = host_port, .at = POSTRIDER_FIELD(cluster.listen), .help = "HOST:PORT; empty: a single node", .flag = "cluster", .not_yet = true},
  setting_key{.name = "cluster.advertise", .kind = host_port, .at = POSTRIDER_FIELD(cluster.advertise), .help = "HOST:PORT that peers dial; empty: the listener's", .not_yet = true},
  setting_key{.name = "cluster.certificate", .kind = path, .at = POSTRIDER_FIELD(cluster.certificate), .help = "PEM file of this node's certificate", .not_yet = true},
  setting_key{.name = "cluster.key", .kind = path, .at = POSTRIDER_FIELD(cluster.key), .help = "PEM file of its key", .not_yet = true},
  setting_key{.name = "cluster.ca", .kind = path, .at = POSTRIDER_FIELD(cluster.ca), .help = "PEM file of the cluster's own authority", .not_yet = true},
  setting_key{.name = "cluster.lease_ttl_ms", .kind = integer, .at = POSTRIDER_FIELD(cluster.lease_ttl_ms), .help = "milliseconds that a shard's lease lasts unless it is renewed", .min = 2'000, .max = ten_minutes_ms, .flag = "lease-ttl-ms"},

  setting_key{.name = "secrets.master_key", .kind = secret, .at = POSTRIDER_FIELD(secrets.master_key), .help = "32 bytes, base64; needed unless --dev is given"},
  setting_key{.name = "secrets.previous_keys", .kind = secret_list, .at = POSTRIDER_FIELD(secrets.previous_keys), .help = "former master keys, which only decrypt", .not_yet = true},

  setting_key{.name = "jwt.keys", .kind = text, .at = POSTRIDER_FIELD(jwt.keys), .help = "JWKS: file:PATH or a URL; empty: JWTs are refused", .not_yet = true},
  setting_key{.name = "jwt.issuer", .kind = text, .at = POSTRIDER_FIELD(jwt.issuer), .help = "the claim iss must be this", .not_yet = true},
  setting_key{.name = "jwt.audience", .kind = text, .at = POSTRIDER_FIELD(jwt.audience), .help = "the claim aud must name this", .not_yet = true},

  setting_key{.name = "delivery.https_only", .kind = boolean, .at = POSTRIDER_FIELD(delivery.https_only), .help = "refuse endpoints with http:// URLs; --dev allows them"},
  setting_key{.name = "delivery.allow_cidrs", .kind = cidr_list, .at = POSTRIDER_FIELD(delivery.allow_cidrs), .help = "private addresses that deliveries may go to all the same"},
  setting_key{.name = "delivery.deny_cidrs", .kind = cidr_list, .at = POSTRIDER_FIELD(delivery.deny_cidrs), .help = "addresses that deliveries never go to; beats allow_cidrs"},
  setting_key{.name = "delivery.ca_bundle", .kind = path, .at = POSTRIDER_FIELD(delivery.ca_bundle), .help = "PEM file of authorities that endpoints' certificates may have beside the system's"},
  setting_key{.name = "delivery.timeout_ms", .kind = integer, .at = POSTRIDER_FIELD(delivery.timeout_ms), .help = "milliseconds for a whole attempt, connecting included", .min = 100, .max = 60'000},
  setting_key{.name = "delivery.disable_after_s", .kind = integer, .at = POSTRIDER_FIELD(delivery.disable_after_s), .help = "seconds of nothing but failures after which an endpoint is disabled; 0: never", .min = 0, .max = 31'536'000},
  setting_key{.name = "delivery.max_in_flight", .kind = integer, .at = POSTRIDER_FIELD(delivery.max_in_flight), .help = "attempts of one endpoint at a time", .min = 1, .max = 1'000},
  setting_key{.name = "delivery.connections_max", .kind = integer, .at = POSTRIDER_FIELD(delivery.connections_max), .help = "open connections to endpoints in all; at most half of the descriptors", .min = 1, .max = 1'000'000},

  setting_key{.name = "retention.days", .kind = integer, .at = POSTRIDER_FIELD(retention.days), .help = "days that events are kept at most; a tenant's or plan's retention_days may be less. The same on all nodes", .min = 1, .max = 3'650},

  setting_key{.name = "shutdown.linger_ms", .kind = integer, .at = POSTRIDER_FIELD(shutdown.linger_ms), .help = "milliseconds that requests are still taken, with /readyz at 503", .min = 0, .max = ten_minutes_ms},
  setting_key{.name = "shutdown.drain_ms", .kind = integer, .at = POSTRIDER_FIELD(shutdown.drain_ms), .help = "milliseconds for what is in flight to end", .min = 0, .max = ten_minutes_ms},

  setting_key{.name = "log.level", .kind = choice, .at = POSTRIDER_FIELD(log.level), .help = "the least level that is written", .choices = log_levels, .flag = "log-level"},
  setting_key{.name = "log.format", .kind = choice, .at = POSTRIDER_FIELD(log.format), .help = "one object a line, or words for people", .choices = log_formats},
};

constexpr std::array plan_key_table{
  plan_key{"ingest_per_s", &plan_settings::ingest_per_s, "webhooks a second"},
  plan_key{"ingest_bytes_per_s", &plan_settings::ingest_bytes_per_s, "bytes of webhooks a second"},
  plan_key{"sources", &plan_settings::sources, "sources"},
  plan_key{"endpoints", &plan_settings::endpoints, "endpoints"},
  plan_key{"backlog", &plan_settings::backlog, "deliveries that are not final"},
  plan_key{"retention_days", &plan_settings::retention_days, "days that events are kept"},
};
// clang-format on

#undef POSTRIDER_FIELD

} // namespace

std::span<const setting_key> setting_keys() {
  return keys;
}

const setting_key* find_setting(std::string_view name) {
  const auto found = std::ranges::find(keys, name, &setting_key::name);
  return found == keys.end() ? nullptr : &*found;
}

std::span<const setting_section> setting_sections() {
  return sections;
}

std::span<const plan_key> plan_keys() {
  return plan_key_table;
}

} // namespace postrider
