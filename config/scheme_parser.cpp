#include "config/scheme_parser.hpp"

#include "config/scheme_answers.hpp"
#include "config/scheme_places.hpp"
#include "core/header_block.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>
#include <utility>

namespace postrider {

namespace json = boost::json;

namespace {

constexpr words<hash_kind, 3> hashes{
  {{"sha1", hash_kind::sha1}, {"sha256", hash_kind::sha256}, {"sha512", hash_kind::sha512}}};
constexpr words<key_form, 5> key_forms{{{"text", key_form::text},
                                        {"hex", key_form::hex},
                                        {"base64", key_form::base64},
                                        {"whsec", key_form::whsec},
                                        {"sha1", key_form::sha1}}};
constexpr words<text_encoding, 3> encodings{
  {{"hex", text_encoding::hex}, {"base64", text_encoding::base64}, {"base64url", text_encoding::base64url}}};
constexpr words<scheme_family, 4> families{{{"hmac", scheme_family::hmac},
                                            {"hash", scheme_family::hash},
                                            {"token", scheme_family::token},
                                            {"basic", scheme_family::basic}}};
constexpr std::array<std::string_view, 4> later_families{"ed25519", "ecdsa-p256", "rsa-cert", "jwt-hs"};
constexpr words<provider_scheme::url_rule, 2> url_rules{{{"port_variants", provider_scheme::url_rule::port_variants},
                                                         {"decode_some", provider_scheme::url_rule::decode_some}}};

/// Reads one preset.
class scheme_reader {
public:
  scheme_reader(std::string_view name, const json::object& preset, std::vector<scheme_error>& errors)
      : in_{preset, {}, errors}, errors_{errors} {
    out_.name = name;
  }

  provider_scheme read() {
    in_.word("family", families, out_.family);
    in_.word("hash", hashes, out_.hash);
    in_.word("key", key_forms, out_.key);
    in_.word("enc", encodings, out_.encoding);
    in_.word("url", url_rules, out_.url);
    read_signatures();
    if (const auto* rule = in_.object("ts"))
      out_.timestamp = read_timestamp(*rule, in_.at("ts"), errors_);
    read_signed();
    read_demands();
    read_identity();
    read_answers();
    in_.refuse_unknown();
    check_whole();
    collect_config_keys();
    return std::move(out_);
  }

private:
  void read_signatures() {
    if (const auto* place = in_.object("sig"))
      add_place(*place, in_.at("sig"), place_use::signature);
    if (const auto* places = in_.array("sigs"))
      for (std::size_t i = 0; i < places->size(); ++i) {
        const auto pointer = in_.at("sigs") + "/" + std::to_string(i);
        if (const auto* place = places->at(i).if_object())
          add_place(*place, pointer, place_use::signature);
        else
          errors_.push_back({pointer, "must be an object"});
      }
    if (const auto* place = in_.object("in"))
      add_place(*place, in_.at("in"), place_use::token);
  }

  void add_place(const json::object& place, const std::string& pointer, place_use use) {
    out_.signatures.push_back(read_place(place, pointer, use, errors_));
    const auto* secrets = place.if_contains("secrets");
    if (!secrets || !secrets->is_string())
      return;
    if (!out_.index_secrets.empty() && out_.index_secrets != std::string_view{secrets->get_string()})
      errors_.push_back({pointer + "/secrets", "all places have the same"});
    out_.index_secrets = secrets->get_string();
  }

  void read_signed() {
    const auto* texts = in_.find("signed");
    if (!texts)
      return;
    if (const auto* one = texts->if_string())
      read_signed_text(*one);
    else if (const auto* several = texts->if_array(); several && several->size() <= 4)
      for (const auto& each : *several)
        if (const auto* text = each.if_string())
          read_signed_text(*text);
        else
          in_.fail("signed", "must be texts");
    else
      in_.fail("signed", "must be a text or up to four");
  }

  void read_signed_text(std::string_view text) {
    using what = template_part::what;
    if (text.size() > json_fields::text_max)
      in_.fail("signed", "must be texts of at most 1024 bytes");
    const auto& parts = out_.signed_texts.emplace_back(read_template(in_, "signed", text));
    const auto count = [&parts](what kind) {
      return std::count_if(parts.begin(), parts.end(), [kind](const auto& part) { return part.kind == kind; });
    };
    if (count(what::body) + count(what::sorted_form) > 1)
      in_.fail("signed", "the body is hashed once: {body} or {sorted_form}, one time");
    if (count(what::hmac_hex) + count(what::hmac_hex_query) > 0)
      in_.fail("signed", "{hmac_hex…:…} stands in answers alone");
  }

  void read_demands() {
    if (const auto text = in_.text("each"); !text.empty())
      out_.each = read_path(in_, "each", text);
    if (const auto* digest = in_.object("body_digest")) {
      json_fields inner{*digest, in_.at("body_digest"), errors_};
      out_.body_digest.query = inner.text("query");
      inner.word("hash", hashes, out_.body_digest.hash);
      if (out_.body_digest.query.empty())
        inner.fail("query", "is missing");
      inner.refuse_unknown();
    }
    for (const auto& [name, value] : in_.text_pairs("fixed"))
      out_.fixed.emplace_back(name, value);
    out_.aliases = in_.text_pairs("alias");
    for (const auto& [name, pattern] : in_.text_pairs("form_pattern")) {
      if (const auto parsed = simple_pattern::parse(pattern))
        out_.form_patterns.emplace_back(name, *parsed);
      else
        in_.fail("form_pattern", "not a pattern of the simple kind");
    }
    for (const auto& each : in_.texts("require")) {
      if (each.starts_with('$'))
        out_.required_fields.push_back(read_path(in_, "require", each));
      else
        out_.required_headers.push_back(each);
    }
  }

  void read_identity() {
    out_.event_id = read_source(in_, "event_id", in_.text("event_id"), out_);
    out_.event_type = read_source(in_, "event_type", in_.text("event_type"), out_);
    if (out_.family == scheme_family::token)
      for (const auto& place : out_.signatures)
        if (place.kind == value_place::where::header)
          out_.secret_headers = names_of(place.name);
    read_forwarded_headers();
  }

  // A header has other names where `alias` says so.
  [[nodiscard]] std::vector<std::string> names_of(const std::string& name) const {
    std::vector<std::string> out{name};
    for (const auto& [header, alias] : out_.aliases)
      if (lower_case(header) == lower_case(name))
        out.push_back(alias);
      else if (lower_case(alias) == lower_case(name))
        out.push_back(header);
    return out;
  }

  // What a scheme names itself is an error where it cannot be; the headers of id and type go on where they can.
  void read_forwarded_headers() {
    out_.forwarded_headers = in_.texts("forward");
    for (const auto& name : out_.forwarded_headers)
      if (!may_forward(name))
        in_.fail("forward", name + " is not forwarded: Postrider's own, a signature or a credential");
    if (!in_.find("forward"))
      for (const auto* each : {&out_.event_id, &out_.event_type})
        if (each->kind == value_source::what::header && may_forward(each->name))
          out_.forwarded_headers.push_back(each->name);
  }

  [[nodiscard]] bool may_forward(const std::string& name) const {
    const auto is_signature = [this](const std::string& header) {
      return std::any_of(out_.signatures.begin(), out_.signatures.end(), [&](const value_place& place) {
        return place.kind == value_place::where::header
                 ? lower_case(place.name) == lower_case(header)
                 : place.kind == value_place::where::header_pattern && place.pattern.matches(lower_case(header));
      });
    };
    const auto names = names_of(name);
    return !is_reserved_header(name) && !is_credential_header(name) &&
           std::none_of(names.begin(), names.end(), is_signature);
  }

  void read_answers() {
    if (auto methods = read_methods(in_, "methods"); !methods.empty())
      out_.methods = std::move(methods);
    if (const auto* handshake = in_.object("handshake"))
      out_.handshake = read_handshake(*handshake, in_.at("handshake"), errors_);
    out_.methods_text.clear();
    for (const auto& method : out_.methods)
      out_.methods_text += (out_.methods_text.empty() ? "" : ", ") + method;
    if (out_.handshake && !out_.handshake->method.empty() && !takes_method_of_delivery(out_.handshake->method))
      out_.methods_text += ", " + out_.handshake->method;
    if (const auto* accept = in_.object("accept"))
      out_.accept = read_answer(*accept, in_.at("accept"), 200, 299, errors_);
    if (const auto* reject = in_.object("reject")) {
      out_.reject = read_answer(*reject, in_.at("reject"), 400, 499, errors_);
      if (!reject->contains("status"))
        out_.reject->status = 401;
    }
  }

  [[nodiscard]] bool takes_method_of_delivery(const std::string& method) const {
    return std::find(out_.methods.begin(), out_.methods.end(), method) != out_.methods.end();
  }

  void check_whole() {
    const bool is_signed = out_.family == scheme_family::hmac || out_.family == scheme_family::hash;
    if (!in_.has("family"))
      in_.fail("family", "is missing");
    if (is_signed && out_.signatures.empty())
      in_.fail("sig", "is missing");
    if (is_signed && out_.signed_texts.empty())
      in_.fail("signed", "is missing");
    if (out_.family == scheme_family::token && out_.signatures.empty())
      in_.fail("in", "is missing");
    if (out_.family != scheme_family::token)
      refuse({"in"}, "is of the family token");
    if (!is_signed)
      refuse({"hash", "key", "enc", "url", "sig", "sigs", "ts", "signed", "each", "body_digest"},
             "this family signs nothing");
    const auto is_time = [](const template_part& part) { return part.kind == template_part::what::timestamp; };
    for (const auto& text : out_.signed_texts)
      if (!out_.timestamp && std::any_of(text.begin(), text.end(), is_time))
        in_.fail("signed", "{ts} needs a place: ts");
    const auto is_secret = [](const template_part& part) { return part.kind == template_part::what::secret; };
    if (out_.family == scheme_family::hash)
      for (const auto& text : out_.signed_texts)
        if (std::none_of(text.begin(), text.end(), is_secret))
          in_.fail("signed", "a plain hash without {secret} can be made by anybody");
  }

  // A rule that a family does not follow must not be passed over in silence.
  void refuse(std::initializer_list<std::string_view> keys, const std::string& why) const {
    for (const auto key : keys)
      if (in_.has(key))
        in_.fail(key, why);
  }

  void collect_config_keys() {
    std::set<std::string> needed, any_of, of_handshake;
    const auto of_template = [](const text_template& text, std::set<std::string>& into) {
      for (const auto& part : text)
        if (part.kind == template_part::what::config)
          into.insert(part.name);
    };
    for (const auto& text : out_.signed_texts)
      of_template(text, needed);
    for (const auto& place : out_.signatures) {
      of_template(place.prefix, needed);
      if (!place.secret_key.empty())
        any_of.insert(place.secret_key);
      if (place.kind == value_place::where::query && place.name.starts_with('='))
        needed.insert(place.name.substr(1));
    }
    if (out_.handshake) {
      of_template(out_.handshake->answer, of_handshake);
      for (const auto& each : out_.handshake->answer_json)
        of_template(each.value, of_handshake);
      for (const auto& [name, wanted] : out_.handshake->checks)
        if (wanted.starts_with('='))
          of_handshake.insert(wanted.substr(1));
    }
    if (!out_.index_secrets.empty())
      needed.insert(out_.index_secrets);
    if (out_.family == scheme_family::basic)
      needed.insert("username");
    out_.required_config_keys.assign(needed.begin(), needed.end());
    out_.any_config_key.assign(any_of.begin(), any_of.end());
    auto& all = of_handshake;
    all.merge(needed);
    all.merge(any_of);
    out_.config_keys.assign(all.begin(), all.end());
  }

  json_fields in_;
  std::vector<scheme_error>& errors_;
  provider_scheme out_;
};

} // namespace

parsed_scheme parse_scheme(std::string_view name, const json::object& preset) {
  parsed_scheme out;
  const auto* family = preset.if_contains("family");
  if (family && family->is_string() &&
      std::find(later_families.begin(), later_families.end(), std::string_view{family->get_string()}) !=
        later_families.end()) {
    out.not_supported = true;
    out.errors.push_back({"/family", "this family is not supported yet"});
    return out;
  }
  auto scheme = scheme_reader{name, preset, out.errors}.read();
  if (out.errors.empty())
    out.scheme = std::move(scheme);
  return out;
}

} // namespace postrider
