#pragma once

#include "core/outcome.hpp"
#include "net/ip_address.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace postrider {

struct resolution {
  attempt_reason failure = attempt_reason::none; ///< none, dns_failed or dns_timeout
  std::vector<ip_address> addresses{};           ///< both families, in the order in which to try them
};

/// Names to addresses, for one io thread and used on it only. Does not judge what it finds: that is target_guard's
/// part.
class resolver {
public:
  using callback = std::function<void(const resolution&)>;
  virtual ~resolver() = default;

  /// `host`: a name, lower case. `done` is called once, on this thread, perhaps before this returns; not at all once
  /// the resolver is destroyed.
  virtual void resolve(const std::string& host, callback done) = 0;
};

/// Makes the resolver of one io thread.
using resolver_factory = std::function<std::unique_ptr<resolver>(boost::asio::io_context&)>;

struct dns_settings {
  std::string servers;                      ///< `address[:port],…`; empty: those of /etc/resolv.conf
  std::chrono::milliseconds timeout{2'000}; ///< of one server, in the first round; doubled in each further
  int rounds = 2;                           ///< over all servers
};

/// By c-ares: /etc/hosts, then the name servers. Answers are kept for their time to live, 1 to 60 s, at most 1,024
/// names; failures are not kept. One query at a time for a name, however many wait for it.
resolver_factory c_ares_resolvers(dns_settings settings = {});

} // namespace postrider
