#include "core/request_values.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace postrider {

namespace {

std::string_view query_of(std::string_view url) noexcept {
  const auto mark = url.find('?');
  if (mark == std::string_view::npos)
    return {};
  return url.substr(mark + 1, url.find('#', mark) - mark - 1);
}

// The URL with its port left out, or with the port that it has by default.
std::string with_other_port(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos)
    return std::string{url};
  const auto host = scheme_end + 3;
  const auto host_end = std::min(url.find_first_of("/?#", host), url.size());
  const auto colon = url.rfind(':', host_end);
  const bool has_port = colon != std::string_view::npos && colon > host && url.find(']', colon) >= host_end;
  std::string out{url.substr(0, has_port ? colon : host_end)};
  if (!has_port)
    out += url.starts_with("https") ? ":443" : ":80";
  return out += url.substr(host_end);
}

std::string with_some_decoded(std::string_view url) {
  constexpr std::string_view decoded = ":/?@!$'()*,;"; // HubSpot's list
  std::string out;
  for (std::size_t i = 0; i < url.size(); ++i) {
    std::array<std::uint8_t, 1> byte{};
    if (url[i] == '%' && i + 2 < url.size() && decode_hex(url.substr(i + 1, 2), byte) &&
        decoded.find(static_cast<char>(byte[0])) != std::string_view::npos) {
      out += static_cast<char>(byte[0]);
      i += 2;
    } else {
      out += url[i];
    }
  }
  return out;
}

} // namespace

request_values::request_values(const provider_request& request, const provider_scheme& scheme,
                               const scheme_settings& settings)
    : request_{request}, scheme_{scheme}, settings_{settings} {}

header_value request_values::header(std::string_view name) const noexcept {
  const auto found = find_header(request_.headers, name);
  if (found.found)
    return found;
  for (const auto& [header, alias] : scheme_.aliases)
    if (header == name)
      return find_header(request_.headers, alias);
  return {};
}

std::string_view request_values::setting(const std::string& name) const noexcept {
  const auto found = settings_.find(name);
  return found == settings_.end() ? std::string_view{} : std::string_view{found->second};
}

std::string_view request_values::resolved(const std::string& text) const noexcept {
  return text.starts_with('=') ? setting(text.substr(1)) : std::string_view{text};
}

std::optional<std::string_view> request_values::query(std::string_view name) {
  if (!query_)
    query_ = parse_form(query_of(request_.url));
  return find_field(*query_, name);
}

const form_fields& request_values::form_of_body() {
  if (!form_)
    form_ = parse_form(request_.body);
  return *form_;
}

std::optional<std::string_view> request_values::form(std::string_view name) {
  return find_field(form_of_body(), name);
}

const json_view& request_values::json() {
  if (!json_)
    json_.emplace(request_.body);
  return *json_;
}

std::optional<std::string_view> request_values::json_text(json_view::node from, const json_path& path) {
  const auto found = json().find(from, path);
  if (const auto text = json_view::string_of(found))
    return text;
  auto text = json_view::text_of(found);
  if (!text)
    return {};
  return keep(std::move(*text));
}

const std::vector<std::string>& request_values::urls() {
  if (!urls_.empty())
    return urls_;
  switch (scheme_.url) {
  case provider_scheme::url_rule::as_called:
    urls_ = {std::string{request_.url}};
    break;
  case provider_scheme::url_rule::port_variants:
    urls_ = {std::string{request_.url}, with_other_port(request_.url)};
    break;
  case provider_scheme::url_rule::decode_some:
    urls_ = {with_some_decoded(request_.url)};
    break;
  }
  return urls_;
}

const std::string& request_values::sorted_form() {
  if (!sorted_form_) {
    const auto& fields = form_of_body().all;
    std::vector<std::pair<std::string_view, std::string_view>> sorted{fields.begin(), fields.end()};
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    sorted_form_.emplace();
    for (const auto& [key, value] : sorted)
      sorted_form_->append(key).append(value);
  }
  return *sorted_form_;
}

bool request_values::has_too_many_fields() {
  return form_of_body().cut_short;
}

template_value evaluate(std::span<const template_part> text, request_values& values, json_view::node scope,
                        std::string_view url, std::string_view timestamp, std::string_view secret) {
  using what = template_part::what;
  template_value out;
  out.parts.reserve(text.size());
  const auto add = [&](what kind, std::optional<std::string_view> part) {
    if (part)
      out.parts.push_back(*part);
    else
      out.missing = kind;
  };
  for (const auto& part : text) {
    switch (part.kind) {
    case what::literal:
      add(part.kind, part.name);
      break;
    case what::body:
      add(part.kind, values.request().body);
      break;
    case what::timestamp:
      add(part.kind, timestamp);
      break;
    case what::url:
      add(part.kind, url);
      break;
    case what::method:
      add(part.kind, values.request().method);
      break;
    case what::header: {
      const auto found = values.header(part.name);
      add(part.kind, found.found ? std::optional{found.value} : std::nullopt);
      break;
    }
    case what::json:
      add(part.kind, values.json_text(scope, part.path));
      break;
    case what::optional_json:
      add(part.kind, values.json_text(scope, part.path).value_or(std::string_view{}));
      break;
    case what::form:
      add(part.kind, values.form(part.name));
      break;
    case what::query:
      add(part.kind, values.query(part.name));
      break;
    case what::config:
      add(part.kind, values.setting(part.name));
      break;
    case what::secret:
      add(part.kind, secret);
      break;
    case what::sorted_form:
      add(part.kind, values.sorted_form());
      break;
    case what::hmac_hex:
    case what::hmac_hex_query:
      out.missing = part.kind; // of answers only
      break;
    }
  }
  return out;
}

std::optional<std::string> evaluate_text(std::span<const template_part> text, request_values& values,
                                         std::string_view key, hash_kind hash) {
  using what = template_part::what;
  std::string out;
  for (const auto& part : text) {
    if (part.kind == what::hmac_hex || part.kind == what::hmac_hex_query) {
      const auto message =
        part.kind == what::hmac_hex ? values.json_text(values.json().root(), part.path) : values.query(part.name);
      if (!message || key.empty())
        return {};
      const auto mac = hmac_of(hash, key, std::span{&*message, 1});
      out += encode_hex(std::span{mac.bytes}.first(mac.size));
      continue;
    }
    const bool is_json = part.kind == what::json || part.kind == what::optional_json;
    const auto value = evaluate(std::span{&part, 1}, values, is_json ? values.json().root() : json_view::node{},
                                values.request().url, {}, {});
    if (value.missing != what::literal)
      return {};
    for (const auto piece : value.parts)
      out += piece;
  }
  return out;
}

} // namespace postrider
