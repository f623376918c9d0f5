#pragma once

#include "actors/clock.hpp"
#include "actors/store.hpp"
#include "core/metrics.hpp"
#include "core/shard.hpp"
#include "core/signature.hpp"
#include "net/http_sender.hpp"
#include "net/io_threads.hpp"
#include "net/target_guard.hpp"
#include "net/tls_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace postrider::test {

/// The owner of attempts: keeps what it is told.
class result_inbox final : public delivery_port {
public:
  void finished(std::vector<attempt_result> results) override {
    const std::lock_guard lock{mutex_};
    batches_.push_back(results.size());
    for (auto& each : results)
      results_.push_back(std::move(each));
    changed_.notify_all();
  }
  void recorded(std::vector<record_result>) override { throw std::logic_error("SENDER records nothing"); }

  /// All results so far, once there are `count`; fails after 20 s.
  std::vector<attempt_result> wait_for(std::size_t count) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return results_.size() >= count; }))
      throw std::runtime_error("only " + std::to_string(results_.size()) + " of " + std::to_string(count) + " results");
    return results_;
  }
  std::vector<std::size_t> batches() {
    const std::lock_guard lock{mutex_};
    return batches_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<attempt_result> results_;
  std::vector<std::size_t> batches_;
};

/// Names as the test says; one without an entry is never answered.
class fake_resolver final : public resolver {
public:
  explicit fake_resolver(const std::map<std::string, resolution>& names) : names_(names) {}
  void resolve(const std::string& host, callback done) override {
    if (const auto found = names_.find(host); found != names_.end())
      done(found->second);
    else
      unanswered_.push_back(std::move(done));
  }

private:
  const std::map<std::string, resolution>& names_;
  std::vector<callback> unanswered_;
};

inline const std::string test_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A SENDER on real io threads, allowed to call loopback.
struct sender_fixture {
  std::map<std::string, resolution> names;
  std::size_t threads_count = 2;
  sender_settings settings{.https_only = false};
  target_guard::rules rules{.allow = {}, .deny = {}, .allow_loopback = true};
  std::string ca_file;

  lease_trust trust;
  db_clock clock;
  metrics counts;
  std::shared_ptr<result_inbox> inbox = std::make_shared<result_inbox>();
  std::shared_ptr<target_guard> guard;
  std::unique_ptr<io_threads> threads;
  std::unique_ptr<http_sender> sender;

  sender_fixture() { trust.trust_until(std::numeric_limits<std::int64_t>::max()); }
  ~sender_fixture() { sender.reset(); }

  /// Called by the first send; settings and names are fixed from then on.
  void start() {
    if (sender)
      return;
    guard = std::make_shared<target_guard>(rules);
    threads = std::make_unique<io_threads>(threads_count);
    std::string error;
    auto tls = tls_client::make(ca_file, error);
    if (!tls)
      throw std::runtime_error(error);
    sender = std::make_unique<http_sender>(
      *threads, settings, guard, tls, trust, clock, counts,
      [this](boost::asio::io_context&) { return std::make_unique<fake_resolver>(names); });
    threads->start();
  }

  static std::shared_ptr<endpoint_config> endpoint(std::string url, endpoint_no number = 1) {
    auto out = std::make_shared<endpoint_config>();
    out->no = number;
    out->url = std::move(url);
    out->secrets = {{test_secret}};
    out->timeout = std::chrono::seconds{10};
    return out;
  }

  static std::shared_ptr<event> an_event(std::string body = R"({"n":1})") {
    auto out = std::make_shared<event>();
    out->id = event_id{make_uuid_v7(wall_time{std::chrono::seconds{1'700'000'000}}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})};
    out->source_name = "github-main";
    out->type = "push";
    out->content_type = "application/json";
    out->forward_headers = "X-GitHub-Delivery: 72d3162e\r\nX-GitHub-Event: push\r\n";
    out->body = std::move(body);
    return out;
  }

  attempt_request request(std::shared_ptr<const endpoint_config> to, std::uint32_t number = 1,
                          event_ptr what = an_event()) {
    return {.delivery = {},
            .number = number,
            .breaker_epoch = 7,
            .what = std::move(what),
            .endpoint = std::move(to),
            .owner = inbox};
  }

  /// One attempt, to its end.
  attempt_result send(const std::shared_ptr<const endpoint_config>& to, std::uint32_t number = 1,
                      event_ptr what = an_event()) {
    start();
    const auto before = inbox->wait_for(0).size();
    std::vector<attempt_request> one;
    one.push_back(request(to, number, std::move(what)));
    sender->start(std::move(one));
    return inbox->wait_for(before + 1).back();
  }
  attempt_result send(std::string url) { return send(endpoint(std::move(url))); }

  /// Runs until it holds, at most 10 s.
  template <class Condition>
  static bool eventually(Condition holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!holds())
      if (std::chrono::steady_clock::now() > until)
        return false;
      else
        std::this_thread::yield();
    return true;
  }
};

} // namespace postrider::test

namespace postrider {
inline std::ostream& operator<<(std::ostream& out, attempt_reason reason) {
  return out << '"' << to_string(reason) << '"';
}
} // namespace postrider
