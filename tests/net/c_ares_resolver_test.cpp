// The resolver against a name server on loopback that says what the test wants.
#include "net/resolver.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <atomic>
#include <optional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace postrider;

namespace {

/// Answers every question of type A as told, others with an empty answer; `silent` answers nothing.
class name_server {
public:
  enum class manner : std::uint8_t { answer, no_such_name, silent };
  explicit name_server(manner how, std::uint32_t ttl = 30) : how_(how), ttl_(ttl) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    BOOST_REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    BOOST_REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~name_server() {
    ::shutdown(fd_, SHUT_RDWR); // wakes recvfrom
    thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] dns_settings settings() const {
    return {.servers = "127.0.0.1:" + std::to_string(port_), .timeout = std::chrono::milliseconds{150}, .rounds = 1};
  }
  [[nodiscard]] int questions() const { return questions_.load(); }

private:
  void serve() {
    std::string packet(512, '\0');
    sockaddr_in from{};
    for (;;) {
      socklen_t size = sizeof from;
      const auto got = ::recvfrom(fd_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17)
        return;
      auto question = packet.substr(0, static_cast<std::size_t>(got));
      const auto end = question.find('\0', 12) + 5; // name, type, class
      const bool type_a = question[end - 3] == 1;
      questions_ += type_a ? 1 : 0;
      if (how_ == manner::silent)
        continue;
      std::string answer = question.substr(0, end);
      answer[2] = static_cast<char>(0x81);
      answer[3] = static_cast<char>(how_ == manner::no_such_name ? 0x83 : 0x80);
      answer[7] = how_ == manner::answer && type_a ? 1 : 0;
      answer[9] = answer[11] = 0; // no additional section
      if (answer[7] == 1) {
        answer += std::string{"\xc0\x0c\0\1\0\1", 6}; // the name of the question, A, IN
        for (int shift = 24; shift >= 0; shift -= 8)
          answer += static_cast<char>(ttl_ >> shift);
        answer += std::string{"\0\4\x5d\xb8\xd8\x22", 6}; // 93.184.216.34
      }
      ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  manner how_;
  std::uint32_t ttl_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> questions_{0};
  std::thread thread_;
};

struct fixture {
  boost::asio::io_context context;
  std::unique_ptr<resolver> names;

  resolution ask(const std::string& host) {
    std::optional<resolution> answer;
    names->resolve(host, [&](const resolution& found) { answer = found; });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!answer && std::chrono::steady_clock::now() < until) {
      context.restart();
      context.run_for(std::chrono::milliseconds{20});
    }
    BOOST_REQUIRE(answer);
    return *answer;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(c_ares_resolver, fixture)

BOOST_AUTO_TEST_CASE(a_name_has_its_address) {
  name_server server{name_server::manner::answer};
  names = c_ares_resolvers(server.settings())(context);
  const auto answer = ask("hooks.example.com");
  BOOST_TEST((answer.failure == attempt_reason::none));
  BOOST_REQUIRE(answer.addresses.size() == 1u);
  BOOST_TEST(to_string(answer.addresses.front()) == "93.184.216.34");
}

BOOST_AUTO_TEST_CASE(an_answer_is_kept_for_its_time_to_live) {
  name_server server{name_server::manner::answer};
  names = c_ares_resolvers(server.settings())(context);
  ask("hooks.example.com");
  ask("hooks.example.com");
  BOOST_TEST(server.questions() == 1);
  ask("other.example.com");
  BOOST_TEST(server.questions() == 2);
}

BOOST_AUTO_TEST_CASE(many_who_ask_at_once_share_one_question) {
  name_server server{name_server::manner::answer};
  names = c_ares_resolvers(server.settings())(context);
  int answered = 0;
  for (int caller = 0; caller < 20; ++caller)
    names->resolve("hooks.example.com",
                   [&](const resolution& found) { answered += static_cast<int>(found.addresses.size()); });
  ask("hooks.example.com");
  BOOST_TEST(answered == 20);
  BOOST_TEST(server.questions() == 1);
}

BOOST_AUTO_TEST_CASE(a_name_that_does_not_exist_fails_and_is_asked_for_again) {
  name_server server{name_server::manner::no_such_name};
  names = c_ares_resolvers(server.settings())(context);
  BOOST_TEST((ask("gone.example.com").failure == attempt_reason::dns_failed));
  const auto asked = server.questions();
  BOOST_TEST((ask("gone.example.com").failure == attempt_reason::dns_failed));
  BOOST_TEST(server.questions() > asked);
}

BOOST_AUTO_TEST_CASE(a_silent_name_server_is_a_time_out) {
  name_server server{name_server::manner::silent};
  names = c_ares_resolvers(server.settings())(context);
  BOOST_TEST((ask("slow.example.com").failure == attempt_reason::dns_timeout));
}

BOOST_AUTO_TEST_CASE(it_can_be_destroyed_while_somebody_waits) {
  name_server server{name_server::manner::silent};
  names = c_ares_resolvers(server.settings())(context);
  bool told = false;
  names->resolve("slow.example.com", [&](const resolution&) { told = true; });
  names.reset();
  context.run_for(std::chrono::milliseconds{50});
  BOOST_TEST(!told);
}

BOOST_AUTO_TEST_SUITE_END()
