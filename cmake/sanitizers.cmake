# Sanitizers for the whole build, chosen by POSTRIDER_SANITIZER (the presets `dev` and `tsan` set it).
if(POSTRIDER_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(POSTRIDER_SANITIZER STREQUAL "thread")
  # TSan does not model the fences in Asio's completion handlers, and says so; what they order, mutexes order as well.
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -Wno-tsan)
  add_link_options(-fsanitize=thread)
elseif(NOT POSTRIDER_SANITIZER STREQUAL "none")
  message(FATAL_ERROR "POSTRIDER_SANITIZER is none, address or thread, not '${POSTRIDER_SANITIZER}'")
endif()

# postrider_without_ubsan(SOURCES...): leaves UBSan out of these files. Beast's templates with it take minutes and more
# than a gigabyte to compile; ASan stays on.
function(postrider_without_ubsan)
  if(POSTRIDER_SANITIZER STREQUAL "address")
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -fno-sanitize=undefined)
  endif()
endfunction()

# postrider_spare_beast(SOURCES...): the same for those of the files that include Beast themselves.
function(postrider_spare_beast)
  foreach(source IN LISTS ARGN)
    file(STRINGS "${source}" beast_includes REGEX "^#include <boost/beast" LIMIT_COUNT 1)
    if(beast_includes)
      postrider_without_ubsan("${source}")
    endif()
  endforeach()
endfunction()
