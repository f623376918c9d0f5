#pragma once

#include "config/secret_ref.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace postrider {

/// A named set of quotas, `[plans.NAME]`. Nothing: not limited. Each at least 0.
struct plan_settings {
  std::optional<std::int64_t> ingest_per_s;
  std::optional<std::int64_t> ingest_bytes_per_s;
  std::optional<std::int64_t> sources;
  std::optional<std::int64_t> endpoints;
  std::optional<std::int64_t> backlog;
  std::optional<std::int64_t> retention_days;

  friend bool operator==(const plan_settings&, const plan_settings&) = default;
};

/// Every key of the configuration, `section.key` as `section.key`, with its default. Kind, range, flag and help of each
/// stand in the table of config/setting_keys.cpp; a value that came through `load_settings` is within its range. Plain
/// and copyable; holds no secret, only where secrets are found, but `database.url` may carry a password: print it with
/// `redact_database_url` alone.
struct settings {
  struct node_part {
    std::string name;               ///< letters, digits, `.`, `_`, `-`; 1 to 63; empty: the host's name
    std::int64_t io_threads = 2;    ///< 1 to 64
    std::int64_t actor_threads = 2; ///< 1 to 64
  } node;
  struct database_part {
    std::string url;                   ///< libpq URL or DSN; empty: --embedded-postgres is needed
    std::int64_t accept_writers = 1;   ///< connections that commit accepted events, 1 to 4
    std::int64_t accept_linger_us = 0; ///< 0 to 100000
  } database;
  struct public_part {
    std::string listen = "127.0.0.1:8080";    ///< HOST:PORT, port 0: a free one
    std::string tls_certificate;              ///< path of a PEM chain
    std::string tls_key;                      ///< path of its PEM key
    std::vector<std::string> trusted_proxies; ///< CIDRs whose forwarding headers are believed
  } public_;
  struct operator_part {
    std::string listen = "127.0.0.1:9090";
    std::string tls_certificate;
    std::string tls_key;
    std::string client_ca; ///< path of the PEM authority that clients must present a certificate of
  } operator_;
  struct cluster_part {
    std::string listen;    ///< empty: a single node
    std::string advertise; ///< HOST:PORT that peers dial; empty: `listen`
    std::string certificate;
    std::string key;
    std::string ca;
    std::int64_t lease_ttl_ms = 6'000; ///< 2000 to 600000
  } cluster;
  struct secrets_part {
    secret_ref master_key;                 ///< 32 bytes, base64
    std::vector<secret_ref> previous_keys; ///< only decrypt
  } secrets;
  struct jwt_part {
    std::string keys; ///< JWKS: `file:PATH` or an https URL
    std::string issuer;
    std::string audience;
  } jwt;
  struct delivery_part {
    bool https_only = true;
    std::vector<std::string> allow_cidrs;
    std::vector<std::string> deny_cidrs;
    std::string ca_bundle;                  ///< path of PEM authorities beside the system's
    std::int64_t timeout_ms = 15'000;       ///< 100 to 60000
    std::int64_t max_in_flight = 32;        ///< 1 to 1000
    std::int64_t disable_after_s = 432'000; ///< 0 (never) to 31536000
    std::int64_t connections_max = 16'384;  ///< open to endpoints in all, 1 to 1000000
  } delivery;
  struct retention_part {
    std::int64_t days = 30; ///< 1 to 3650
  } retention;
  struct shutdown_part {
    std::int64_t linger_ms = 2'000; ///< 0 to 600000
    std::int64_t drain_ms = 20'000; ///< 0 to 600000
  } shutdown;
  struct log_part {
    std::string level = "info";  ///< trace, debug, info, warn, error
    std::string format = "json"; ///< json, text
  } log;
  std::map<std::string, plan_settings> plans; ///< by name: `[a-z0-9-]{1,63}`
};

} // namespace postrider
