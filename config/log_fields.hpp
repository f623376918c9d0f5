#pragma once

#include <spdlog/spdlog.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace postrider {

/// One key/value beside a log message. Numbers and truth values stay such in JSON.
struct log_field {
  std::string_view key;
  std::string text;
  bool literal = false; ///< `text` is a JSON number, true or false

  log_field(std::string_view name, std::string_view value) : key{name}, text{value} {}
  log_field(std::string_view name, const std::string& value) : key{name}, text{value} {}
  log_field(std::string_view name, const char* value) : key{name}, text{value} {}
  log_field(std::string_view name, bool value) : key{name}, text{value ? "true" : "false"}, literal{true} {}
  template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>) log_field(std::string_view name, T value)
      : key{name}, text{std::to_string(value)}, literal{true} {}
};

/// Between the message and its fields as they pass through spdlog: in values, which may come
/// from outside, they become spaces. The daemon's
/// formatter takes them apart again; any other sink shows `message key=value`.
inline constexpr char log_field_mark = '\x1f';
inline constexpr char log_literal_mark = '\x1e';

/// Logs a constant message with its variable parts as fields: `log_event(spdlog::level::warn, "lease lost", {{"shard",
/// 7}})`. No field may hold a secret, a signature, a body or a password (redact_database_url).
inline void log_event(spdlog::level::level_enum level, std::string_view message,
                      std::initializer_list<log_field> fields) {
  if (!spdlog::should_log(level))
    return;
  std::string line{message};
  for (const auto& field : fields) {
    line += field.literal ? log_literal_mark : log_field_mark;
    line.append(field.key).append("=");
    for (const char c : field.text) // a mark within a value would begin a field that nobody wrote
      line += c == log_field_mark || c == log_literal_mark ? ' ' : c;
  }
  spdlog::log(level, "{}", line);
}

} // namespace postrider
