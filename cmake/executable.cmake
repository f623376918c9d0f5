# The daemon: daemon/main.cpp over postrider_daemon, left at the top of the build folder.
if(EXISTS "${PROJECT_SOURCE_DIR}/daemon/main.cpp")
  add_executable(postrider "${PROJECT_SOURCE_DIR}/daemon/main.cpp")
  target_link_libraries(postrider PRIVATE postrider_daemon postrider_warnings)
  set_target_properties(postrider PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  # Exported symbols (-rdynamic) let the executable's own SSL_* functions stand before libssl's.
  set_target_properties(postrider PROPERTIES ENABLE_EXPORTS ON)
  postrider_spare_beast("${PROJECT_SOURCE_DIR}/daemon/main.cpp")
endif()
