# ccache makes a second build cheap; where it is absent nothing else changes.
find_program(POSTRIDER_CCACHE ccache)
mark_as_advanced(POSTRIDER_CCACHE)
if(POSTRIDER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${POSTRIDER_CCACHE}")
endif()
