#include "core/tree_path.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace postrider {
namespace {

constexpr std::array<std::string_view, 4> words{"node", "tenant_supervisor", "delivery", "provider_verifier"};

/// Greater than every character that a source's name may have.
constexpr char behind_all_names = '~';

/// The next segment of `/a/b/c`; empty where there is none.
std::string_view take_segment(std::string_view& rest) noexcept {
  if (!rest.starts_with('/'))
    return {};
  const auto end = std::min(rest.find('/', 1), rest.size());
  const auto segment = rest.substr(1, end - 1);
  rest.remove_prefix(end);
  return segment;
}

std::optional<tree_path> earlier(const std::optional<tree_path>& left, const std::optional<tree_path>& right) {
  return !left ? right : !right ? left : std::min(*left, *right);
}

/// The last place up to which everything is known; nothing: to the end. `blind`: nothing is known at all.
std::optional<tree_path> horizon_of(const tree_stretch& live, const tree_stretch& resting, bool& blind) {
  blind = (!live.complete && !live.read_to) || (!resting.complete && !resting.read_to);
  return earlier(live.complete ? std::nullopt : live.read_to, resting.complete ? std::nullopt : resting.read_to);
}

} // namespace

std::string_view to_string(tree_kind kind) noexcept {
  return words[static_cast<std::size_t>(kind)];
}

std::optional<tree_kind> parse_tree_kind(std::string_view word) noexcept {
  const auto* const found = std::find(words.begin(), words.end(), word);
  return found == words.end() ? std::nullopt : std::optional{static_cast<tree_kind>(found - words.begin())};
}

std::string to_string(const tree_path& path) {
  auto out = "/node/" + path.node;
  if (path.kind == tree_kind::node)
    return out;
  out += "/tenants/" + path.tenant;
  if (path.kind != tree_kind::tenant_supervisor)
    out += (path.kind == tree_kind::delivery ? "/deliveries/" : "/sources/") + path.child;
  return out;
}

std::optional<tree_path> parse_tree_path(std::string_view text) {
  tree_path out;
  if (take_segment(text) != "node")
    return std::nullopt;
  out.node = take_segment(text);
  if (out.node.empty())
    return std::nullopt;
  if (text.empty())
    return out;
  out.kind = tree_kind::tenant_supervisor;
  if (take_segment(text) != "tenants")
    return std::nullopt;
  out.tenant = take_segment(text);
  if (out.tenant.empty())
    return std::nullopt;
  if (text.empty())
    return out;
  const auto folder = take_segment(text);
  if (folder != "deliveries" && folder != "sources")
    return std::nullopt;
  out.kind = folder == "deliveries" ? tree_kind::delivery : tree_kind::provider_verifier;
  out.child = take_segment(text);
  return out.child.empty() || !text.empty() ? std::nullopt : std::optional{std::move(out)};
}

tree_path supervisor_path(std::string node, std::string tenant) {
  return {std::move(node), std::move(tenant), tree_kind::tenant_supervisor, {}};
}

tree_path end_of_tenant(std::string node, std::string tenant) {
  return {std::move(node), std::move(tenant), tree_kind::provider_verifier, std::string(1, behind_all_names)};
}

bool is_at_or_below(const tree_path& path, const tree_path& supervisor) noexcept {
  return path.node == supervisor.node && path.tenant == supervisor.tenant;
}

tree_page merge_stretches(const tree_stretch& live, const tree_stretch& resting, std::span<const tree_path> silent,
                          std::size_t limit) {
  tree_page out;
  bool blind = false;
  const auto horizon = horizon_of(live, resting, blind);
  if (blind)
    return out;
  const auto hidden = [&](const tree_path& path) {
    return std::any_of(silent.begin(), silent.end(), [&](const auto& each) { return is_at_or_below(path, each); });
  };
  std::size_t i = 0, j = 0;
  while (i < live.places.size() || j < resting.places.size()) {
    const bool live_first =
      j == resting.places.size() || (i < live.places.size() && live.places[i] <= resting.places[j]);
    const auto& at = live_first ? live.places[i] : resting.places[j];
    if (horizon && at > *horizon)
      break;
    const bool both = live_first && j < resting.places.size() && resting.places[j] == at;
    if (!live_first && hidden(at)) {
      ++j;
      continue;
    }
    if (out.entries.size() == limit) {
      out.next = out.entries.back().at;
      return out;
    }
    auto& entry = out.entries.emplace_back(tree_page::entry{at, {}, {}});
    if (live_first)
      entry.live = i++;
    if (!live_first || both)
      entry.resting = j++;
  }
  out.complete = !horizon;
  out.next = horizon;
  return out;
}

} // namespace postrider
