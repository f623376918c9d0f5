#include "daemon/database_reach.hpp"

#include "persistence/insecure_key.hpp"
#include "persistence/migrate.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace postrider {

struct database_reach::shared {
  std::mutex mutex;
  std::condition_variable ended;
  std::optional<result<std::optional<secret_key>>> outcome;
};

namespace {

result<std::optional<secret_key>> reach(const database_reach::wanted& what) {
  try {
    const auto reached = what.migrate ? migrate(what.url) : check_schema(what.url);
    if (!reached)
      return reached.error();
    if (!what.key_needed)
      return std::optional<secret_key>{};
    const auto key = insecure_master_key(what.url);
    if (!key)
      return key.error();
    return std::optional{*key};
  } catch (const std::exception& error) {
    return problem{500, "internal-error", error.what()};
  }
}

} // namespace

database_reach::database_reach(wanted what) : shared_{std::make_shared<shared>()} {
  std::thread{[into = shared_, what = std::move(what)] {
    auto outcome = reach(what);
    {
      const std::lock_guard lock{into->mutex};
      into->outcome = std::move(outcome);
    }
    into->ended.notify_all();
  }}.detach();
}

bool database_reach::wait_for(milliseconds patience) const {
  std::unique_lock lock{shared_->mutex};
  return shared_->ended.wait_for(lock, patience, [this] { return shared_->outcome.has_value(); });
}

result<std::optional<secret_key>> database_reach::outcome() const {
  const std::lock_guard lock{shared_->mutex};
  return *shared_->outcome;
}

} // namespace postrider
