#include "config/scheme_places.hpp"

#include <algorithm>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr std::size_t parts_max = 64;
constexpr std::size_t path_max = 32;

constexpr words<timestamp_rule::unit, 4> units{{{"s", timestamp_rule::unit::unix_seconds},
                                                {"ms", timestamp_rule::unit::unix_milliseconds},
                                                {"iso", timestamp_rule::unit::rfc3339},
                                                {"text", timestamp_rule::unit::any}}};
constexpr words<template_part::what, 7> plain_parts{{{"body", template_part::what::body},
                                                     {"ts", template_part::what::timestamp},
                                                     {"url", template_part::what::url},
                                                     {"method", template_part::what::method},
                                                     {"secret", template_part::what::secret},
                                                     {"sorted_form", template_part::what::sorted_form}}};
constexpr words<template_part::what, 8> named_parts{{{"header", template_part::what::header},
                                                     {"json", template_part::what::json},
                                                     {"json?", template_part::what::optional_json},
                                                     {"form", template_part::what::form},
                                                     {"query", template_part::what::query},
                                                     {"config", template_part::what::config},
                                                     {"hmac_hex", template_part::what::hmac_hex},
                                                     {"hmac_hex_query", template_part::what::hmac_hex_query}}};

} // namespace

json_path read_path(const json_fields& in, std::string_view key, std::string_view text) {
  if (text == "$")
    return {};
  json_path out;
  if (!text.starts_with("$.")) {
    in.fail(key, "a path begins with `$.`");
    return out;
  }
  text.remove_prefix(2);
  for (;;) {
    if (out.size() == path_max) {
      in.fail(key, "the path is too long");
      return out;
    }
    const auto cut = text.find('.');
    out.emplace_back(text.substr(0, cut));
    if (cut == std::string_view::npos)
      return out;
    text.remove_prefix(cut + 1);
  }
}

text_template read_template(const json_fields& in, std::string_view key, std::string_view text) {
  text_template out;
  while (!text.empty()) {
    if (out.size() == parts_max) {
      in.fail(key, "too many parts");
      return out;
    }
    const auto open = text.find('{');
    if (open != 0) {
      out.push_back({template_part::what::literal, std::string{text.substr(0, open)}});
      text.remove_prefix(std::min(open, text.size()));
      continue;
    }
    const auto close = text.find('}');
    const auto inside = text.substr(1, close == std::string_view::npos ? close : close - 1);
    const auto colon = inside.find(':');
    const auto* kind = colon == std::string_view::npos ? find_word(plain_parts, inside)
                                                       : find_word(named_parts, inside.substr(0, colon));
    if (close == std::string_view::npos || !kind) {
      in.fail(key, "unknown template part: " + std::string{inside});
      return out;
    }
    template_part part{*kind};
    if (colon != std::string_view::npos) {
      part.name = inside.substr(colon + 1);
      if (*kind == template_part::what::json || *kind == template_part::what::optional_json ||
          *kind == template_part::what::hmac_hex)
        part.path = read_path(in, key, part.name);
    }
    out.push_back(std::move(part));
    text.remove_prefix(close + 1);
  }
  return out;
}

namespace {

void read_signature_words(json_fields& in, value_place& out) {
  out.secret_key = in.text("secret");
  out.index_separator = in.text("suffix_index");
  const auto secrets = in.text("secrets");
  if (out.index_separator.empty() != secrets.empty())
    in.fail("suffix_index", "goes together with `secrets`");
  if (!out.secret_key.empty() && !secrets.empty())
    in.fail("secret", "either one secret or one by index");
}

} // namespace

value_place read_place(const json::object& object, std::string pointer, place_use use,
                       std::vector<scheme_error>& errors) {
  using where = value_place::where;
  json_fields in{object, std::move(pointer), errors};
  value_place out;
  int places = 0;
  const auto take = [&](std::string_view key, where kind) {
    const auto text = in.text(key);
    if (text.empty())
      return;
    ++places;
    out.kind = kind;
    out.name = text;
    if (kind == where::json || kind == where::each_json)
      out.path = read_path(in, key, text);
    if (kind == where::header_pattern) {
      const auto pattern = simple_pattern::parse(text);
      if (pattern)
        out.pattern = *pattern;
      else
        in.fail(key, "not a pattern of the simple kind");
    }
  };
  take("header", where::header);
  if (use != place_use::token)
    take("header_regex", where::header_pattern);
  take("json", where::json);
  if (use == place_use::token)
    take("json_each", where::each_json);
  take("form", where::form);
  take("query", where::query);
  if (places != 1)
    in.fail({}, "names one place: header, header_regex, json, form, query, or json_each of a token");
  const auto separator = in.text("split");
  if (separator.size() > 1)
    in.fail("split", "must be one character");
  out.separator = separator.empty() ? '\0' : separator.front();
  out.prefix = read_template(in, "prefix", in.text("prefix"));
  for (const auto& part : out.prefix)
    if (part.kind != template_part::what::literal && part.kind != template_part::what::config)
      in.fail("prefix", "is made of texts and {config:…} alone");
  if (use == place_use::signature)
    read_signature_words(in, out);
  if (use == place_use::timestamp)
    in.find("unit"), in.find("max_age"), in.find("max_future");
  in.refuse_unknown();
  return out;
}

timestamp_rule read_timestamp(const json::object& object, const std::string& pointer,
                              std::vector<scheme_error>& errors) {
  timestamp_rule out;
  out.from = read_place(object, pointer, place_use::timestamp, errors);
  json_fields in{object, pointer, errors};
  in.word("unit", units, out.in);
  out.max_age = in.seconds("max_age");
  out.max_future = in.seconds("max_future");
  return out;
}

value_source read_source(const json_fields& in, std::string_view key, std::string_view text,
                         const provider_scheme& scheme) {
  using what = value_source::what;
  if (text.empty())
    return {};
  if (text.starts_with('@'))
    return {what::header, std::string{text.substr(1)}};
  if (text.starts_with('$'))
    return {what::json, {}, read_path(in, key, text)};
  const auto colon = text.find(':');
  const auto word = text.substr(0, colon);
  const auto rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  if (word == "other_key" && !rest.empty())
    return {what::other_key, std::string{rest}};
  if (word == "b64json" && rest.find(':') != std::string_view::npos)
    return {what::base64_json,
            {},
            read_path(in, key, rest.substr(rest.find(':') + 1)),
            read_path(in, key, rest.substr(0, rest.find(':')))};
  if (word == "xml" && !rest.empty())
    for (const auto& part : scheme.signed_texts.empty() ? text_template{} : scheme.signed_texts.front())
      if (part.kind == template_part::what::form)
        return {what::base64_xml, part.name, {std::string{rest}}};
  in.fail(key, "names no place: @header, $.path, other_key:NAME, xml:NAME or b64json:PATH:PATH");
  return {};
}

} // namespace postrider
