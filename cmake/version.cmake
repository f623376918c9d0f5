# The version is written once, in project(); core/version.cpp hands it to the program.
set_property(SOURCE "${PROJECT_SOURCE_DIR}/core/version.cpp"
             APPEND PROPERTY COMPILE_DEFINITIONS POSTRIDER_VERSION="${PROJECT_VERSION}")
