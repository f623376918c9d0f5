# postrider_folder_library(FOLDER LINK targets... [EXCLUDE files...])
#
# Makes the static library postrider_FOLDER of FOLDER/*.cpp and FOLDER/*/*.cpp. A folder that has no source yet becomes
# an interface library, so that its headers can be used already.
function(postrider_folder_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK;EXCLUDE")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cpp" "${PROJECT_SOURCE_DIR}/${folder}/*/*.cpp")
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/${folder}/${excluded}")
  endforeach()
  if(folder STREQUAL "net")
    list(REMOVE_ITEM sources ${POSTRIDER_ASIO_SOURCES})
  endif()

  set(library postrider_${folder})
  if(sources)
    add_library(${library} STATIC ${sources})
    target_include_directories(${library} PUBLIC "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${library} PUBLIC ${arg_LINK} Threads::Threads PRIVATE postrider_warnings)
    postrider_spare_beast(${sources})
  else()
    add_library(${library} INTERFACE)
    target_include_directories(${library} INTERFACE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${library} INTERFACE ${arg_LINK} Threads::Threads)
  endif()
endfunction()

# The compiled half of Asio and Beast, once for the whole program (BOOST_ASIO_SEPARATE_COMPILATION). It is a library
# beside postrider_net so that programs which need no Postrider code, such as the straw man, can link it as well.
set(POSTRIDER_ASIO_SOURCES "${PROJECT_SOURCE_DIR}/net/asio_impl.cpp" "${PROJECT_SOURCE_DIR}/net/beast_impl.cpp")
add_library(postrider_asio STATIC ${POSTRIDER_ASIO_SOURCES})
target_link_libraries(postrider_asio PUBLIC Boost::headers Boost::system OpenSSL::SSL Threads::Threads)
postrider_without_ubsan(${POSTRIDER_ASIO_SOURCES})
