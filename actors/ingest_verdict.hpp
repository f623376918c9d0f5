#pragma once

#include "actors/ingest.hpp"
#include "core/provider_verification.hpp"

namespace postrider {

/// What a provider gets of a source that says so of its request (api.md, "Ingest"): the one place where that is
/// decided, for requests that come and for those that somebody only tells of (`verify-sample`). Whom it goes to, and an
/// accepted event's id, are the caller's.
ingest_answer ingest_verdict(const source_config& source, const verification& found);

} // namespace postrider
