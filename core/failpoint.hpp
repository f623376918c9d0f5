#pragma once

#include <cstddef>
#include <optional>
#include <string>

#ifdef POSTRIDER_FAILPOINTS
#include <array>
#include <string_view>
#endif

/// Failpoints: named places where a test makes the process die, wait, or lose its connection. In the program only where
/// it is built with `-DPOSTRIDER_FAILPOINTS=ON`, as the preset `dev` does; else a site compiles to nothing and no trace
/// of it is in the program. The environment alone arms them:
///
///     POSTRIDER_FAILPOINTS="accept.committed=kill@3,outcome.before=stall:500"
///
/// `kill`: SIGKILL to the process; `stall:MS`: the thread sleeps (at most 60,000 ms); `cut`: what the site itself does,
/// such as shutting its socket. `@N`: at the Nth hit alone, counted over all threads from 1; without it at every hit.
/// Each time one acts it says so on standard error, in one line of JSON.
namespace postrider {

#ifdef POSTRIDER_FAILPOINTS

struct failpoint {
  std::string_view name;
  std::string_view where;
};

/// Every failpoint there is, in the order in which an event comes by.
inline constexpr std::array failpoints{
  failpoint{"ingest.read", "the request was read, nothing of it is known"},
  failpoint{"ingest.verified", "its signature was found good, nothing is planned"},
  failpoint{"accept.before", "before the accept statement is sent; cut: it is never sent"},
  failpoint{"accept.unheard", "as it is sent; cut: it is committed, and its answer is not heard"},
  failpoint{"accept.committed", "it was committed, nobody has been answered"},
  failpoint{"attempt.before", "before the first byte to the endpoint"},
  failpoint{"attempt.answered", "the endpoint's response was read, nobody has been told"},
  failpoint{"outcome.before", "before the outcome statement is sent; cut: it is never sent"},
  failpoint{"outcome.unheard", "as it is sent; cut: it is committed, and its answer is not heard"},
  failpoint{"outcome.committed", "it was committed, its owner has not been told"},
  failpoint{"claim.before", "before a claim is sent; cut: it is never sent"},
  failpoint{"claim.unheard", "as it is sent; cut: it is committed, and its answer is not heard"},
  failpoint{"claim.committed", "it was committed, its asker has not been told"},
  failpoint{"sweep.before", "shards were taken over, nothing of the former owner is closed"},
  failpoint{"sweep.halfway", "its first attempts are closed, what it had claimed is not"},
};

/// The place in the list above. A name that is not there does not compile.
consteval std::size_t failpoint_number(std::string_view name) {
  for (std::size_t i = 0; i < failpoints.size(); ++i)
    if (failpoints.at(i).name == name)
      return i;
  throw "no failpoint of this name"; // never runs: it ends the compilation
}

/// Counts the hit and does what is armed there. True: the site shall cut.
bool hit_failpoint(std::size_t number) noexcept;

/// Arms what `text` says (the form above) and nothing else; what is wrong with it, or nothing. Before other threads
/// run.
std::optional<std::string> arm_failpoints(std::string_view text);
/// The same with the environment's word. Nothing is armed where it says nothing.
std::optional<std::string> arm_failpoints_of_environment();

#define POSTRIDER_FAILPOINT(name) static_cast<void>(::postrider::hit_failpoint(::postrider::failpoint_number(name)))
#define POSTRIDER_FAILPOINT_CUT(name, how)                                                                             \
  static_cast<void>(::postrider::hit_failpoint(::postrider::failpoint_number(name)) && ((how), true))

#else

inline std::optional<std::string> arm_failpoints_of_environment() {
  return std::nullopt;
}

/// A site: kills or stalls.
#define POSTRIDER_FAILPOINT(name) static_cast<void>(0)
/// A site that can also cut: `how` is the expression that does it.
#define POSTRIDER_FAILPOINT_CUT(name, how) static_cast<void>(0)

#endif

} // namespace postrider
