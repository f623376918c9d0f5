#include "daemon/logging.hpp"

#include "config/log_fields.hpp"
#include "core/time.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <string_view>
#include <utility>

namespace postrider {

namespace {

/// Length of the UTF-8 sequence at the front (RFC 3629), 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80)
    return 1;
  const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length)
    return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80)
      return 0;
  const auto second = byte(1);
  const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return too_long || beyond ? 0 : length;
}

void append(spdlog::memory_buf_t& into, std::string_view text) {
  into.append(text.data(), text.data() + text.size());
}

/// `text` inside quotes, RFC 8259 section 7.
void append_escaped(spdlog::memory_buf_t& into, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const auto length = utf8_length(text);
    if (length == 0) {
      append(into, "\xef\xbf\xbd");
    } else if (c == '"' || c == '\\') {
      into.push_back('\\');
      into.push_back(text.front());
    } else if (c == '\n') {
      append(into, "\\n");
    } else if (c < 0x20 || c == 0x7f) {
      append(into, "\\u00");
      into.push_back(digits[c >> 4U]);
      into.push_back(digits[c & 0xfU]);
    } else {
      append(into, text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

std::string_view level_word(spdlog::level::level_enum level) {
  switch (level) {
  case spdlog::level::trace:
    return "trace";
  case spdlog::level::debug:
    return "debug";
  case spdlog::level::info:
    return "info";
  case spdlog::level::warn:
    return "warn";
  default:
    return "error";
  }
}

/// Takes the next field off the payload behind a mark.
struct parsed_field {
  std::string_view key, value;
  bool literal = false;
};
parsed_field take_field(std::string_view& rest) {
  constexpr std::array marks{log_field_mark, log_literal_mark};
  const bool literal = rest.front() == log_literal_mark;
  rest.remove_prefix(1);
  const auto field = rest.substr(0, rest.find_first_of(std::string_view{marks.data(), marks.size()}));
  rest.remove_prefix(field.size());
  const auto equals = std::min(field.find('='), field.size());
  return {field.substr(0, equals), field.substr(std::min(equals + 1, field.size())), literal};
}

std::string_view take_message(std::string_view& rest) {
  constexpr std::array marks{log_field_mark, log_literal_mark};
  const auto message = rest.substr(0, rest.find_first_of(std::string_view{marks.data(), marks.size()}));
  rest.remove_prefix(message.size());
  return message;
}

void append_json(spdlog::memory_buf_t& into, std::string_view key, std::string_view value, bool literal = false) {
  into.push_back(into.size() == 0 ? '{' : ',');
  into.push_back('"');
  append_escaped(into, key);
  append(into, "\":");
  if (literal)
    return append(into, value);
  into.push_back('"');
  append_escaped(into, value);
  into.push_back('"');
}

} // namespace

log_formatter::log_formatter(log_format format, std::string node) : format_{format}, node_{std::move(node)} {}

void log_formatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& into) {
  const auto at = to_rfc3339(std::chrono::floor<milliseconds>(message.time));
  std::string_view rest{message.payload.data(), message.payload.size()};
  const auto words = take_message(rest);
  if (format_ == log_format::json) {
    append_json(into, "ts", at);
    append_json(into, "level", level_word(message.level));
    append_json(into, "node", node_);
    append_json(into, "message", words);
    while (!rest.empty()) {
      const auto field = take_field(rest);
      append_json(into, field.key, field.value, field.literal);
    }
    append(into, "}\n");
    return;
  }
  append(into, at);
  into.push_back(' ');
  append(into, level_word(message.level));
  into.push_back(' ');
  append_escaped(into, words);
  while (!rest.empty()) {
    const auto field = take_field(rest);
    into.push_back(' ');
    append_escaped(into, field.key);
    into.push_back('=');
    append_escaped(into, field.value);
  }
  into.push_back('\n');
}

std::unique_ptr<spdlog::formatter> log_formatter::clone() const {
  return std::make_unique<log_formatter>(format_, node_);
}

void start_logging(const settings::log_part& how, const std::string& node) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("postrider", std::move(sink));
  logger->set_formatter(
    std::make_unique<log_formatter>(how.format == "text" ? log_format::text : log_format::json, node));
  logger->set_level(spdlog::level::from_str(how.level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

} // namespace postrider
