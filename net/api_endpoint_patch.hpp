#pragma once

#include "actors/management_store.hpp"
#include "net/api_routes.hpp"
#include "net/json_reader.hpp"

#include <boost/json/object.hpp>

namespace postrider {

/// What a PATCH (RFC 7396) makes of an endpoint; 422 with everything that is wrong with the whole of it.
///
/// It is merged into the object as it is shown, so that nested fields of `retry`, `breaker` and `headers` stay where
/// they are not named. The two forms of `retry` exclude each other: a patch with fields of the one drops those of the
/// other. Null restores the default. `url` passes the checks of a new one where it is named; else it stays, even if it
/// could not be set any more, so that such an endpoint can be disabled. `sources` likewise.
///
/// | status   | `"enabled":false`            | `"enabled":true` | not named |
/// | -------- | ---------------------------- | ---------------- | --------- |
/// | active   | disabled, `disabled_by_user` | active           | active    |
/// | paused   | disabled, `disabled_by_user` | paused           | paused    |
/// | disabled | disabled, its reason stays   | active           | disabled  |
///
/// A pause is an operator's and ends by his word; disabling outranks it, and what is enabled again is active.
endpoint_change patch_endpoint(boost::json::object patch, const api_options& options);

/// `{"overlap_s","secret"?}`; without a secret a new one is made.
secret_rotation read_endpoint_rotation(json_reader& reader);

} // namespace postrider
