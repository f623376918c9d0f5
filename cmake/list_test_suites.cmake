# Run by cmake -P after a test program is linked: asks PROGRAM for its suites and writes OUTPUT, which registers one
# ctest test FOLDER/suite for each of them.
cmake_policy(VERSION 3.25)
# Leaks of a program that only lists its tests tell nothing.
execute_process(
  COMMAND "${CMAKE_COMMAND}" -E env ASAN_OPTIONS=detect_leaks=0 "${PROGRAM}" --list_content --color_output=no
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE errors)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --list_content ended with ${status}:\n${output}${errors}")
endif()

string(REPLACE "\n" ";" lines "${output}${errors}")
set(text "")
set(environment "POSTRIDER_BIN=${DAEMON};POSTRIDER_SOURCE_DIR=${SOURCE}")
foreach(line IN LISTS lines)
  if(line MATCHES "^([A-Za-z0-9_]+)\\*?:?.*$") # an entry without indentation: a suite, or a case outside of any suite
    set(suite "${CMAKE_MATCH_1}")
    string(APPEND text "add_test(\"${FOLDER}/${suite}\" \"${PROGRAM}\" \"--run_test=${suite}\" --color_output=no "
                       "--log_level=error --report_level=short --catch_system_errors=no)\n"
                       "set_tests_properties(\"${FOLDER}/${suite}\" PROPERTIES LABELS \"${LABELS}\" TIMEOUT ${TIMEOUT} "
                       "ENVIRONMENT \"${environment}\")\n")
  endif()
endforeach()
if(text STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} holds no test")
endif()
file(WRITE "${OUTPUT}" "${text}")
