#pragma once

#include <span>
#include <string_view>

namespace postrider {

/// One file of persistence/migrations/, which is named NNNN_name.sql.
struct migration {
  int number;            ///< NNNN: 1, 2, 3 … without gaps
  std::string_view name; ///< the part after NNNN_
  std::string_view sql;  ///< the whole file
};

/// All migrations that this program knows, in the order of their numbers. The table is generated at build time by
/// cmake/embed_migrations.cmake, so a deployed daemon needs no file beside it.
std::span<const migration> embedded_migrations();

} // namespace postrider
