#pragma once

#include "core/provider_scheme.hpp"

#include <memory>

namespace postrider::test {

/// The rules of GitHub as config/presets.json says them, for programs that do not link config.
inline std::shared_ptr<const provider_scheme> github_scheme() {
  auto out = std::make_shared<provider_scheme>();
  out->name = "github";
  value_place place;
  place.kind = value_place::where::header;
  place.name = "X-Hub-Signature-256";
  place.prefix = {{template_part::what::literal, "sha256="}};
  out->signatures = {place};
  out->signed_texts = {{{template_part::what::body}}};
  out->event_id = {value_source::what::header, "X-GitHub-Delivery"};
  out->event_type = {value_source::what::header, "X-GitHub-Event"};
  out->forwarded_headers = {"X-GitHub-Delivery", "X-GitHub-Event"};
  return out;
}

} // namespace postrider::test
