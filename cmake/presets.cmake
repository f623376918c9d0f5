# config/presets.json is embedded in the program: config/embedded_presets.hpp declares it, the .cpp is generated here.
set(presets_source "${PROJECT_SOURCE_DIR}/config/presets.json")
set(embedded_presets "${PROJECT_BINARY_DIR}/generated/embedded_presets.cpp")
add_custom_command(
  OUTPUT "${embedded_presets}"
  COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${embedded_presets}" "-DINPUT=${presets_source}" -P
          "${PROJECT_SOURCE_DIR}/cmake/embed_presets.cmake"
  DEPENDS "${presets_source}" "${PROJECT_SOURCE_DIR}/cmake/embed_presets.cmake"
  COMMENT "Embedding the provider presets"
  VERBATIM)
target_sources(postrider_config PRIVATE "${embedded_presets}")
