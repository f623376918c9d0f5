#pragma once

#include "actors/management_store.hpp"
#include "net/json_reader.hpp"

#include <boost/json/object.hpp>

namespace postrider {

/// One new source's fields. Errors go to the reader.
new_source read_source(json_reader& reader);

/// What a PATCH makes of a source; 422 with everything that is wrong with the whole of it.
///
/// `provider` is fixed: another one has other secrets, which come by creation alone. `scheme` may change among those of
/// the provider, where the config and the secrets that verify now fit the new one. Scheme and config are checked as a
/// whole where the patch names one of them; one that names neither, such as `{"enabled":false}`, is carried out
/// whatever this version thinks of what is stored.
source_change patch_source(boost::json::object patch);

/// `{"secret","overlap_s"}`; whether it is of the scheme's form is the store's to say.
secret_rotation read_source_rotation(json_reader& reader);

} // namespace postrider
