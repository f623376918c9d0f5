#pragma once

#include "config/settings.hpp"

#include <spdlog/formatter.h>

#include <memory>
#include <string>

namespace postrider {

enum class log_format : std::uint8_t { json, text };

/// The one formatter: `{"ts","level","node","message", key: value …}` on one line, or the same in words. Takes apart
/// what `log_event` puts together; bytes that are no UTF-8 become U+FFFD, control characters are escaped, so that no
/// text can forge a line.
class log_formatter final : public spdlog::formatter {
public:
  log_formatter(log_format format, std::string node);
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& into) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override;

private:
  log_format format_;
  std::string node_;
};

/// Sends every log of the process to standard error, each line at once. `node`: the field `node`.
void start_logging(const settings::log_part& how, const std::string& node);

} // namespace postrider
