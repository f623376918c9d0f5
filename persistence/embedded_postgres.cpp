#include "persistence/embedded_postgres.hpp"

#include "persistence/directory_lock.hpp"
#include "persistence/postgres_supervisor.hpp"

#include <thread>

namespace postrider {
namespace {

namespace fs = std::filesystem;

fs::path absolute_root(const fs::path& given) {
  std::error_code failed;
  auto root = fs::weakly_canonical(fs::absolute(given, failed), failed);
  return failed ? given : root;
}

result<bool> make_root(const fs::path& root) {
  std::error_code failed;
  if (fs::create_directories(root, failed))
    fs::permissions(root, fs::perms::owner_all, failed);
  if (failed)
    return embedded_problem("cannot make " + root.string() + ": " + failed.message());
  return true;
}

result<std::unique_ptr<postgres_supervisor>> supervise(const embedded_postgres_options& options,
                                                       directory_lock::role role, milliseconds patience,
                                                       milliseconds command_patience) {
  const auto binaries = find_postgres_binaries(options.binaries);
  if (!binaries)
    return binaries.error();
  if (auto made = make_root(options.directory); !made)
    return made.error();
  auto lock = directory_lock::take(options.directory, role, patience, command_patience);
  if (!lock)
    return lock.error();
  auto directory = prepare_postgres_directory(options.directory, *binaries, options.durable);
  if (!directory)
    return directory.error();
  return postgres_supervisor::start(std::move(*directory), std::move(*lock), options);
}

postgres_directory look_at(const fs::path& root) {
  return {root, {}, socket_directory_of(root)};
}

} // namespace

result<std::unique_ptr<embedded_postgres>> embedded_postgres::start(embedded_postgres_options options) {
  options.directory = absolute_root(options.directory);
  auto owned = supervise(options, directory_lock::role::daemon, options.lock_patience, options.start_deadline);
  if (!owned)
    return owned.error();
  return std::unique_ptr<embedded_postgres>{new embedded_postgres{std::move(*owned), options.directory}};
}

/// The owner may be only starting, or only ending: so both ways are tried in turn until the deadline.
result<std::unique_ptr<embedded_postgres>> embedded_postgres::attach(embedded_postgres_options options) {
  options.directory = absolute_root(options.directory);
  const auto end = std::chrono::steady_clock::now() + options.start_deadline;
  for (;;) {
    auto owned = supervise(options, directory_lock::role::command, milliseconds{0}, milliseconds{0});
    if (owned)
      return std::unique_ptr<embedded_postgres>{new embedded_postgres{std::move(*owned), options.directory}};
    if (owned.error().code != "embedded-postgres-locked")
      return owned.error();
    const auto patience = std::min(milliseconds{500}, options.start_deadline);
    if (wait_until_accepts(look_at(options.directory), patience, [] { return true; }))
      return std::unique_ptr<embedded_postgres>{new embedded_postgres{nullptr, options.directory}};
    if (std::chrono::steady_clock::now() >= end)
      return owned.error();
  }
}

std::string embedded_postgres::url_of(const fs::path& directory) {
  return look_at(absolute_root(directory)).url(embedded_database);
}

embedded_postgres::embedded_postgres(std::unique_ptr<postgres_supervisor> owned, fs::path root) noexcept
    : supervisor_{std::move(owned)}, root_{std::move(root)} {}
embedded_postgres::~embedded_postgres() = default;

std::string embedded_postgres::url() const {
  return url(embedded_database);
}
std::string embedded_postgres::url(std::string_view database) const {
  return look_at(root_).url(database);
}
bool embedded_postgres::healthy() const noexcept {
  return !supervisor_ || supervisor_->healthy();
}
pid_t embedded_postgres::server_pid() const noexcept {
  return supervisor_ ? supervisor_->server_pid() : 0;
}
std::uint32_t embedded_postgres::restarts() const noexcept {
  return supervisor_ ? supervisor_->restarts() : 0;
}
bool embedded_postgres::adopted() const noexcept {
  return supervisor_ && supervisor_->adopted();
}

} // namespace postrider
