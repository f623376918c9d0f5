#pragma once

#include "net/openssl_handles.hpp"

#include <cstddef>
#include <string>
#include <vector>

/// How TLS is spoken, the same for LISTENER and SENDER: both meet peers that nobody vouches for, and both compute on
/// threads that they share with thousands of connections. What a peer may choose is therefore what costs about a
/// millisecond, and nothing else:
///
/// | | allowed | why not more |
/// | --- | --- | --- |
/// | versions | 1.2, 1.3 | RFC 8996 |
/// | key exchange | X25519, P-256, P-521, P-384 | over ffdhe8192 120 ms; over a prime of the server's own 0.2 s and
/// more | | ciphers of 1.2 | ECDHE with AES-GCM or ChaCha20 | DHE, as above; RSA and CBC are weak | | security level |
/// 2: 112 bits, so RSA and EC from 2048 and 224 bits | – | | the other side's certificates | 32 KiB | 0.1 ms for each
/// to be read, so 15 ms | | their keys | RSA to 8192 bits with an exponent to 32, EC on P-256, P-384, P-521, Ed25519,
/// Ed448 | verifying: 1 ms | | names in them, constraints on names | 1,000 in all, 100 in all | OpenSSL compares each
/// with each | | authorities between theirs and a known one | 8 | one verification each | | own keys | RSA of 2048 to
/// 4096 bits, EC and Edwards as above | a signature of RSA-15360 takes 0.2 s |
///
/// What may come after the handshake is bounded by tls_channel.
namespace postrider {

/// Bytes of the other side's certificates in all.
inline constexpr std::size_t tls_peer_certificates_max = 32 * 1024;

/// Puts all of it into force for a new context of either side. False: OpenSSL refuses, and its error says why.
bool apply_tls_policy(SSL_CTX& context) noexcept;

/// Why a key is not one to sign handshakes with; empty: it is. Reads on after "it" or the name of a file.
std::string why_not_own_key(EVP_PKEY& key);

/// Why certificates cost too much to be verified, or to be verified against; empty: they do not. Reads on likewise.
std::string why_too_costly(const std::vector<certificate_ptr>& certificates);

} // namespace postrider
