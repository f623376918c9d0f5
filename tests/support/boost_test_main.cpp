// The main() of every unit and integration test program.
#define BOOST_TEST_MODULE postrider
#include <boost/test/unit_test.hpp>

#ifdef __SANITIZE_ADDRESS__
/// libpqxx 6.4 loses the result that libpq made when it finds, before it owns it, that the connection has been shut.
/// Our watchdog shuts connections, so the tests that let it fire would end with that leak.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): LSan's name
extern "C" const char* __lsan_default_suppressions() { // NOLINT(bugprone-reserved-identifier)
  return "leak:PQmakeEmptyPGresult\n";
}
#endif
