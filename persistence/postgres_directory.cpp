#include "persistence/postgres_directory.hpp"

#include "persistence/postgres_configuration.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace postrider {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t log_size_max = 16U << 20U;

std::string system_reason() {
  return std::strerror(errno);
}

std::optional<unix_user> user_of_passwd(const passwd* entry) {
  if (!entry || entry->pw_uid == 0)
    return std::nullopt;
  return unix_user{entry->pw_uid, entry->pw_gid, entry->pw_name};
}

/// Root does not run PostgreSQL: the owner of the data does, at first an existing unprivileged user.
result<std::optional<unix_user>> choose_user(const fs::path& data) {
  struct stat status {};
  const bool exists = stat(data.c_str(), &status) == 0;
  if (geteuid() != 0) {
    if (exists && status.st_uid != geteuid())
      return embedded_problem(data.string() + " belongs to another user; start as that user or as root");
    return std::optional<unix_user>{};
  }
  if (exists && status.st_uid != 0) {
    if (auto owner = user_of_passwd(getpwuid(status.st_uid)))
      return owner;
    return std::optional{unix_user{status.st_uid, status.st_gid, std::to_string(status.st_uid)}};
  }
  for (const char* name : {"postgres", "nobody"})
    if (auto user = user_of_passwd(getpwnam(name)))
      return user;
  return embedded_problem("started as root, and there is neither a user postgres nor nobody to run PostgreSQL as");
}

result<bool> give_to(const fs::path& path, const std::optional<unix_user>& user) {
  if (user && lchown(path.c_str(), user->uid, user->gid) != 0)
    return embedded_problem("cannot give " + path.string() + " to " + user->name + ": " + system_reason());
  return true;
}

/// A directory of mode 0700 that belongs to whom it should; made where it is missing.
result<bool> own_directory(const fs::path& path, const std::optional<unix_user>& user) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return embedded_problem("cannot make " + path.string() + ": " + system_reason());
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return embedded_problem(path.string() + " is not a directory");
  if ((status.st_mode & 0777) != 0700 && chmod(path.c_str(), 0700) != 0)
    return embedded_problem("cannot set the mode of " + path.string() + ": " + system_reason());
  return give_to(path, user);
}

/// Data that root copied here (a restored backup) becomes the server's.
result<bool> give_tree_to(const fs::path& path, const std::optional<unix_user>& user) {
  struct stat status {};
  if (!user || lstat(path.c_str(), &status) != 0 || status.st_uid == user->uid)
    return true;
  std::error_code failed;
  for (const auto& entry : fs::recursive_directory_iterator{path, failed})
    if (auto given = give_to(entry.path(), user); !given)
      return given;
  if (failed)
    return embedded_problem("cannot read " + path.string() + ": " + failed.message());
  return give_to(path, user);
}

} // namespace

/// Never through a symbolic link: the server's user can put one into its own directory.
result<bool> replace_file(const fs::path& path, const std::string& text, const std::optional<unix_user>& user) {
  const auto fresh = fs::path{path}.concat(".new");
  unlink(fresh.c_str());
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return embedded_problem("cannot make " + fresh.string() + ": " + system_reason());
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       (!user || fchown(fd, user->uid, user->gid) == 0) && fsync(fd) == 0;
  const int why = errno;
  close(fd);
  if (!written)
    return embedded_problem("cannot write " + fresh.string() + ": " + std::strerror(why));
  if (std::rename(fresh.c_str(), path.c_str()) != 0)
    return embedded_problem("cannot replace " + path.string() + ": " + system_reason());
  return true;
}

namespace {

/// PostgreSQL reads a list there, and a socket's path has 107 bytes at most.
bool fits_a_socket(const fs::path& path) {
  const auto longest = (path / ".s.PGSQL.5432").string();
  return longest.size() < sizeof(sockaddr_un{}.sun_path) && longest.find_first_of(",\"") == std::string::npos;
}

/// A recorded directory counts only while it is what we made: anyone may write in /tmp.
bool still_ours(const fs::path& path, const std::optional<unix_user>& user) {
  struct stat status {};
  const auto owner = user ? user->uid : geteuid();
  return !path.empty() && lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == owner &&
         (status.st_mode & 0777) == 0700;
}

result<fs::path> short_socket_directory(const fs::path& root, const std::optional<unix_user>& user) {
  const auto recorded = socket_directory_of(root);
  if (recorded != root / "run" && still_ours(recorded, user))
    return recorded;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  for (const auto& parent : {fs::path{runtime ? runtime : ""}, fs::path{"/tmp"}}) {
    auto name = (parent / "postrider-XXXXXX").string();
    if (parent.empty() || !fits_a_socket(name) || !mkdtemp(name.data()))
      continue;
    if (auto given = give_to(name, user); !given)
      return given.error();
    if (auto written = replace_file(root / "socket_directory", name + "\n", std::nullopt); !written)
      return written.error();
    return fs::path{name};
  }
  return embedded_problem("the path of " + root.string() +
                          " is too long for a unix socket, and no short directory could be made in /tmp");
}

result<fs::path> prepare_sockets(const fs::path& root, const std::optional<unix_user>& user) {
  const auto usual = root / "run";
  if (!fits_a_socket(usual))
    return short_socket_directory(root, user);
  if (auto made = own_directory(usual, user); !made)
    return made.error();
  return usual;
}

/// A server built without lz4 would not start with it.
bool knows_lz4(const postgres_directory& directory) {
  const int data = open(directory.data().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (data < 0)
    return false;
  const auto status =
    run_child({directory.binaries / "postgres",
               {"-C", "wal_compression", "-D", directory.user ? "/proc/self/fd/3" : directory.data().string(), "-c",
                "config_file=/dev/null", "-c", "wal_compression=lz4"},
               {data},
               -1,
               directory.user},
              milliseconds{10'000});
  close(data);
  return status && *status == 0;
}

/// Into DIR/data.new, which becomes DIR/data when it is whole: an initdb cut short leaves nothing half made behind.
result<bool> make_data(const postgres_directory& directory) {
  const auto fresh = directory.root / "data.new";
  std::error_code ignored; // own_directory reports what stands in the way
  fs::remove_all(fresh, ignored);
  if (auto made = own_directory(fresh, directory.user); !made)
    return made;
  const int fd = open(fresh.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto log = open_server_log(directory);
  if (fd < 0 || !log)
    return embedded_problem("cannot open " + fresh.string() + " and its log");
  spdlog::info("embedded PostgreSQL: making a new database in {}", directory.root.string());
  child_command initdb{directory.binaries / "initdb",
                       {"--pgdata=" + (directory.user ? "/proc/self/fd/3" : fresh.string()), "--encoding=UTF8",
                        "--locale=C.UTF-8", "--data-checksums", "--auth=trust",
                        "--username=" + std::string{embedded_user}, "--no-instructions"},
                       {fd},
                       *log,
                       directory.user};
  if (!directory.durable)
    initdb.arguments.emplace_back("--no-sync");
  const auto status = run_child(initdb, std::chrono::minutes{2});
  close(fd);
  close(*log);
  if (!status)
    return embedded_problem(status.error().detail);
  if (*status != 0)
    return embedded_problem("initdb ended with " + std::to_string(*status) + ": " + end_of_server_log(directory));
  if (std::rename(fresh.c_str(), directory.data().c_str()) != 0)
    return embedded_problem("cannot rename " + fresh.string() + ": " + system_reason());
  return true;
}

result<bool> check_version(const postgres_directory& directory) {
  std::string data_version;
  if (!(std::ifstream{directory.data() / "PG_VERSION"} >> data_version))
    return embedded_problem(directory.data().string() + " is there, but it is no PostgreSQL data directory");
  if (data_version != "15")
    return embedded_problem(directory.data().string() + " was made by PostgreSQL " + data_version +
                            "; this program runs version 15");
  return true;
}

} // namespace

problem embedded_problem(std::string detail) {
  return {500, "embedded-postgres-failed", "embedded PostgreSQL: " + std::move(detail), {}, {}};
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', digits[byte >> 4U], digits[byte & 15U]};
  }
  return out;
}

std::string postgres_directory::url(std::string_view database) const {
  return "postgresql:///" + percent_encode(database) + "?host=" + percent_encode(sockets.string()) +
         "&port=5432&user=" + std::string{embedded_user};
}

result<fs::path> find_postgres_binaries(const fs::path& given) {
  const char* variable = std::getenv("POSTRIDER_POSTGRES_BIN");
  for (const fs::path& candidate :
       {given, fs::path{variable ? variable : ""}, fs::path{"/usr/lib/postgresql/15/bin"}}) {
    if (candidate.empty())
      continue;
    if (access((candidate / "postgres").c_str(), X_OK) == 0 && access((candidate / "initdb").c_str(), X_OK) == 0)
      return candidate;
    if (candidate == given || (variable && candidate == variable))
      return embedded_problem("no PostgreSQL programs in " + candidate.string());
  }
  if (std::FILE* pipe = popen("pg_config --bindir 2>/dev/null", "re")) {
    std::array<char, 4096> line{};
    const bool read = std::fgets(line.data(), line.size(), pipe) != nullptr;
    pclose(pipe);
    const fs::path candidate = read ? std::string{line.data(), std::strcspn(line.data(), "\n")} : std::string{};
    if (!candidate.empty() && access((candidate / "initdb").c_str(), X_OK) == 0)
      return candidate;
  }
  return embedded_problem(
    "PostgreSQL 15 was not found; install the package postgresql-15 or set POSTRIDER_POSTGRES_BIN");
}

fs::path socket_directory_of(const fs::path& root) {
  std::string recorded;
  if (!fits_a_socket(root / "run") && std::getline(std::ifstream{root / "socket_directory"}, recorded))
    return recorded;
  return root / "run";
}

std::string end_of_server_log(const postgres_directory& directory) {
  std::ifstream file{directory.root / "postgresql.log", std::ios::ate | std::ios::binary};
  const auto size = static_cast<std::streamoff>(file.tellg());
  if (!file || size <= 0)
    return {};
  std::string text(static_cast<std::size_t>(std::min<std::streamoff>(size, 600)), '\0');
  file.seekg(-static_cast<std::streamoff>(text.size()), std::ios::end);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

result<int> open_server_log(const postgres_directory& directory) {
  const auto path = directory.root / "postgresql.log";
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && static_cast<std::size_t>(status.st_size) > log_size_max &&
      std::rename(path.c_str(), (path.string() + ".1").c_str()) != 0)
    spdlog::warn("embedded PostgreSQL: cannot rename {}: {}", path.string(), system_reason());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0)
    return embedded_problem("cannot open " + path.string() + ": " + system_reason());
  return fd;
}

result<postgres_directory> prepare_postgres_directory(const fs::path& root, const fs::path& binaries, bool durable) {
  auto user = choose_user(root / "data");
  if (!user)
    return user.error();
  postgres_directory out{root, binaries, {}, *user, durable};
  auto sockets = prepare_sockets(root, out.user);
  if (!sockets)
    return sockets.error();
  out.sockets = *sockets;
  if (!fs::exists(out.data()))
    if (auto made = make_data(out); !made)
      return made.error();
  if (auto given = give_tree_to(out.data(), out.user); !given)
    return given.error();
  if (auto known = check_version(out); !known)
    return known.error();
  if (auto written =
        replace_file(out.data() / "postgresql.conf",
                     postgres_configuration(usable_memory(), durable, knows_lz4(out) ? "lz4" : "on"), out.user);
      !written)
    return written.error();
  if (auto written = replace_file(out.data() / "pg_hba.conf", postgres_access_rules(), out.user); !written)
    return written.error();
  return out;
}

} // namespace postrider
