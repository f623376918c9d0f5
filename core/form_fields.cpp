#include "core/form_fields.hpp"

#include "core/signature.hpp"

#include <array>
#include <cstdint>

namespace postrider {

namespace {

std::string decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::array<std::uint8_t, 1> byte{};
    if (text[i] == '+')
      out += ' ';
    else if (text[i] == '%' && i + 2 < text.size() && decode_hex(text.substr(i + 1, 2), byte)) {
      out += static_cast<char>(byte[0]);
      i += 2;
    } else
      out += text[i];
  }
  return out;
}

} // namespace

form_fields parse_form(std::string_view text) {
  form_fields out;
  while (!text.empty()) {
    const auto cut = text.find('&');
    const auto piece = text.substr(0, cut);
    text = cut == std::string_view::npos ? std::string_view{} : text.substr(cut + 1);
    if (piece.empty())
      continue;
    if (out.all.size() == form_fields::count_max) {
      out.cut_short = true;
      break;
    }
    const auto equals = piece.find('=');
    out.all.emplace_back(decoded(piece.substr(0, equals)),
                         equals == std::string_view::npos ? std::string{} : decoded(piece.substr(equals + 1)));
  }
  return out;
}

std::optional<std::string_view> find_field(const form_fields& fields, std::string_view name) noexcept {
  for (const auto& [key, value] : fields.all)
    if (key == name)
      return value;
  return {};
}

} // namespace postrider
