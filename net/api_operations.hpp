#pragma once

#include "actors/operations_store.hpp"
#include "net/api_router.hpp"

#include <string_view>
#include <vector>

/// The part of the API that does something with what is there: endpoints paused, resumed, reset, tried; deliveries
/// retried, cancelled, replayed; events published and erased; jobs and sums. `store` must outlive the routes.
namespace postrider {

std::vector<api_route> endpoint_operation_routes(operations_store& store);
std::vector<api_route> delivery_operation_routes(operations_store& store);
/// Replay, bulk retry and cancel, and their jobs.
std::vector<api_route> job_routes(operations_store& store);
std::vector<api_route> publish_routes(operations_store& store);
std::vector<api_route> stats_routes(operations_store& store);
/// All of them.
std::vector<api_route> operation_routes(operations_store& store);

/// A pattern of event types: segments between dots; a star stands for a whole segment or more, never for a part of one
/// (in api_endpoint_fields.cpp).
bool valid_event_pattern(std::string_view pattern) noexcept;

/// A POST that takes no fields: an empty body, or an object without any. False: the call was answered.
bool has_no_fields(const api_call& call);

} // namespace postrider
