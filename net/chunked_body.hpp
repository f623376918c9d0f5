#pragma once

#include "net/http_guard.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postrider {

/// Reads a chunked body (RFC 9112 section 7.1) piece by piece, strictly, with bounds on everything a peer could make
/// endless. Extensions are skipped; trailers are checked line by line and ignored. Not Beast's decoder: that one merges
/// the trailers into the headers and puts no bound on them, nor on extensions. Pure; used for requests and responses.
class chunked_body {
public:
  struct limits {
    std::size_t body_max = 1 << 20;      ///< bytes after decoding
    std::size_t extensions_max = 1024;   ///< bytes of extensions, of all chunks together
    std::size_t trailers_max = 8 * 1024; ///< bytes of all trailer lines
    bool cut_off = false; ///< at `body_max`: true: keep what there is, read on and drop; false: refuse with 413
  };
  explicit chunked_body(limits bounds) noexcept : limits_(bounds) {}

  struct progress {
    std::size_t consumed = 0; ///< of the bytes given; what is left belongs to the next message
    bool whole = false;       ///< the last chunk and the trailers are read
    http_refusal
      refused{}; ///< 400 malformed, 413 too large, 431 extensions or trailers too large; nothing more may be fed
  };
  /// Appends what it decodes to `body`.
  progress feed(std::string_view bytes, std::string& body);

private:
  enum class state : std::uint8_t {
    size_first,
    size,
    size_space,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_lf,
    end
  };
  http_refusal byte(char c);
  http_refusal end_of_size_line();
  http_refusal end_of_trailer_line();

  limits limits_;
  state state_ = state::size_first;
  std::uint64_t remaining_ = 0; ///< of the current chunk
  std::size_t digits_ = 0;      ///< of its size
  std::size_t extensions_ = 0;
  std::size_t trailers_ = 0;
  std::size_t decoded_ = 0;
  std::string line_; ///< the trailer line being read
};

} // namespace postrider
