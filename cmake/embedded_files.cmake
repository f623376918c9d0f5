# postrider_embed_file(FOLDER FILE HEADER FUNCTION): FILE becomes part of the program, in the library of FOLDER. HEADER
# declares `std::string_view FUNCTION() noexcept;`, the .cpp is generated here.
function(postrider_embed_file folder file header function)
  set(source "${PROJECT_SOURCE_DIR}/${file}")
  set(generated "${PROJECT_BINARY_DIR}/generated/${function}.cpp")
  add_custom_command(
    OUTPUT "${generated}"
    COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${generated}" "-DINPUT=${source}" "-DHEADER=${header}" "-DFUNCTION=${function}"
            -P "${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake"
    DEPENDS "${source}" "${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake"
    COMMENT "Embedding ${file}"
    VERBATIM)
  target_sources(postrider_${folder} PRIVATE "${generated}")
endfunction()

postrider_embed_file(config config/presets.json config/embedded_presets.hpp embedded_presets)
postrider_embed_file(net docs/openapi.json net/embedded_openapi.hpp embedded_openapi)
