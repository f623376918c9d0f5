#pragma once

#include "actors/management_store.hpp"
#include "net/api_router.hpp"
#include "net/json_reader.hpp"
#include "net/target_guard.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace postrider {

/// What the API needs to know of the configuration.
struct api_options {
  bool http_allowed = false; ///< endpoints may have `http://` URLs (`[delivery] https_only = false`, `--dev`)
  std::shared_ptr<const target_guard> guard{}; ///< refuses literal addresses at once; nothing: only at connect time
  std::vector<std::string> plans{};            ///< names of `[plans.NAME]`
  /// What an endpoint gets that does not say it (`[delivery] timeout_ms`, `max_in_flight`).
  milliseconds timeout_default{15'000};
  std::uint32_t max_in_flight_default = 32;
};

/// The management API (`/v1`), one table for each aggregate. `store` must outlive them.
std::vector<api_route> tenant_routes(management_store& store, const api_options& options);
/// A tenant's API keys.
std::vector<api_route> key_routes(management_store& store);
std::vector<api_route> source_routes(management_store& store);
/// What a source would say of a request, with nothing stored; the providers that are known.
std::vector<api_route> verify_routes(management_store& store);
std::vector<api_route> endpoint_routes(management_store& store, const api_options& options);
std::vector<api_route> event_routes(management_store& store);
std::vector<api_route> delivery_routes(management_store& store);
/// All of them.
std::vector<api_route> api_routes(management_store& store, const api_options& options);

/// One endpoint's fields (in api_endpoint_fields.cpp). Errors go to the reader.
new_endpoint read_endpoint(json_reader& reader, const api_options& options);
/// All of them but the secret. `stored_tls`: what the endpoint has, for a PATCH.
new_endpoint read_endpoint_fields(json_reader& reader, const api_options& options,
                                  const endpoint_tls* stored_tls = nullptr);
/// The `secret` given, or a new one; empty where something is wrong.
std::string read_endpoint_secret(json_reader& reader);

} // namespace postrider
