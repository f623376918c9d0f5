# persistence/migrations/NNNN_name.sql are embedded in the program: persistence/embedded_migrations.hpp declares the
# table, the .cpp is generated here.
file(GLOB POSTRIDER_MIGRATIONS CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/persistence/migrations/*.sql")
set(embedded_migrations "${PROJECT_BINARY_DIR}/generated/embedded_migrations.cpp")
add_custom_command(
  OUTPUT "${embedded_migrations}"
  COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${embedded_migrations}" "-DFOLDER=${PROJECT_SOURCE_DIR}/persistence/migrations" -P
          "${PROJECT_SOURCE_DIR}/cmake/embed_migrations.cmake"
  DEPENDS ${POSTRIDER_MIGRATIONS} "${PROJECT_SOURCE_DIR}/cmake/embed_migrations.cmake"
  COMMENT "Embedding the SQL migrations"
  VERBATIM)
get_target_property(persistence_type postrider_persistence TYPE)
if(NOT persistence_type STREQUAL "INTERFACE_LIBRARY")
  target_sources(postrider_persistence PRIVATE "${embedded_migrations}")
endif()
