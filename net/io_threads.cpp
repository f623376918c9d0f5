#include "net/io_threads.hpp"

#include "core/progress.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include <pthread.h>

namespace postrider {

struct io_threads::worker {
  // The hint 1 says that one thread runs the loop: Asio then skips the wake-up when that thread posts to itself.
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running{context.get_executor()};
  boost::asio::steady_timer timer{context};
  pulse turns;
  std::thread thread;

  void turn() {
    turns.beat(mono_time::clock::now());
    timer.expires_after(turn_gap);
    timer.async_wait([this](const boost::system::error_code& stopped) {
      if (!stopped)
        turn();
    });
  }

  void run(std::size_t index) {
    pthread_setname_np(pthread_self(), ("io-" + std::to_string(index)).c_str());
    turn();
    while (!context.stopped()) {
      try {
        context.run();
      } catch (const std::exception& error) {
        // Handlers catch what they can mend; one that could not has lost its own connection only, not the thread.
        spdlog::error("io thread {}: a handler threw: {}", index, error.what());
      }
    }
  }
};

io_threads::io_threads(std::size_t count) {
  workers_.resize(std::clamp<std::size_t>(count, 1, 64));
  for (auto& each : workers_)
    each = std::make_unique<worker>();
}

io_threads::~io_threads() {
  stop();
}

boost::asio::io_context& io_threads::context(std::size_t index) noexcept {
  return workers_[index]->context;
}

void io_threads::start() {
  if (running_ || stopped_)
    return;
  running_ = true;
  for (std::size_t index = 0; index < workers_.size(); ++index)
    workers_[index]->thread = std::thread{[one = workers_[index].get(), index] { one->run(index); }};
}

void io_threads::stop() {
  stopped_ = true;
  running_ = false;
  for (auto& each : workers_)
    each->context.stop();
  for (auto& each : workers_) {
    if (each->thread.joinable())
      each->thread.join();
    each->turns.rest();
  }
}

std::optional<mono_time> io_threads::last_turn(std::size_t index) const noexcept {
  return workers_[index]->turns.last();
}

void io_threads::post(std::size_t index, std::function<void()> work) {
  boost::asio::post(workers_[index]->context, std::move(work));
}

bool io_threads::on_thread(std::size_t index) const noexcept {
  return workers_[index]->thread.get_id() == std::this_thread::get_id();
}

} // namespace postrider
