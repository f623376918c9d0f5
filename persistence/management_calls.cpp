#include "persistence/management_calls.hpp"

#include <spdlog/spdlog.h>

namespace postrider {

problem internal_error(const std::exception& thrown) {
  spdlog::error("management store: call failed detail={}", thrown.what());
  return {500, "internal-error", "the request could not be carried out"};
}

problem problem_of(const session_failure& failure) {
  switch (failure.what) {
  case session_failure::kind::lost:
  case session_failure::kind::busy:
    spdlog::warn("management store: call failed sqlstate={} detail={}", failure.sqlstate, failure.detail);
    return store_unavailable();
  case session_failure::kind::rejected:
    return {422, "validation-failed", "the database refuses a value of this request"};
  case session_failure::kind::mistake:
    break;
  }
  spdlog::error("management store: call failed sqlstate={} detail={}", failure.sqlstate, failure.detail);
  return {500, "internal-error", "the request could not be carried out"};
}

} // namespace postrider
