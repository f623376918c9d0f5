#pragma once

#include "config/scheme_parser.hpp"
#include "config/source_settings.hpp"

#include <boost/json/fwd.hpp>

#include <vector>

namespace postrider {

/// A JSON merge patch (RFC 7396 section 2): objects are merged member by member, null removes, all else replaces.
/// `target` becomes an object if it was none.
void merge_patch(boost::json::value& target, const boost::json::value& patch);

/// A source's settings in clear after a merge patch of its `config`. What never comes back is shown as `{"set":true}`,
/// so that in a patch this word stands for the stored value: whoever writes back what he read changes nothing.
///
/// | a secret setting in the patch | becomes |
/// | --- | --- |
/// | `{"set":true}`                 | what is stored; a mistake where nothing is |
/// | `{"set":true,"2":"x"}`         | the same with that member merged in (`salts`) |
/// | null                           | removed |
/// | anything else                  | merged as everything is |
///
/// Not checked against a scheme yet: read_source_settings does that.
boost::json::object merged_settings(const source_settings& stored, boost::json::object patch,
                                    std::vector<scheme_error>& errors);

/// Both parts of the settings as one object, in clear.
boost::json::object clear_settings(const source_settings& settings);

} // namespace postrider
