#include "net/sender_lane.hpp"

#include "actors/clock.hpp"
#include "actors/store.hpp"
#include "core/metrics.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace postrider {
namespace {

constexpr std::chrono::seconds sweep_every{1};
constexpr std::size_t spare_buffers_max = 256;

} // namespace

sender_lane::sender_lane(boost::asio::io_context& context, sender_node& node, connection_pool::limits limits,
                         std::unique_ptr<resolver> names)
    : context_(context), node_(node), names_(std::move(names)), pool_(limits), timer_(context) {}

void sender_lane::start(std::vector<attempt_request> attempts, mono_time asked_at) {
  for (auto& each : attempts)
    start_one(std::move(each), asked_at);
}

void sender_lane::start_one(attempt_request request, mono_time asked_at) {
  if (closed_)
    return;
  const auto now = mono_time::clock::now();
  auto endpoint = pool_.prepare(request.endpoint, now);
  auto connection = pool_.take(request.endpoint->no, now);
  if (!connection)
    connection = open(endpoint, {.tenant = request.what->tenant,
                                 .endpoint = request.endpoint->no,
                                 .weight = weight_of(request.endpoint->priority)});
  if (connection)
    return connection->run(std::move(request), std::move(endpoint), asked_at);
  report(std::move(request.owner), {.delivery = request.delivery,
                                    .number = request.number,
                                    .breaker_epoch = request.breaker_epoch,
                                    .facts = {.failure = attempt_reason::connect_timeout},
                                    .started_at = node_.clock.now(),
                                    .sent = false,
                                    .excerpt = {}});
}

std::shared_ptr<client_connection> sender_lane::open(std::shared_ptr<prepared_endpoint> endpoint,
                                                     const connection_holder& whose) {
  // Only this thread's idle ones can make room; those of the others are part of a half and run out in `idle_timeout`.
  if (!node_.places.take(whose) && !(pool_.evict_for(whose, node_.places) && node_.places.take(whose)))
    return nullptr;
  node_.counts.endpoint_connections.add(1);
  return std::make_shared<client_connection>(*this, std::move(endpoint), whose);
}

void sender_lane::connection_closed(const connection_holder& whose) noexcept {
  node_.places.give_back(whose);
  node_.counts.endpoint_connections.add(-1);
}

void sender_lane::attempt_started(client_connection& connection, mono_time deadline) {
  running_.push_back(connection);
  ++running_count_;
  node_.counts.attempts_running.add(1);
  wheel_.arm(connection, deadline);
  wake_by(mono_time::clock::now() + deadline_wheel::tick);
}

void sender_lane::attempt_ended(client_connection& connection) {
  connection.auto_hook<running_tag>::unlink();
  deadline_wheel::disarm(connection);
  --running_count_;
  node_.counts.attempts_running.add(-1);
}

void sender_lane::keep(const std::shared_ptr<client_connection>& connection,
                       std::optional<std::chrono::seconds> peer_timeout) {
  if (node_.places.beyond_share(connection->holder()))
    return connection->close();
  pool_.put(connection, mono_time::clock::now(), peer_timeout);
}

void sender_lane::report(std::shared_ptr<delivery_port> owner, attempt_result result) {
  if (!result.sent)
    node_.counts.attempts_refused.add();
  ended_.push_back({std::move(owner), std::move(result)});
  if (std::exchange(flush_posted_, true))
    return;
  // Behind everything that is ready in this turn of the loop.
  boost::asio::post(context_, [self = shared_from_this()] { self->flush(); });
}

void sender_lane::flush() {
  flush_posted_ = false;
  if (closed_)
    return;
  auto all = std::exchange(ended_, {});
  std::stable_sort(all.begin(), all.end(), [](const ended& left, const ended& right) {
    return std::less<>{}(left.owner.get(), right.owner.get());
  });
  for (auto from = all.begin(); from != all.end();) {
    const auto owner = from->owner;
    std::vector<attempt_result> results;
    for (; from != all.end() && from->owner == owner; ++from)
      results.push_back(std::move(from->result));
    owner->finished(std::move(results));
  }
  if (ended_.capacity() == 0) {
    all.clear();
    ended_ = std::move(all); // its memory serves the next turn
  }
}

std::vector<attempt_result> sender_lane::abort(const delivery_port* owner) {
  std::vector<std::shared_ptr<client_connection>> running;
  for (auto& each : running_)
    if (each.is_owned_by(owner))
      running.push_back(each.shared_from_this());
  for (const auto& each : running)
    each->abort();
  std::vector<attempt_result> out;
  const auto others =
    std::stable_partition(ended_.begin(), ended_.end(), [&](const ended& each) { return each.owner.get() != owner; });
  std::transform(others, ended_.end(), std::back_inserter(out), [](ended& each) { return std::move(each.result); });
  ended_.erase(others, ended_.end());
  return out;
}

void sender_lane::close() {
  closed_ = true;
  while (!running_.empty()) {
    const auto kept = running_.front().shared_from_this();
    attempt_ended(*kept);
    kept->close();
  }
  pool_.close();
  names_.reset();
  ended_.clear();
  timer_.cancel();
}

std::vector<char> sender_lane::take_buffer() noexcept {
  if (buffers_.empty())
    return {};
  auto out = std::move(buffers_.back());
  buffers_.pop_back();
  return out;
}

void sender_lane::give_buffer(std::vector<char> buffer) {
  // One that has grown for a large head is not kept.
  if (buffer.size() == response_reader::buffer_first && buffers_.size() < spare_buffers_max)
    buffers_.push_back(std::move(buffer));
}

void sender_lane::wake_by(mono_time at) {
  if (closed_ || wake_at_ <= at)
    return;
  wake_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->closed_)
      self->tick();
  });
}

void sender_lane::tick() {
  wake_at_ = mono_time::max();
  const auto now = mono_time::clock::now();
  wheel_.advance(now);
  if (now - swept_at_ >= sweep_every) {
    swept_at_ = now;
    pool_.sweep(now);
  }
  if (running_count_ > 0)
    wake_by(now + deadline_wheel::tick);
  else if (!pool_.empty())
    wake_by(now + sweep_every);
}

} // namespace postrider
