#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// clang-format off
/// Places in the supervision tree, their order, and how a page is cut from two ordered streams of them. Pure.
///
/// The tree has a row for each actor that lives, and one for each that could (`passive`): the living are known to their
/// supervisors, those at rest to the database alone, in which every tenant, source and endpoint of an owned shard has
/// its row, whether its actor lives or not. Neither is a copy of the other, and neither is read as a whole. A page asks
/// each stream for the stretch that follows the cursor, and merges:
///
///     live    (memory)   a1    a3 a4        ── read to a4, more behind it
///     resting (database) a1 a2 a3    a5 a6  ── complete
///     page               a1 a2 a3 a4        ── a5 waits: something between a4 and a5 may live
///                         L  P  L  L
///
/// What stands in both lives; what stands in the database alone rests; what lives and has no row (it was deleted just
/// now) is shown as it lives. Nothing is shown beyond the place up to which both streams were read. Below a supervisor
/// that did not answer nobody knows who lives, so nothing is said of its children.
///
/// A cursor is the place that was shown last: who comes or goes elsewhere moves nobody to another page, and each place
/// is met once.
// clang-format on
namespace postrider {

/// In the order in which they stand below their parent.
enum class tree_kind : std::uint8_t { node, tenant_supervisor, delivery, provider_verifier };
std::string_view to_string(tree_kind kind) noexcept;
std::optional<tree_kind> parse_tree_kind(std::string_view word) noexcept;

/// `/node/{node}`, `…/tenants/{slug}`, `…/deliveries/{endpoint id}`, `…/sources/{name}`. Ordered segment by segment
/// (byte by byte within one), so that a parent comes before its children and these before its next sibling: `/` is less
/// than any character of a name.
struct tree_path {
  std::string node;
  std::string tenant; ///< slug; empty: the node itself
  tree_kind kind = tree_kind::node;
  std::string child; ///< endpoint id or source name

  // clang-tidy 14 takes the 0 in the comparison that the compiler writes for a null pointer.
  friend auto operator<=>(const tree_path&, const tree_path&) = default; // NOLINT(modernize-use-nullptr)
};
std::string to_string(const tree_path& path);
/// Nothing where no actor could have such a path.
std::optional<tree_path> parse_tree_path(std::string_view text);

/// The path of that tenant's supervisor.
tree_path supervisor_path(std::string node, std::string tenant);
/// A place behind all children of that tenant, and before the next tenant.
tree_path end_of_tenant(std::string node, std::string tenant);
/// Whether `path` is `supervisor` or one of its children.
bool is_at_or_below(const tree_path& path, const tree_path& supervisor) noexcept;

/// What follows a cursor in one stream, in order.
struct tree_stretch {
  std::vector<tree_path> places;
  bool complete = false; ///< nothing follows the last of them
  /// Where not complete: up to here, inclusive, everything is in `places`. Nothing: not even the first was read.
  std::optional<tree_path> read_to{};
};

struct tree_page {
  struct entry {
    tree_path at;
    std::optional<std::size_t> live;    ///< index into the live stretch
    std::optional<std::size_t> resting; ///< index into the resting one
  };
  std::vector<entry> entries; ///< at most `limit`
  bool complete = false;      ///< nothing follows
  /// Where not complete: the cursor from which to go on; nothing: the one that was given.
  std::optional<tree_path> next{};
};

/// The first `limit` (at least 1) places of both. `silent`: supervisors that did not answer.
tree_page merge_stretches(const tree_stretch& live, const tree_stretch& resting, std::span<const tree_path> silent,
                          std::size_t limit);

} // namespace postrider
