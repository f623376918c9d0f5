#include "config/scheme_parser.hpp"

#include "config/scheme_places.hpp"
#include "core/header_block.hpp"

#include <algorithm>
#include <array>
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

fixed_answer read_answer(const json::object& object, std::string pointer, std::vector<scheme_error>& errors) {
  json_fields in{object, std::move(pointer), errors};
  fixed_answer out;
  if (const auto* status = in.find("status")) {
    const auto* number = status->if_int64();
    if (!number || *number < 200 || *number > 599)
      in.fail("status", "must be an HTTP status");
    else
      out.status = static_cast<int>(*number);
  }
  out.body = in.text("body");
  out.content_type = "text/plain";
  in.refuse_unknown();
  return out;
}

handshake_rule read_handshake(const json::object& object, std::string pointer, std::vector<scheme_error>& errors) {
  json_fields in{object, std::move(pointer), errors};
  handshake_rule out;
  out.method = in.text("method");
  out.query = in.text("query");
  if (const auto pattern = in.text("pattern"); !pattern.empty()) {
    if (const auto parsed = simple_pattern::parse(pattern))
      out.query_pattern = *parsed;
    else
      in.fail("pattern", "not a pattern of the simple kind");
  }
  out.checks = in.text_pairs("check");
  if (const auto* values = in.object("json"))
    for (const auto& each : *values) {
      const bool is_text = each.value().is_string();
      out.json.emplace_back(read_path(in, "json", each.key()),
                            is_text ? std::string{each.value().get_string()} : json::serialize(each.value()));
    }
  out.after_verify = in.flag("after_verify");
  out.answer = read_template(in, "answer", in.text("answer"));
  const auto* members = in.object("answer_json");
  for (const auto& each : members ? *members : json::object{}) {
    if (each.value().is_string())
      out.answer_json.push_back({each.key(), read_template(in, "answer_json", each.value().get_string())});
    else if (each.value().is_int64())
      out.answer_json.push_back({each.key(), {{template_part::what::literal, json::serialize(each.value())}}, true});
    else
      in.fail("answer_json", "values are texts or whole numbers");
  }
  if (out.method.empty() && out.query.empty() && out.json.empty())
    in.fail({}, "a handshake needs a condition: method, query or json");
  if (out.answer.empty() == out.answer_json.empty())
    in.fail({}, "a handshake needs one answer: answer or answer_json");
  in.refuse_unknown();
  return out;
}

/// Reads one preset.
class scheme_reader {
public:
  scheme_reader(std::string_view name, const json::object& preset, std::vector<scheme_error>& errors)
      : in_{preset, {}, errors}, errors_{errors} {
    out_.name = name;
  }

  provider_scheme read() {
    in_.find("base"); // resolved before
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
    if (const auto* place = in_.object("sig")) {
      out_.signatures.push_back(read_place(*place, in_.at("sig"), errors_));
      if (const auto* secrets = place->if_contains("secrets"); secrets && secrets->is_string())
        out_.index_secrets = secrets->get_string();
    }
    if (const auto* places = in_.array("sigs"))
      for (std::size_t i = 0; i < places->size(); ++i) {
        const auto pointer = in_.at("sigs") + "/" + std::to_string(i);
        if (const auto* place = places->at(i).if_object())
          out_.signatures.push_back(read_place(*place, pointer, errors_));
        else
          errors_.push_back({pointer, "must be an object"});
      }
    if (const auto* place = in_.object("in"))
      out_.signatures.push_back(read_place(*place, in_.at("in"), errors_));
  }

  void read_signed() {
    const auto* texts = in_.find("signed");
    if (!texts)
      return;
    if (const auto* one = texts->if_string())
      out_.signed_texts.push_back(read_template(in_, "signed", *one));
    else if (const auto* several = texts->if_array(); several && several->size() <= 4)
      for (const auto& each : *several)
        if (const auto* text = each.if_string())
          out_.signed_texts.push_back(read_template(in_, "signed", *text));
        else
          in_.fail("signed", "must be texts");
    else
      in_.fail("signed", "must be a text or up to four");
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
          out_.secret_headers.push_back(place.name);
    read_forwarded_headers();
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
    const auto is_signature = [wanted = lower_case(name)](const value_place& place) {
      return place.kind == value_place::where::header && lower_case(place.name) == wanted;
    };
    return !is_reserved_header(name) && !is_credential_header(name) &&
           std::none_of(out_.signatures.begin(), out_.signatures.end(), is_signature);
  }

  void read_answers() {
    if (auto methods = in_.texts("methods"); !methods.empty())
      out_.methods = std::move(methods);
    if (const auto* handshake = in_.object("handshake"))
      out_.handshake = read_handshake(*handshake, in_.at("handshake"), errors_);
    out_.methods_text.clear();
    for (const auto& method : out_.methods)
      out_.methods_text += (out_.methods_text.empty() ? "" : ", ") + method;
    if (out_.handshake && !out_.handshake->method.empty() && !takes_method_of_delivery(out_.handshake->method))
      out_.methods_text += ", " + out_.handshake->method;
    if (const auto* accept = in_.object("accept"))
      out_.accept = read_answer(*accept, in_.at("accept"), errors_);
    if (const auto* reject = in_.object("reject"))
      out_.reject = read_answer(*reject, in_.at("reject"), errors_);
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
    if (out_.family == scheme_family::token && out_.signatures.size() != 1)
      in_.fail("in", "is missing");
    const auto is_secret = [](const template_part& part) { return part.kind == template_part::what::secret; };
    if (out_.family == scheme_family::hash)
      for (const auto& text : out_.signed_texts)
        if (std::none_of(text.begin(), text.end(), is_secret))
          in_.fail("signed", "a plain hash without {secret} can be made by anybody");
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
      if (place.name.starts_with('='))
        needed.insert(place.name.substr(1));
    }
    if (out_.handshake) {
      of_template(out_.handshake->answer, of_handshake);
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
