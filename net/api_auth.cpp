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
    break;
  }
  return role == api_role::operator_;
}

/// The tenant that the key belongs to is the one that the path names, by id or slug.
void check_tenant(management_store& store, const api_call_ptr& call, access needed,
                  const std::function<void(api_call_ptr)>& then) {
  auto& named = call->parameters.front();
  const auto own = *call->principal.tenant;
  const auto go_on = [call, needed, then, own] {
    if (!role_suffices(call->principal.role, needed))
      return call->fail(forbidden());
    call->parameters.front() = to_string(own);
    then(call);
  };
  if (const auto id = parse_id<tenant_id>(named))
    return *id == own ? go_on() : call->fail(not_found("tenant"));
  store.get_tenant(named, [call, own, go_on](result<tenant_record> found) {
    if (!found)
      return call->fail(found.error());
    return found->id == own ? go_on() : call->fail(not_found("tenant"));
  });
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

void api_auth::refuse(const api_call& call) {
  if (failures_.note(call.remote_address, std::chrono::steady_clock::now()))
    return call.fail(
      {429, "too-many-failures", "too many requests without a valid key from this address", {}, failure_limit::window});
  call.fail({401, "unauthorized", "a valid API key is needed: Authorization: Bearer prk_…"});
}

void api_auth::admit(api_call_ptr call, access needed, bool names_tenant, std::function<void(api_call_ptr)> then) {
  if (needed == access::open)
    return then(std::move(call));
  const auto key = bearer_key(call->authorization);
  if (key.empty())
    return refuse(*call);
  store_.find_key(hash_api_key(key), [this, call, needed, names_tenant,
                                      then = std::move(then)](result<std::optional<api_key_record>> found) {
    if (!found)
      return call->fail(found.error());
    if (!*found)
      return refuse(*call);
    const auto& record = **found;
    call->principal = {record.id, record.role, record.tenant};
    if (record.role == api_role::operator_)
      return then(call);
    if (!record.tenant || (!names_tenant && needed != access::viewer))
      return call->fail(forbidden());
    if (names_tenant)
      return check_tenant(store_, call, needed, then);
    then(call);
  });
}

} // namespace postrider
