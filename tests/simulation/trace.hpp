#pragma once

#include "core/time.hpp"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postrider::simulation {

/// An invariant does not hold. Its text says which, and the numbers that show it.
class violation : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// What happened in a run: the last events to be shown, all of them in a hash, so that two runs can be compared.
class trace {
public:
  static constexpr std::size_t shown = 60;

  /// `what` must live as long as the trace (a literal).
  void note(milliseconds at, std::string_view what, std::int64_t first = 0, std::int64_t second = 0,
            std::int64_t third = 0);
  /// Also tells each event at once, as a line on the standard error: for looking at one seed.
  void tell_all() noexcept { tells_ = true; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  /// One event a line, oldest first.
  [[nodiscard]] std::string text() const;

private:
  struct entry {
    milliseconds at{};
    std::string_view what;
    std::array<std::int64_t, 3> values{};
  };
  static std::string line(const entry& of);
  void mix(std::uint64_t value) noexcept { hash_ = (hash_ ^ value) * 0x100000001b3ULL; }

  std::array<entry, shown> ring_{};
  bool tells_ = false;
  std::uint64_t count_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

/// The first violation since it was emptied. Thrown in an actor's handler it ends that actor only: whoever runs the
/// actors looks here.
inline std::string& first_violation() {
  static std::string text;
  return text;
}

/// `text`, and then the values.
template <class... Values>
[[noreturn]] void violated(std::string text, Values... values) {
  ((text += ' ', text += std::to_string(values)), ...);
  if (first_violation().empty())
    first_violation() = text;
  throw violation{text};
}

} // namespace postrider::simulation
