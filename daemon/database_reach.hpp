#pragma once

#include "core/result.hpp"
#include "core/secret_box.hpp"
#include "core/time.hpp"

#include <memory>
#include <optional>
#include <string>

namespace postrider {

/// One attempt to reach the database: migrates it, or looks whether someone did; then reads the key of `--dev`, where
/// none is known yet. On a thread of its own, which whoever waits may leave alone: a migration may wait minutes for
/// another node's, or for a server that accepts and never answers, and a node that is asked to stop shall not.
class database_reach {
public:
  struct wanted {
    std::string url;
    bool migrate = true;
    bool key_needed = false;
  };
  /// Begins at once.
  explicit database_reach(wanted what);

  /// True: it has ended.
  bool wait_for(milliseconds patience) const;
  /// Once it has ended: the key where one was needed. 503 where more trying may heal it.
  [[nodiscard]] result<std::optional<secret_key>> outcome() const;

private:
  struct shared;
  std::shared_ptr<shared> shared_; ///< with the thread, which may outlive this
};

} // namespace postrider
