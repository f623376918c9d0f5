#pragma once

#include "core/endpoint_dispatch.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace postrider::test {

/// One endpoint's world around endpoint_dispatch, on virtual time and by one seed: its rows in the database with the
/// guards of STORE, an endpoint that is healthy, fails or hangs by turns, a lease that may be lost, messages that
/// arrive late. Breaks off with `std::logic_error`, naming the seed, when something happens that must never happen.
class dispatch_world {
public:
  struct conditions {
    std::uint64_t seed = 0;
    bool outages = false;     ///< the database is away at times
    bool lease_moves = false; ///< the shard is lost and comes back under another fence
    bool lease_blips = false; ///< it comes back under the same fence, held by nobody else meanwhile
    bool due_poll = true;     ///< hints each second; without them the dispatch has to wake up by itself
    std::uint32_t events = 60;
    std::uint32_t order_keys = 0; ///< 0: parallel; 1: FIFO; else so many keys
  };
  explicit dispatch_world(conditions given);

  /// Lets it all happen, then makes the endpoint healthy and waits for the end of every delivery.
  void run();

  struct sums {
    std::uint64_t starts = 0, probes = 0, releases = 0, opened = 0, claims = 0, interrupted = 0, rides = 0, dead = 0;
    std::array<std::uint64_t, lane_count> by_lane{}; ///< claimed
    std::uint64_t written_again = 0;                 ///< batches whose commit was in doubt
    std::uint64_t kept = 0;                          ///< attempts that were ready when the same fence came back
  };
  [[nodiscard]] const sums& seen() const noexcept { return seen_; }

private:
  struct row {
    delivery_state state = delivery_state::pending;
    std::uint32_t attempt_count = 0, step = 0, seed = 0;
    fence under = 0;
    std::optional<wall_time> due{};
    delivery_lane lane = delivery_lane::live_medium;
    wall_time changed{};
    std::set<std::uint32_t> recorded; // numbers of the attempts' rows
    std::set<std::uint32_t> sent;     // numbers that the endpoint saw
    std::optional<order_place> place{};
  };
  enum class health : std::uint8_t { good, failing, hanging };

  [[noreturn]] void fail(const std::string& what) const;
  void require(bool holds, const char* what) const {
    if (!holds)
      fail(what);
  }
  [[nodiscard]] dispatch_now now() { return {mono_, wall_, static_cast<double>(below(1'000)) / 1e3}; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void later(milliseconds in, std::function<void()> what);
  void pass_to(mono_time at);

  // what happens
  void new_event();
  void change_weather();
  void lose_lease();
  void take_lease();
  void poll();
  // what dispatch wants done
  void perform();
  void start(const dispatch_effects::start& each);
  void answer(const dispatch_effects::start& each);
  void write(std::vector<dispatch_effects::write> batch);
  void write_front();
  recorded_write execute(const dispatch_effects::write& each);
  bool hits(const dispatch_effects::write& each, row& found);
  void claim(dispatch_effects::claim wanted, fence under);
  claim_answer execute(dispatch_effects::claim wanted, fence under);
  void execute_in_order(const dispatch_effects::claim& wanted, fence under, claim_answer& answer);
  claimed_attempt take(const delivery_id& id, const dispatch_effects::claim& wanted, fence under);
  void tell_of(const delivery_id& id);
  /// I9.
  void check_turn(const delivery_id& id, const row& which);
  void interrupt(row& each);
  /// By the table of deliveries, or never.
  void move(row& each, delivery_input input);
  // what must hold
  void check();
  [[nodiscard]] std::uint32_t running_in_background() const;
  [[nodiscard]] bool all_final() const;

  conditions given_;
  std::mt19937_64 random_;
  mono_time mono_{std::chrono::hours{1'000}};
  wall_time wall_{std::chrono::hours{24 * 365 * 50}};
  dispatch_policy policy_;
  endpoint_dispatch dispatch_;
  dispatch_effects out_;
  std::map<delivery_id, row> rows_;
  std::set<delivery_id> on_their_way_;           // committed rides whose message has not arrived
  std::map<delivery_id, std::uint32_t> running_; // at SENDER: number
  std::multimap<std::pair<mono_time, std::uint64_t>, std::function<void()>> agenda_;
  std::uint64_t sequence_ = 0;
  mono_time writer_free_{}, word_free_{};                      // STORE's writer and its words are in order
  std::deque<std::vector<dispatch_effects::write>> unwritten_; // batches given to STORE and not answered
  fence lease_ = 1;                                            // as the database has it
  fence next_fence_ = 2;
  fence returning_ = 1;    // the next one
  bool suspended_ = false; // between the loss and the return
  bool moves_ = false;     // it was another's meanwhile
  std::int64_t lent_ = 0, taken_ = 0;
  health weather_ = health::good;
  bool away_ = false;
  bool over_ = false; // nothing new happens, all is well
  std::uint32_t made_ = 0;
  std::int64_t last_no_ = 0; // of the order
  std::uint64_t timers_now_ = 0;
  sums seen_;
};

} // namespace postrider::test
