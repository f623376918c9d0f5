#include "daemon/master_key.hpp"

#include "core/signature.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

namespace postrider {

namespace {

problem key_failed(const std::filesystem::path& path) {
  return {500, "insecure-key-failed", path.string() + ": " + std::strerror(errno)};
}

/// A file with that text, which nobody else may read, all there or not at all: written beside and then linked. Loses to
/// whoever made it first.
bool make_file(const std::filesystem::path& path, const std::string& text) {
  const auto beside = path.string() + "." + std::to_string(getpid());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int write_error = errno;
  ::close(fd);
  const bool linked = written && (::link(beside.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int error = written ? errno : write_error;
  ::unlink(beside.c_str());
  errno = error;
  return linked;
}

} // namespace

result<std::optional<secret_key>> configured_master_key(const settings& values) {
  if (!values.secrets.master_key)
    return std::optional<secret_key>{};
  const auto key = read_secret_key(values.secrets.master_key);
  if (!key)
    return problem{400, "master-key-unusable", "secrets.master_key: " + to_string(key.error())};
  return std::optional{*key};
}

result<secret_key> insecure_master_key_file(const std::filesystem::path& directory) {
  const auto path = directory / "insecure_master_key";
  if (::access(path.c_str(), F_OK) != 0) {
    std::array<std::uint8_t, 32> fresh{};
    if (getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size()) ||
        !make_file(path, encode_base64(fresh) + "\n"))
      return key_failed(path);
  }
  const auto key = read_secret_key({secret_ref::place::file, path.string()});
  if (!key)
    return problem{500, "insecure-key-failed", to_string(key.error())};
  return *key;
}

} // namespace postrider
