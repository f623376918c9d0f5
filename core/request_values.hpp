#pragma once

#include "core/form_fields.hpp"
#include "core/header_block.hpp"
#include "core/json_view.hpp"
#include "core/provider_scheme.hpp"

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postrider {

/// A provider's request as the provider made it.
struct provider_request {
  std::string_view method;
  std::string_view url;     ///< in full, with its query: `https://host/path?query`
  std::string_view headers; ///< a block of `name: value\r\n`
  std::string_view body;    ///< as it came
};

using scheme_settings = std::map<std::string, std::string>;

/// Looks the values of a scheme's places up in one request. Body and query are parsed when first asked for; texts live
/// as long as this object.
class request_values {
public:
  request_values(const provider_request& request, const provider_scheme& scheme, const scheme_settings& settings);

  [[nodiscard]] const provider_request& request() const noexcept { return request_; }
  /// By its name or its alias.
  [[nodiscard]] header_value header(std::string_view name) const noexcept;
  [[nodiscard]] std::string_view setting(const std::string& name) const noexcept; ///< empty where absent
  [[nodiscard]] std::optional<std::string_view> query(std::string_view name);
  [[nodiscard]] std::optional<std::string_view> form(std::string_view name);
  [[nodiscard]] const json_view& json();
  /// A text, number or truth value there; nothing where there is none, or the body is not JSON.
  [[nodiscard]] std::optional<std::string_view> json_text(json_view::node from, const json_path& path);
  /// `=key`: what the settings say; else the text itself.
  [[nodiscard]] std::string_view resolved(const std::string& text) const noexcept;

  /// How the request's URL may stand in the signed text, by the scheme's rule.
  [[nodiscard]] const std::vector<std::string>& urls();
  [[nodiscard]] const std::string& sorted_form();
  /// Whether the body has more form fields than are looked at, so that no signature can stand for all of them.
  [[nodiscard]] bool has_too_many_fields();

  /// Keeps a text alive.
  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }

private:
  [[nodiscard]] const form_fields& form_of_body();

  provider_request request_;
  const provider_scheme& scheme_;
  const scheme_settings& settings_;
  std::optional<json_view> json_;
  std::optional<form_fields> form_;
  std::optional<form_fields> query_;
  std::optional<std::string> sorted_form_;
  std::vector<std::string> urls_;
  std::deque<std::string> kept_;
};

/// What a template says of a request. A text that is missing is named by its kind.
struct template_value {
  std::vector<std::string_view> parts{};
  template_part::what missing = template_part::what::literal; ///< literal: nothing is
};
template_value evaluate(std::span<const template_part> text, request_values& values, json_view::node scope,
                        std::string_view url, std::string_view timestamp, std::string_view secret);
/// The same in one piece; nothing where something is missing. `key`: the bytes for HMACs in it; empty: there is none,
/// and an HMAC is missing.
std::optional<std::string> evaluate_text(std::span<const template_part> text, request_values& values,
                                         std::string_view key, hash_kind hash);

} // namespace postrider
