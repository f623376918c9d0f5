#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/openssl_handles.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Certificates and keys as text (RFC 7468), from files of the operator and from requests of tenants. An error says
/// what is wrong in words (`problem::detail`, which reads on after the name of the file or field), and repeats nothing
/// of the text: it may be a key.
namespace postrider {

/// A whole file of at most `size_max` bytes, or `cannot be read: …`.
result<std::string> read_pem_file(const std::string& path, std::size_t size_max = 4 << 20);
/// Overwrites what may have been a key.
void wipe(std::string& text) noexcept;

/// Every CERTIFICATE of the text, in order, at least one. `others`: blocks of other kinds are passed over; without it
/// they are an error, as a private key that was put into the wrong field.
enum class pem_others : bool { refused, passed_over };
result<std::vector<certificate_ptr>> read_certificates(std::string_view pem, pem_others others);

/// The first private key of the text (PKCS #8, PKCS #1 or SEC 1), for RSA, EC or an Edwards curve. One with a
/// passphrase is an error: there is nobody to ask for it.
result<private_key_ptr> read_private_key(std::string_view pem);

bool key_matches(X509& certificate, EVP_PKEY& key) noexcept;

/// Has `context` present the chain, leaf first. Otherwise what OpenSSL says of it (a key that is too small, say), in
/// words.
std::string use_certificate_chain(SSL_CTX& context, const std::vector<certificate_ptr>& chain, EVP_PKEY& key);

/// Whether `use_certificate_chain` would take them; empty: yes.
std::string try_certificate_chain(const std::vector<certificate_ptr>& chain, EVP_PKEY& key);

/// As text again, without whatever stood between.
std::string to_pem(const std::vector<certificate_ptr>& certificates);

/// Empty: it is valid now. Otherwise "expired on …" or "is valid from …", for people.
std::string why_not_valid(X509& certificate, wall_time now);

/// The first error that OpenSSL has noted on this thread, in words; forgets all of them.
std::string openssl_error();

} // namespace postrider
