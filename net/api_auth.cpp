#include "net/api_auth.hpp"

#include "net/http_guard.hpp"

#include <algorithm>
#include <utility>

namespace postrider {

namespace {

/// The API key of `Authorization: Bearer prk_…`; empty: none.
std::string_view bearer_key(std::string_view header) noexcept {
  constexpr std::string_view scheme = "bearer ";
  if (!equal_ignoring_case(header.substr(0, std::min(scheme.size(), header.size())), scheme))
    return {};
  header.remove_prefix(scheme.size());
  while (header.starts_with(' '))
    header.remove_prefix(1);
  return header.starts_with("prk_") && header.size() <= 128 ? header : std::string_view{};
}

problem forbidden() {
  return {403, "forbidden", "this key's role may not do that"};
}

bool role_suffices(api_role role, access needed) noexcept {
  switch (needed) {
  case access::open:
  case access::viewer:
    return true;
  case access::admin:
    return role != api_role::tenant_viewer;
  case access::operator_:
  case access::inspection:
    break;
  }
  return role == api_role::operator_;
}

/// The tenant that the key belongs to is the one that the path names, by id or slug. The key alone tells: of any other
/// tenant nothing is asked, so that neither words nor time tell whether there is one.
void check_tenant(const api_call_ptr& call, const api_key_record& record, access needed,
                  const std::function<void(api_call_ptr)>& then) {
  auto& named = call->parameters.front();
  const auto id = parse_id<tenant_id>(named);
  if (id ? *id != *record.tenant : named != record.tenant_slug)
    return call->fail(not_found("tenant"));
  if (!role_suffices(record.role, needed))
    return call->fail(forbidden());
  named = to_string(*record.tenant);
  then(call);
}

} // namespace

bool failure_limit::note(const std::string& address, mono_time now) {
  const std::lock_guard guard{mutex_};
  auto found = minutes_.find(address);
  if (found == minutes_.end()) {
    if (minutes_.size() >= addresses_max)
      minutes_.erase(std::min_element(minutes_.begin(), minutes_.end(), [](const auto& left, const auto& right) {
        return left.second.began < right.second.began;
      }));
    found = minutes_.emplace(address, minute{now, 0}).first;
  }
  auto& one = found->second;
  if (now - one.began >= window)
    one = {now, 0};
  return ++one.failures > failures_max;
}

void confirmed_operators::note(const api_key_hash& hash, const std::optional<api_key_record>& record, mono_time now) {
  const std::lock_guard guard{mutex_};
  if (!record || record->role != api_role::operator_) {
    entries_.erase(hash);
    return;
  }
  if (entries_.size() >= keys_max && !entries_.contains(hash))
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& left, const auto& right) {
      return left.second.confirmed_at < right.second.confirmed_at;
    }));
  entries_.insert_or_assign(hash, entry{*record, now});
}

std::optional<api_key_record> confirmed_operators::find(const api_key_hash& hash, mono_time now, wall_time wall) {
  const std::lock_guard guard{mutex_};
  const auto found = entries_.find(hash);
  if (found == entries_.end())
    return std::nullopt;
  const auto& [record, confirmed_at] = found->second;
  if (now - confirmed_at < lifetime && (!record.expires_at || wall < *record.expires_at))
    return record;
  entries_.erase(found);
  return std::nullopt;
}

problem api_auth::unauthorized(std::string_view remote_address) {
  if (failures_.note(std::string{remote_address}, std::chrono::steady_clock::now()))
    return {
      429, "too-many-failures", "too many requests without a valid key from this address", {}, failure_limit::window};
  return {401, "unauthorized", "a valid API key is needed: Authorization: Bearer prk_…"};
}

std::optional<problem> api_auth::look_at(std::string_view authorization, access needed,
                                         std::string_view remote_address) {
  if (needed == access::open || !bearer_key(authorization).empty())
    return std::nullopt;
  return unauthorized(remote_address);
}

void api_auth::admit(api_call_ptr call, access needed, bool names_tenant, std::function<void(api_call_ptr)> then) {
  if (needed == access::open)
    return then(std::move(call));
  const auto key = bearer_key(call->authorization);
  if (key.empty())
    return call->fail(unauthorized(call->remote_address));
  const auto hash = hash_api_key(key);
  const auto remembered = [this, hash, needed] {
    const auto now = std::chrono::steady_clock::now();
    const auto wall = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
    return needed == access::inspection ? confirmed_.find(hash, now, wall) : std::nullopt;
  };
  // An answer of "away" may take its whole deadline: while it stands nobody waits for it again, but each asks.
  const auto known = store_away_.load(std::memory_order_relaxed) ? remembered() : std::nullopt;
  store_.find_key(hash, [this, call, hash, needed, names_tenant, then, remembered,
                         answered = known.has_value()](result<std::optional<api_key_record>> found) {
    const bool away = !found && found.error().status == 503;
    store_away_.store(away, std::memory_order_relaxed);
    if (found)
      confirmed_.note(hash, *found, std::chrono::steady_clock::now());
    if (answered)
      return;
    const auto record = found ? *found : away ? remembered() : std::nullopt;
    if (record)
      return admit(call, *record, needed, names_tenant, then);
    call->fail(found ? unauthorized(call->remote_address) : found.error());
  });
  if (known)
    admit(call, *known, needed, names_tenant, then);
}

void api_auth::admit(const api_call_ptr& call, const api_key_record& record, access needed, bool names_tenant,
                     const std::function<void(api_call_ptr)>& then) {
  call->principal = {record.id, record.role, record.tenant};
  if (record.role == api_role::operator_)
    return then(call);
  if (!record.tenant_enabled)
    return call->fail({403, "tenant-disabled", "the tenant of this key is disabled"});
  if (!record.tenant || (!names_tenant && needed != access::viewer))
    return call->fail(forbidden());
  if (names_tenant)
    return check_tenant(call, record, needed, then);
  then(call);
}

} // namespace postrider
