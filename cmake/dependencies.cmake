# Every library comes from Debian 12's packages; scripts/install-deps names them.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CAF 0.17 REQUIRED COMPONENTS core io openssl)
find_package(spdlog 1.10 REQUIRED) # its target says SPDLOG_COMPILED_LIB and SPDLOG_FMT_EXTERNAL
find_package(fmt 9 REQUIRED)
find_package(CLI11 2.1 REQUIRED)

set(Boost_USE_STATIC_LIBS OFF)
find_package(Boost 1.81.0 EXACT REQUIRED CONFIG COMPONENTS container json system url unit_test_framework)

find_package(PkgConfig REQUIRED)
pkg_check_modules(pqxx REQUIRED IMPORTED_TARGET libpqxx>=6.4)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(cares REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core)

# toml++ is included by one file of config/, so its header-only form costs less than another shared library.
find_path(POSTRIDER_TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
mark_as_advanced(POSTRIDER_TOMLPLUSPLUS_INCLUDE_DIR)
add_library(postrider_tomlplusplus INTERFACE)
target_include_directories(postrider_tomlplusplus SYSTEM INTERFACE "${POSTRIDER_TOMLPLUSPLUS_INCLUDE_DIR}")
add_library(postrider::tomlplusplus ALIAS postrider_tomlplusplus)

# One setting of each library for all targets: two of them in one program would break the one-definition rule.
add_compile_definitions(
  BOOST_ALL_NO_LIB
  BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_TEST_DYN_LINK
  SPDLOG_COMPILED_LIB
  SPDLOG_FMT_EXTERNAL)
