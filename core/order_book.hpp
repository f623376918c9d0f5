#pragma once

#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// clang-format off
/// In which order an endpoint's deliveries are sent: what of it one DELIVERY has in memory. Pure.
///
/// The truth is the database's: a key's deliveries are numbered in the order of their commits (docs/decisions/0014). A
/// claim brings, of each free key, the first of them that are due: a *chain*. Only its front is ever sent; the next one's
/// turn comes when it is recorded that the front is final. A front that is not final yet (it failed, it is released)
/// takes what is behind it back to the database. While a chain is open its key is claimed no more.
///
/// Which keys to ask for next is known of at most `keys_max`: those told by commits, by answered claims and by one's own
/// outcomes. All others are found by going round the endpoint's keys, a page at a time, when something is due and nobody
/// says of which key: a *look around*, at most four a second. So a blocked key costs a probe a round, however long its
/// backlog is, and holds up no other.
// clang-format on
namespace postrider {

/// Stored as numbers: never renumber.
enum class delivery_ordering : std::uint8_t { parallel = 0, fifo = 1, fifo_per_key = 2 };

/// Where a delivery stands among those of its endpoint, and which of them it waits for: those of its key. Deliveries
/// without a key, and all of a FIFO endpoint, share the empty one.
struct order_place {
  std::int64_t no = 0; ///< from 1, without gaps, over all keys
  std::string key;
};

/// What a claim on an ordered endpoint looks for.
struct order_look {
  std::vector<std::string> keys;      ///< these, as far as they are free
  std::vector<std::string> open_keys; ///< not these: what is claimed of them is not ended yet
  std::optional<std::string> from{};  ///< and all keys from this one on, in the order of their bytes, up to a page
  std::uint32_t run = 1;              ///< of each key at most so many
};

class order_book {
public:
  static constexpr std::size_t keys_max = 1'000;
  static constexpr std::size_t wanted_max = 64;
  static constexpr std::uint32_t run_max = 64;
  static constexpr milliseconds round_every{250};
  static constexpr milliseconds page_every{50}; ///< between two pages of a round that brought nothing

  // ---- chains
  /// Behind all of its key that are here. True: it is the front, so its turn has come.
  bool add(const delivery_id& delivery, std::string key);
  /// It goes back to the database, and all behind it; answers those behind, in order. They count as open until each has
  /// left.
  std::vector<delivery_id> cut(const delivery_id& delivery);
  /// It has left memory: a front because it is recorded as final, another that was cut before, due then. Whose turn has
  /// come, if anybody's. With the last of its key that key is asked for again, since more of it may have come.
  std::optional<delivery_id> left(const delivery_id& delivery, std::optional<wall_time> due, wall_time now);
  /// As if it had been added and cut: what somebody else left in flight of a key is being closed.
  void adopt(const delivery_id& delivery, std::string key);
  /// Cuts all that are not fronts.
  std::vector<delivery_id> cut_behind();
  [[nodiscard]] bool contains(const delivery_id& delivery) const { return key_of_.contains(delivery); }

  // ---- what is asked for next
  /// The key's next is due then, as far as anybody knows.
  void expect(const std::string& key, wall_time at);
  /// Whatever is expected is due now.
  void expect_all(wall_time now);
  /// Something is due, of a key that is not known.
  void look_around() noexcept { round_wanted_ = true; }
  /// How an attempt ended decides how many of a key are claimed at once: one after a failure, more with each success.
  void note_end(bool final) noexcept;

  [[nodiscard]] bool wants_look(const wall_time& wall, mono_time mono) const;
  /// When it will; nothing: only a message can make it.
  [[nodiscard]] std::optional<mono_time> look_at(const wall_time& wall, mono_time mono) const;
  /// Begins a look. `all`: at keys that are expected later too, soonest first.
  order_look look(bool all, wall_time wall, mono_time mono);
  /// It was answered: `from` is where its round goes on, nothing: it is over, or was none. `found`: something was
  /// claimed.
  void looked(std::optional<std::string> from, bool found, mono_time now);
  /// It could not be carried out: its keys are expected at once, its round begins anew.
  void failed(wall_time now);
  /// When the next of a key is expected.
  [[nodiscard]] std::optional<wall_time> expected_at() const {
    return by_time_.empty() ? std::nullopt : std::optional{by_time_.begin()->first};
  }
  /// A round runs, or is wanted.
  [[nodiscard]] bool looks_around() const noexcept { return round_wanted_ || round_at_.has_value(); }

private:
  struct key_chain {
    std::deque<delivery_id> line;   // its front is sent
    std::uint32_t leaving = 0;      // cut, and not gone yet
    std::optional<wall_time> due{}; // of what has left, the latest: that of the one that stood first
  };

  void forget_expected(const std::string& key);
  [[nodiscard]] mono_time round_due(mono_time mono) const;

  std::unordered_map<std::string, key_chain> chains_; // of each something is open
  std::unordered_map<delivery_id, std::string> key_of_;
  std::unordered_map<std::string, wall_time> expected_; // keys that are not open, or are to be asked for again
  std::multimap<wall_time, std::string> by_time_;       // the same
  std::optional<wall_time> others_at_{};                // of keys that did not fit
  std::vector<std::string> asked_;                      // by the look that runs
  bool rounding_ = false;                               // the look that runs is a round's
  bool round_wanted_ = false;
  std::optional<std::string> round_at_{}; // the round goes on there
  std::optional<mono_time> round_began_{};
  mono_time page_not_before_{};
  std::uint32_t run_ = 4;
};

} // namespace postrider
