#pragma once

#include "core/tenant_config.hpp"
#include "net/json_reader.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <memory>

/// `tls` of an endpoint: `{"ca_pem","client_certificate_pem","client_key_pem"}`.
namespace postrider {

/// Bounds of each text, in bytes, and of the certificates in one.
inline constexpr std::size_t tls_text_max = 16 * 1024;
inline constexpr std::size_t tls_certificates_max = 10;

/// What a request says; null: nothing, or something that is wrong. Certificates must be such (`pem-invalid`), a client
/// certificate and its key come together (`required`) and belong together (`key-mismatch`). Certificates come out as
/// they will be stored and shown, without whatever stood between them.
///
/// `stored`: what the endpoint has, for a PATCH, whose document says of the key what was shown, `{"set":true}`. With
/// the certificate unchanged `client_key_pem` then comes out empty: the stored key stays.
std::shared_ptr<const endpoint_tls> read_endpoint_tls(json_reader& reader, const endpoint_tls* stored = nullptr);

/// As it is shown: of the key, that there is one.
boost::json::value endpoint_tls_json(const std::shared_ptr<const endpoint_tls>& tls);

} // namespace postrider
