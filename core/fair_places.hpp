#pragma once

#include <cstdint>

/// Places of a whole, shared by dynamic thresholds (Choudhury, Hahne 1998), pure: connections of a node, bytes in its
/// memory. Nothing is set aside for anybody by name; what is free decides how much one may have.
///
/// Two levels: of the whole a tenant may have four times what is free of it; of what its tenant may still have, an
/// endpoint may have `weight` times as much again (4, 2, 1). So
///
/// - alone, a tenant has four fifths of the whole, and its endpoint four fifths, two thirds, or half of those;
/// - however many flood, something stays free, and whoever comes new finds room beside them, unless there are more of
///   them than places;
/// - who has more than his share, because others have come, gets no more, and as he gives back the shares settle:
///   equal ones of equal weight, 4:2:1 within a tenant. Nobody has to be interrupted for that.
namespace postrider {

/// What is taken, in any one unit: `own` of the parent's, `parent` of the whole's.
struct places_taken {
  std::uint64_t own = 0;    ///< an endpoint's
  std::uint64_t parent = 0; ///< its tenant's, `own` included
  std::uint64_t whole = 0;  ///< everybody's, `parent` included
};

/// A tenant's, on the first level.
inline constexpr std::uint32_t parent_weight = 4;

/// How many more one may take that has `own`, while `free` are free for all on its level and it may have `weight` times
/// (0 counts as 1) what is free after each that it takes. Never more than `free`; where `own` is 0 at least one of any.
[[nodiscard]] constexpr std::uint64_t fair_room(std::uint64_t own, std::uint64_t free, std::uint32_t weight) noexcept {
  const std::uint64_t parts = (weight == 0 ? 1U : weight) + std::uint64_t{1};
  // Of what it has and what is free, one part in all stays free.
  const auto stays_free = own / parts + free / parts + (own % parts + free % parts) / parts;
  return stays_free >= free ? 0 : free - stays_free;
}

/// The same on both levels, of a whole of `most`. Counts that cannot be (`own` over `parent`, `whole` over `most`) have
/// no more room than true ones.
[[nodiscard]] constexpr std::uint64_t fair_room(const places_taken& taken, std::uint64_t most,
                                                std::uint32_t weight) noexcept {
  const auto free = taken.whole >= most ? 0 : most - taken.whole;
  return fair_room(taken.own, fair_room(taken.parent, free, parent_weight), weight);
}

/// Whether the last place of one that has any would not be given to it now: others have come, it holds more than its
/// share, and had better give that place back than use it again.
[[nodiscard]] constexpr bool beyond_share(places_taken taken, std::uint64_t most, std::uint32_t weight) noexcept {
  if (taken.own == 0 || taken.parent == 0 || taken.whole == 0)
    return false;
  --taken.own;
  --taken.parent;
  --taken.whole;
  return fair_room(taken, most, weight) == 0;
}

/// While no more than this is taken of `most`, nobody can be beyond his share: not worth a closer look.
[[nodiscard]] constexpr std::uint64_t plenty_of(std::uint64_t most) noexcept {
  return most / 5 * 2;
}

} // namespace postrider
