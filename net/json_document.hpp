#pragma once

#include <boost/json/fwd.hpp>

#include <string>

namespace postrider {

/// The document as text. Boost.JSON's own serializer writes 0.25 as 2.5E-1; this writes numbers as people do, in the
/// shortest form that reads as the same value. Not a number and infinity, which JSON does not have, become null. For
/// documents of our own, whose depth is that of the objects in api.md.
std::string json_document(const boost::json::value& what);

} // namespace postrider
