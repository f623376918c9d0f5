#include "daemon/console_output.hpp"

#include <algorithm>
#include <ostream>

namespace postrider {

namespace {

std::string printable(std::string text) {
  std::ranges::replace_if(
    text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

/// Characters, not bytes, of a UTF-8 text.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](unsigned char c) { return (c & 0xc0U) != 0x80; }));
}

} // namespace

void print_table(std::ostream& out, const std::vector<std::string>& head,
                 const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines{head};
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(head.size(), 0);
  for (auto& line : lines)
    for (std::size_t i = 0; i < line.size() && i < widths.size(); ++i) {
      line[i] = printable(std::move(line[i]));
      widths[i] = std::max(widths[i], width_of(line[i]));
    }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size())
        text.append(widths[i] - width_of(line[i]) + 2, ' ');
    }
    out << text << '\n';
  }
}

} // namespace postrider
