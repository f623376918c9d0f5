#include "core/signature_check.hpp"

#include "core/place_reader.hpp"
#include "core/scheme_demands.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace postrider {

namespace {

constexpr std::size_t signatures_max = 100; // DocuSign sends one for each of up to 100 keys
constexpr std::size_t scopes_max = 1'000;
constexpr std::size_t hashed_max = 64 << 20; // ten secrets, four texts, a body of 1 MiB
constexpr std::size_t hashing_overhead = 64; // bytes that a part costs beside its own

/// A signature that a request brought, with what must have made it.
struct candidate {
  std::string bytes;
  std::optional<std::string_view> only_secret{}; ///< nothing: any of the source's
};

/// Those of one scope, and what else was found in their places.
struct candidates {
  std::vector<candidate> all{};
  bool garbage = false; ///< something that is not of the scheme's form
  bool other_version = false;
  bool cut_short = false; ///< a signature whose end is missing
};

bool is_other_version(std::string_view element, std::string_view prefix) noexcept {
  // `v1=`, `v1,`, `sha256=`: letters, digits, letters, a sign. Another of that form with something after it is a
  // version that the scheme does not take; anything else is not of the scheme's form at all.
  if (prefix.empty() || (prefix.back() != '=' && prefix.back() != ','))
    return false;
  const auto end = element.find(prefix.back());
  if (end == std::string_view::npos || end + 1 == element.size())
    return false;
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto word = element.substr(0, end);
  const auto digits = std::find_if_not(word.begin(), word.end(), is_letter);
  const auto rest = std::find_if_not(digits, word.end(), is_digit);
  return digits != word.begin() && rest != digits && std::all_of(rest, word.end(), is_letter);
}

bool is_of_alphabet(text_encoding encoding, std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [encoding](char c) {
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    switch (encoding) {
    case text_encoding::hex:
      return is_digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    case text_encoding::base64:
      return is_digit || is_letter || c == '+' || c == '/' || c == '=';
    case text_encoding::base64url:
      return is_digit || is_letter || c == '-' || c == '_';
    }
    return false;
  });
}

std::optional<std::string> decoded(text_encoding encoding, std::string_view text) {
  switch (encoding) {
  case text_encoding::hex:
    return decode_hex(text);
  case text_encoding::base64:
    return decode_base64(text);
  case text_encoding::base64url:
    return decode_base64url(text);
  }
  return {};
}

std::optional<std::string> bytes_of(key_form form, std::string_view secret) {
  switch (form) {
  case key_form::text:
    return std::string{secret};
  case key_form::hex:
    return decode_hex(secret);
  case key_form::base64:
    return decode_base64(secret);
  case key_form::whsec:
    return decode_whsec(secret);
  case key_form::sha1:
    return std::string{hash_of(hash_kind::sha1, std::span{&secret, 1}).view()};
  }
  return {};
}

bool mentions_url(const text_template& text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](const template_part& part) { return part.kind == template_part::what::url; });
}

/// The checks of one request, in the order of the reasons.
class signature_checker {
public:
  signature_checker(const provider_scheme& scheme, request_values& values, std::span<const std::string_view> secrets,
                    wall_time now)
      : scheme_{scheme}, values_{values}, secrets_{secrets}, now_{now} {}

  check_result check() {
    for (const auto step : {&signature_checker::look_for_headers, &signature_checker::look_for_fields,
                            &signature_checker::collect_signatures, &signature_checker::look_for_timestamp})
      if (const auto reason = (this->*step)(); reason != verify_reason::ok)
        return {reason};
    if (malformed_ || !read_timestamp())
      return {verify_reason::header_malformed};
    if (!is_in_time())
      return {verify_reason::timestamp_out_of_tolerance};
    if (!is_body_digest_right())
      return {verify_reason::body_digest_mismatch};
    return compare();
  }

private:
  verify_reason look_for_headers() {
    if (const auto reason = demand_headers(scheme_, values_, malformed_); reason != verify_reason::ok)
      return reason;
    for (const auto& text : scheme_.signed_texts)
      for (const auto& part : text)
        if (part.kind == template_part::what::header && values_.header(part.name).value.empty())
          return verify_reason::header_missing;
    return verify_reason::ok;
  }

  verify_reason look_for_fields() {
    if (const auto reason = demand_fields(scheme_, values_, malformed_); reason != verify_reason::ok)
      return reason;
    if (!scheme_.body_digest.query.empty() && !values_.query(scheme_.body_digest.query))
      return verify_reason::field_missing;
    if (scheme_.each.empty()) {
      // Where nothing is read of it, the body needs not be JSON, nor be parsed.
      scopes_.push_back(reads_json() ? values_.json().root() : json_view::node{});
    } else {
      auto found = values_.json().find_each(values_.json().root(), scheme_.each);
      if (!found)
        return verify_reason::field_missing;
      if (found->size() > scopes_max)
        return verify_reason::header_malformed;
      scopes_ = std::move(*found);
    }
    for (const auto scope : scopes_)
      for (const auto& text : scheme_.signed_texts)
        for (const auto& part : text)
          if (!has_field(part, scope))
            return verify_reason::field_missing;
    return verify_reason::ok;
  }

  // Whether what a part of the signed text names is there: what is not can never be left out of it.
  bool has_field(const template_part& part, json_view::node scope) {
    using what = template_part::what;
    if (part.kind == what::sorted_form)
      malformed_ |= values_.has_too_many_fields();
    return part.kind == what::json    ? values_.json_text(scope, part.path).has_value()
           : part.kind == what::form  ? values_.form(part.name).has_value()
           : part.kind == what::query ? values_.query(part.name).has_value()
                                      : true;
  }

  [[nodiscard]] bool reads_json() const noexcept {
    const auto is_json = [](const template_part& part) {
      return part.kind == template_part::what::json || part.kind == template_part::what::optional_json;
    };
    return std::any_of(scheme_.signatures.begin(), scheme_.signatures.end(), is_in_json) ||
           std::any_of(scheme_.signed_texts.begin(), scheme_.signed_texts.end(),
                       [&](const text_template& text) { return std::any_of(text.begin(), text.end(), is_json); });
  }

  verify_reason collect_signatures() {
    for (const auto scope : scopes_) {
      auto& found = candidates_.emplace_back();
      for (const auto& place : scheme_.signatures) {
        const auto texts = texts_at(place, values_, scope);
        if (texts.no_field)
          return verify_reason::field_missing;
        for (const auto text : texts.all)
          add_candidates(place, text, found);
      }
      const bool none = found.all.empty() && !found.cut_short;
      if (none && (found.other_version || !found.garbage))
        return verify_reason::signature_missing;
      malformed_ |= found.all.size() > signatures_max || none;
    }
    return verify_reason::ok;
  }

  void add_candidates(const value_place& place, std::string_view text, candidates& out) {
    const auto prefix = evaluate_text(place.prefix, values_, {}, scheme_.hash).value_or("");
    for (auto element : elements_of(text, place.separator)) {
      if (!element.starts_with(prefix)) {
        (is_other_version(element, prefix) ? out.other_version : out.garbage) = true;
        continue;
      }
      if (out.all.size() > signatures_max)
        return; // refused already
      element.remove_prefix(prefix.size());
      candidate each;
      if (!place.secret_key.empty())
        each.only_secret = values_.setting(place.secret_key);
      if (!place.index_separator.empty()) {
        const auto cut = element.find(place.index_separator);
        if (cut == std::string_view::npos) {
          out.garbage = true;
          continue;
        }
        const auto index = element.substr(cut + place.index_separator.size());
        each.only_secret = values_.setting(scheme_.index_secrets + "/" + std::string{index});
        element = element.substr(0, cut);
      }
      if (element.empty())
        continue;
      if (!is_of_alphabet(scheme_.encoding, element)) {
        out.garbage = true;
      } else if (auto bytes = decoded(scheme_.encoding, element)) {
        each.bytes = std::move(*bytes);
        out.all.push_back(std::move(each));
      } else {
        out.cut_short = true;
      }
    }
  }

  verify_reason look_for_timestamp() {
    if (!scheme_.timestamp)
      return verify_reason::ok;
    const auto& place = scheme_.timestamp->from;
    const auto root = is_in_json(place) ? values_.json().root() : json_view::node{};
    const auto found = texts_at(place, values_, root);
    if (std::all_of(found.all.begin(), found.all.end(), [](std::string_view text) { return text.empty(); }))
      return verify_reason::timestamp_missing;
    // A number of milliseconds is one in JSON as well (Linear).
    malformed_ |= place.kind == value_place::where::json &&
                  scheme_.timestamp->in == timestamp_rule::unit::unix_milliseconds &&
                  !json_view::is_number(values_.json().find(root, place.path));
    const auto prefix = evaluate_text(place.prefix, values_, {}, scheme_.hash).value_or("");
    for (const auto text : found.all)
      for (const auto element : elements_of(text, place.separator))
        if (element.starts_with(prefix)) {
          timestamp_ = element.substr(prefix.size());
          return verify_reason::ok;
        }
    malformed_ = true; // a header with the signature and without its time
    return verify_reason::ok;
  }

  bool read_timestamp() {
    if (!scheme_.timestamp || scheme_.timestamp->in == timestamp_rule::unit::any)
      return true;
    if (scheme_.timestamp->in == timestamp_rule::unit::rfc3339) {
      sent_at_ = parse_rfc3339(timestamp_);
      return sent_at_.has_value();
    }
    std::int64_t number = 0;
    constexpr std::size_t digits_max = 15;
    const auto* const end = timestamp_.data() + timestamp_.size();
    const bool is_number = !timestamp_.empty() && timestamp_.size() <= digits_max && timestamp_.front() != '-' &&
                           std::from_chars(timestamp_.data(), end, number).ptr == end;
    if (!is_number)
      return false;
    const auto scale = scheme_.timestamp->in == timestamp_rule::unit::unix_seconds ? 1'000 : 1;
    sent_at_ = wall_time{milliseconds{number * scale}};
    return true;
  }

  [[nodiscard]] bool is_in_time() const {
    if (!sent_at_)
      return true;
    const auto& rule = *scheme_.timestamp;
    return (!rule.max_age || now_ - *sent_at_ <= *rule.max_age) &&
           (!rule.max_future || *sent_at_ - now_ <= *rule.max_future);
  }

  bool is_body_digest_right() {
    if (scheme_.body_digest.query.empty())
      return true;
    const auto body = values_.request().body;
    const auto hash = hash_of(scheme_.body_digest.hash, std::span{&body, 1});
    const auto given = decode_hex(*values_.query(scheme_.body_digest.query));
    return given && equal_constant_time(*given, hash.view());
  }

  // All scopes must verify, each by any of its signatures.
  check_result compare() {
    check_result out{verify_reason::ok};
    for (std::size_t i = 0; i < scopes_.size(); ++i) {
      const auto& given = candidates_[i].all;
      out.secret = {};
      for (const auto each : secrets_)
        match(each, {}, scopes_[i], given, out.secret);
      for (const auto& each : given)
        if (each.only_secret && !each.only_secret->empty())
          match(*each.only_secret, each.only_secret, scopes_[i], given, out.secret);
      if (out.secret.empty())
        return {verify_reason::signature_mismatch};
    }
    return out;
  }

  // `only`: of the signatures that this secret alone may have made; else of the others.
  void match(std::string_view secret, std::optional<std::string_view> only, json_view::node scope,
             const std::vector<candidate>& given, std::string_view& matched) {
    const auto key = key_of(scheme_.key, secret);
    if (!key)
      return;
    for (const auto& text : scheme_.signed_texts) {
      const auto& urls = values_.urls();
      const auto variants = mentions_url(text) ? urls.size() : 1;
      for (std::size_t i = 0; i < variants; ++i) {
        const auto what = evaluate(text, values_, scope, urls[i], timestamp_, secret);
        if (what.missing != template_part::what::literal || !may_hash(what.parts))
          continue;
        const auto expected = scheme_.family == scheme_family::hmac ? hmac_of(scheme_.hash, *key, what.parts)
                                                                    : hash_of(scheme_.hash, what.parts);
        for (const auto& each : given)
          if ((each.only_secret == only) & equal_constant_time(each.bytes, expected.view()))
            matched = secret;
      }
    }
  }

  // A tenant writes schemes, and anybody requests: together they must not keep a core busy.
  bool may_hash(const std::vector<std::string_view>& parts) {
    for (const auto part : parts)
      hashed_ += part.size() + hashing_overhead;
    return hashed_ <= hashed_max;
  }

  const provider_scheme& scheme_;
  request_values& values_;
  std::span<const std::string_view> secrets_;
  wall_time now_;
  std::vector<json_view::node> scopes_;
  std::vector<candidates> candidates_; ///< for each scope
  std::string timestamp_;
  std::optional<wall_time> sent_at_;
  std::size_t hashed_ = 0; ///< bytes
  bool malformed_ = false;
};

} // namespace

std::optional<std::string> key_of(key_form form, std::string_view secret) {
  auto key = secret.empty() ? std::nullopt : bytes_of(form, secret);
  return key && !key->empty() ? std::move(key) : std::nullopt;
}

check_result check_signature(const provider_scheme& scheme, request_values& values,
                             std::span<const std::string_view> secrets, wall_time now) {
  return signature_checker{scheme, values, secrets, now}.check();
}

} // namespace postrider
