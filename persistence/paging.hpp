#pragma once

#include "actors/management_store.hpp"

#include <pqxx/pqxx>

#include <cstddef>
#include <limits>

/// Pages of lists, newest first. Include it in .cpp files only: it brings all of libpqxx.
namespace postrider {

/// The bound of the page, exclusive: greater than any UUIDv7 for the first.
inline uuid before_of(const page_request& request) {
  uuid greatest;
  greatest.bytes.fill(0xff);
  return request.before.value_or(greatest);
}

/// One row more than asked for tells whether there is a next page.
inline std::int64_t row_limit(const page_request& request) {
  return static_cast<std::int64_t>(request.limit) + 1;
}

template <class T, class Read, class IdOf>
page<T> read_page(const pqxx::result& rows, const page_request& request, Read&& read, IdOf&& id_of) {
  page<T> out;
  for (const auto& row : rows) {
    if (out.data.size() == request.limit) {
      out.next = id_of(out.data.back());
      break;
    }
    out.data.push_back(read(row));
  }
  return out;
}

} // namespace postrider
