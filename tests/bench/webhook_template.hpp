#pragma once

#include "tests/bench/hmac.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postrider::bench {

/// Whose webhooks are imitated: the header names differ, the body does not.
enum class webhook_style : std::uint8_t { github, strawman };

/// One signed webhook request, laid out once; only its id and its signature change from request to request.
/// The id is a UUID whose last twelve digits are the sequence number.
class webhook_template {
public:
  static constexpr std::size_t body_size_min = 128;

  /// `run` is the first 24 characters of every id, dashes included: xxxxxxxx-xxxx-4xxx-8xxx-.
  webhook_template(webhook_style style, std::string_view host, std::string_view path, std::string_view run,
                   std::size_t body_size) {
    const std::string id = std::string{run} + std::string(12, '0');
    if (id.size() != 36 || body_size < body_size_min)
      throw std::invalid_argument("a webhook needs an id of 36 characters and a body of at least 128 bytes");
    const bool github = style == webhook_style::github;
    bytes_.append("POST ").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
    bytes_ += "\r\nContent-Type: application/json\r\n";
    if (github)
      bytes_ += "X-GitHub-Event: push\r\n";
    bytes_ += github ? "X-GitHub-Delivery: " : "X-Event-Id: ";
    id_in_head_ = bytes_.size() + run.size();
    bytes_ += id;
    bytes_ += github ? "\r\nX-Hub-Signature-256: sha256=" : "\r\nX-Signature: ";
    signature_ = bytes_.size();
    bytes_ += std::string(64, '0') + "\r\nContent-Length: " + std::to_string(body_size) + "\r\n\r\n";
    body_ = bytes_.size();
    bytes_ += R"({"ref":"refs/heads/main","delivery":")";
    id_in_body_ = bytes_.size() + run.size();
    bytes_ += id + R"(","padding":")";
    bytes_.resize(body_ + body_size - 2, 'x');
    bytes_ += "\"}";
  }

  /// The request with this sequence number (below 2^48), valid until the next call.
  std::string_view with_sequence(std::uint64_t sequence, hmac_sha256& hmac) {
    static constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 12; i-- > 0; sequence >>= 4)
      bytes_[id_in_head_ + i] = bytes_[id_in_body_ + i] = digits[sequence & 15];
    const auto code = hmac({std::string_view{bytes_}.substr(body_)});
    for (std::size_t i = 0; i < code.size(); ++i) {
      bytes_[signature_ + 2 * i] = digits[code[i] >> 4];
      bytes_[signature_ + 2 * i + 1] = digits[code[i] & 15];
    }
    return bytes_;
  }

private:
  std::string bytes_;
  std::size_t id_in_head_ = 0; // where the sequence digits are, twice
  std::size_t id_in_body_ = 0;
  std::size_t signature_ = 0;
  std::size_t body_ = 0;
};

} // namespace postrider::bench
