#include "net/http_sender.hpp"

#include "core/metrics.hpp"
#include "net/io_threads.hpp"
#include "net/lane_choice.hpp"
#include "net/sender_lane.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <mutex>
#include <utility>

#include <sys/resource.h>

namespace postrider {
namespace {

/// The other half of the descriptors is for LISTENER, PostgreSQL and files.
std::int64_t bounded_by_descriptors(std::int64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return wanted;
  const auto half = static_cast<std::int64_t>(limit.rlim_cur / 2);
  if (half < wanted)
    spdlog::warn("at most {} connections to endpoints, for RLIMIT_NOFILE is {}", half, limit.rlim_cur);
  return std::max<std::int64_t>(std::min(wanted, half), 1);
}

} // namespace

http_sender::http_sender(io_threads& threads, const sender_settings& settings,
                         std::shared_ptr<const target_guard> guard, std::shared_ptr<const tls_client> tls,
                         const lease_trust& trust, const db_clock& clock, metrics& counts,
                         const resolver_factory& make_resolver)
    : threads_(threads)
    , node_(new sender_node{.trust = trust,
                            .clock = clock,
                            .counts = counts,
                            .guard = std::move(guard),
                            .tls = std::move(tls),
                            .places = connection_places{bounded_by_descriptors(settings.connections_max)}}) {
  counts.endpoint_connections_max.set(node_->places.most());
  const auto idle_max = std::min(settings.idle_max, static_cast<std::size_t>(node_->places.most()) / 2);
  for (std::size_t thread = 0; thread < threads.size(); ++thread) {
    const connection_pool::limits limits{.idle_max = std::max<std::size_t>(idle_max / threads.size(), 1),
                                         .idle_timeout = settings.idle_timeout,
                                         .thread = thread,
                                         .threads = threads.size(),
                                         .https_only = settings.https_only,
                                         .tls = node_->tls};
    auto& context = threads.context(thread);
    lanes_.push_back(std::make_shared<sender_lane>(context, *node_, limits, make_resolver(context)));
  }
}

http_sender::~http_sender() {
  for (std::size_t thread = 0; thread < lanes_.size(); ++thread) {
    if (!threads_.running()) {
      lanes_[thread]->close();
      continue;
    }
    std::promise<void> closed;
    boost::asio::post(threads_.context(thread), [&] {
      lanes_[thread]->close();
      closed.set_value();
    });
    closed.get_future().wait();
  }
}

std::int64_t http_sender::connections_max() const noexcept {
  return node_->places.most();
}

void http_sender::start(std::vector<attempt_request> attempts) {
  const auto now = mono_time::clock::now();
  const auto turn = turn_.fetch_add(1, std::memory_order_relaxed);
  const auto count = attempts.size();
  std::vector<std::vector<attempt_request>> by_thread(lanes_.size());
  for (std::size_t index = 0; index < count; ++index) {
    auto& each = attempts[index];
    const lane_choice lanes{each.endpoint->no, each.endpoint->max_in_flight, lanes_.size()};
    // A batch is cut into as many runs as there are threads: each is woken once.
    by_thread[lanes.thread(turn + index * lanes.used / count)].push_back(std::move(each));
  }
  for (std::size_t thread = 0; thread < lanes_.size(); ++thread)
    if (!by_thread[thread].empty())
      boost::asio::post(threads_.context(thread), [lane = lanes_[thread], batch = std::move(by_thread[thread]),
                                                   now]() mutable { lane->start(std::move(batch), now); });
}

void http_sender::abort(const delivery_port* owner, std::function<void(std::vector<attempt_result>)> done) {
  struct gathering {
    std::mutex mutex;
    std::size_t open = 0;
    std::vector<attempt_result> results;
    std::function<void(std::vector<attempt_result>)> done;
  };
  auto all = std::make_shared<gathering>();
  all->open = lanes_.size();
  all->done = std::move(done);
  for (std::size_t thread = 0; thread < lanes_.size(); ++thread)
    boost::asio::post(threads_.context(thread), [lane = lanes_[thread], owner, all] {
      auto results = lane->abort(owner);
      std::unique_lock lock{all->mutex};
      std::move(results.begin(), results.end(), std::back_inserter(all->results));
      if (--all->open > 0)
        return;
      lock.unlock();
      all->done(std::move(all->results));
    });
}

} // namespace postrider
