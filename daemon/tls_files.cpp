#include "daemon/tls_files.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace postrider {

namespace {

config_error of_key(const config_origins& origins, const std::string& key, const std::string& path,
                    const std::string& detail) {
  const auto origin = origins.find(key);
  return {origin == origins.end() ? std::string{} : origin->second, key, path + " " + detail};
}

std::shared_ptr<const tls_server> read_listener(const std::string& section, const tls_server_files& files,
                                                const config_origins& origins, tls_findings& found) {
  if (files.certificate.empty())
    return nullptr;
  std::vector<tls_file_finding> errors, warnings;
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  auto made = tls_server::make(files, now, errors, warnings);
  const auto note = [&](const std::vector<tls_file_finding>& from, std::vector<config_error>& into) {
    for (const auto& each : from) {
      using enum tls_file_finding::file;
      const auto* const key = each.about == certificate ? "tls_certificate"
                              : each.about == key_      ? "tls_key"
                                                        : "client_ca";
      const auto& path = each.about == certificate ? files.certificate
                         : each.about == key_      ? files.key
                                                   : files.client_ca;
      into.push_back(of_key(origins, section + "." + key, path, each.detail));
    }
  };
  note(errors, found.errors);
  note(warnings, found.warnings);
  return made;
}

} // namespace

decltype(node_tls::listeners) read_listener_tls(const settings& values, const config_origins& origins,
                                                tls_findings& found) {
  const auto& at_public = values.public_;
  const auto& at_operator = values.operator_;
  return {read_listener("public", {at_public.tls_certificate, at_public.tls_key, {}}, origins, found),
          read_listener("operator", {at_operator.tls_certificate, at_operator.tls_key, at_operator.client_ca}, origins,
                        found)};
}

node_tls read_node_tls(const settings& values, const config_origins& origins, tls_findings& found) {
  node_tls out{.listeners = read_listener_tls(values, origins, found), .endpoints = nullptr};
  std::string error;
  const auto& bundle = values.delivery.ca_bundle;
  out.endpoints = tls_client::make(bundle, error);
  if (!out.endpoints)
    found.errors.push_back(of_key(origins, "delivery.ca_bundle", bundle, error));
  return out;
}

} // namespace postrider
