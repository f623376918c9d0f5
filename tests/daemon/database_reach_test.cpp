#include "daemon/database_reach.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace postrider;
using namespace std::chrono_literals;

namespace {

/// Takes connections into its queue and never answers.
struct silent_server {
  silent_server() {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    BOOST_REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&at), size) == 0);
    BOOST_REQUIRE(::listen(descriptor, 8) == 0);
    BOOST_REQUIRE(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    url = "postgresql://nobody@127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "/none";
  }
  ~silent_server() { close(); }
  silent_server(const silent_server&) = delete;
  silent_server& operator=(const silent_server&) = delete;
  void close() {
    if (descriptor >= 0)
      ::close(descriptor);
    descriptor = -1;
  }
  int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string url;
};

} // namespace

BOOST_AUTO_TEST_SUITE(daemon_database_reach)

BOOST_AUTO_TEST_CASE(whoever_waits_can_stop_waiting_and_is_told_later_that_it_is_away) {
  silent_server server;
  const database_reach attempt{{server.url, true, false}};
  BOOST_TEST(!attempt.wait_for(10ms));
  { const database_reach left_alone{{server.url, true, false}}; } // does not wait for its thread
  server.close();
  BOOST_REQUIRE(attempt.wait_for(30s));
  BOOST_REQUIRE(attempt.outcome().has_error());
  BOOST_TEST(attempt.outcome().error().status == 503);
}

BOOST_AUTO_TEST_SUITE_END()
