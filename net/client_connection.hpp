#pragma once

#include "actors/sender.hpp"
#include "net/client_stream.hpp"
#include "net/connection_places.hpp"
#include "net/deadline_wheel.hpp"
#include "net/prepared_endpoint.hpp"
#include "net/resolver.hpp"
#include "net/response_reader.hpp"

#include <boost/intrusive/list_hook.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace postrider {

class sender_lane;

struct idle_tag;
struct running_tag;
template <class Tag>
using auto_hook = boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// One connection to one endpoint, and the attempt that runs on it. Lives on one io thread.
///
/// | phase | goes on with | deadline passed | peer closes, or it breaks |
/// | --- | --- | --- | --- |
/// | resolving | answer: connecting | `dns_timeout` | – |
/// | connecting | connected: handshaking (https) or exchanging | next address or `connect_timeout` | next address |
/// | handshaking | done: exchanging | `timeout` | `tls_handshake`, `tls_certificate` |
/// | exchanging | whole response: idle, or closed | `timeout` | `reset` |
/// | idle | run(): exchanging; too long: closed | – | seen before the next request: closed |
/// | closed | – | – | – |
///
/// After the last address: what the first that said more than "unreachable" said (`connect_refused`, …).
///
/// A request that was written to a kept connection and met no byte of a response is reported as `reset` like any other,
/// never sent again on the quiet: the endpoint may have processed it, and a second request within one attempt would be
/// a duplicate that nobody recorded. Before it is used again a connection is looked at: one that the peer has closed,
/// or on which bytes wait, is not used.
class client_connection final : public stream_observer,
                                public deadline_wheel::entry,
                                public auto_hook<idle_tag>,
                                public auto_hook<running_tag>,
                                public std::enable_shared_from_this<client_connection> {
public:
  /// `holder`: who has taken a place for it; that is given back when it closes.
  client_connection(sender_lane& lane, std::shared_ptr<prepared_endpoint> made_for, const connection_holder& holder)
      : lane_(lane), endpoint_(std::move(made_for)), holder_(holder) {}

  /// Starts one attempt, on a new connection or an idle one. `started`: from when on its time counts.
  void run(attempt_request request, std::shared_ptr<prepared_endpoint> endpoint, mono_time started);
  /// Ends the attempt at once as `interrupted` and closes.
  void abort();
  /// Closes an idle one, or a running one without a report (SENDER is going away).
  void close() noexcept;

  [[nodiscard]] bool is_owned_by(const delivery_port* owner) const noexcept { return request_.owner.get() == owner; }
  [[nodiscard]] const prepared_endpoint& endpoint() const noexcept { return *endpoint_; }
  [[nodiscard]] endpoint_no endpoint_number() const noexcept { return holder_.endpoint; }
  [[nodiscard]] const connection_holder& holder() const noexcept { return holder_; }
  [[nodiscard]] bool quiet() noexcept { return stream_ && stream_->quiet(); }

  mono_time idle_until{}; ///< kept by the pool while idle

private:
  enum class phase : std::uint8_t { resolving, connecting, handshaking, exchanging, idle, closed };

  void resolve();
  void resolved(const resolution& answer);
  void connect_next();
  void connected(const boost::system::error_code& error, std::size_t address);
  void note_connect_failure(const boost::system::error_code& error);
  bool open_stream();
  void exchange();
  void receive();
  void finish_response();
  void fail(attempt_reason reason);
  void refuse(); ///< ends the attempt as not sent
  void finish(const attempt_facts& facts, bool sent, bool keep);

  void handshaken(attempt_reason failure) override;
  void written(bool whole) override;
  void received(std::size_t count) override;
  void deadline_passed() override;

  sender_lane& lane_;
  std::shared_ptr<prepared_endpoint> endpoint_;
  connection_holder holder_;
  phase phase_ = phase::resolving;
  std::shared_ptr<tls_session_slot> session_; ///< outlives the stream, also when the configuration changes meanwhile
  std::unique_ptr<client_stream> stream_;

  // of the attempt
  std::shared_ptr<client_connection> self_; ///< while it runs
  attempt_request request_;
  wall_time started_at_{};
  mono_time started_{};
  mono_time deadline_{};
  std::vector<ip_address> addresses_;
  std::size_t address_ = 0;
  attempt_reason connect_failure_ = attempt_reason::none;
  bool writing_ = false;
  std::string head_;
  response_reader reader_;
};

} // namespace postrider
