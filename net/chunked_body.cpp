#include "net/chunked_body.hpp"

#include "net/http_syntax.hpp"

#include <algorithm>

namespace postrider {

using namespace http_syntax;

namespace {

constexpr std::size_t size_digits_max = 15; // 60 bits: no sum of two can overflow

constexpr http_refusal malformed(std::string_view detail) noexcept {
  return {400, "http-malformed", detail};
}

unsigned hex_value(char c) noexcept {
  return static_cast<unsigned>(c <= '9' ? c - '0' : lower(c) - 'a' + 10);
}

} // namespace

chunked_body::progress chunked_body::feed(std::string_view bytes, std::string& body) {
  progress out;
  while (out.consumed < bytes.size() && state_ != state::end) {
    if (state_ == state::data) {
      const auto rest = bytes.substr(out.consumed);
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, rest.size()));
      const auto kept = std::min(taken, limits_.body_max - decoded_);
      body.append(rest.substr(0, kept));
      decoded_ += kept;
      out.consumed += taken;
      remaining_ -= taken;
      if (remaining_ == 0)
        state_ = state::data_cr;
      continue;
    }
    out.refused = byte(bytes[out.consumed++]);
    if (out.refused)
      return out;
  }
  out.whole = state_ == state::end;
  return out;
}

/// One byte of the frame around the data.
http_refusal chunked_body::byte(char c) {
  switch (state_) {
  case state::size_first:
    if (!is(c, hex))
      return malformed("a chunk has no size");
    remaining_ = hex_value(c);
    digits_ = 1;
    state_ = state::size;
    return {};
  case state::size:
    if (is(c, hex)) {
      if (++digits_ > size_digits_max)
        return malformed("a chunk's size has too many digits");
      remaining_ = remaining_ * 16 + hex_value(c);
      return {};
    }
    [[fallthrough]];
  case state::size_space: // white space is allowed before an extension alone
    if (c == '\r' && state_ == state::size) {
      state_ = state::size_lf;
      return {};
    }
    if (c != ';' && c != ' ' && c != '\t')
      return malformed("a chunk's size is no hexadecimal number");
    state_ = c == ';' ? state::extension : state::size_space;
    break;
  case state::extension:
    if (c == '\r') {
      state_ = state::size_lf;
      return {};
    }
    if (!is(c, field))
      return malformed("a chunk extension holds a control character");
    break;
  case state::size_lf:
    return c == '\n' ? end_of_size_line() : malformed("a chunk's size line does not end in CRLF");
  case state::data_cr:
  case state::data_lf:
    if (c != (state_ == state::data_cr ? '\r' : '\n'))
      return malformed("a chunk is longer than its size");
    state_ = state_ == state::data_cr ? state::data_lf : state::size_first;
    return {};
  case state::trailer:
    if (++trailers_ > limits_.trailers_max)
      return {431, "header-too-large", "the trailers are too large"};
    if (c == '\r')
      state_ = state::trailer_lf;
    else if (is(c, field))
      line_.push_back(c);
    else
      return malformed("a trailer holds a control character");
    return {};
  case state::trailer_lf:
    return c == '\n' ? end_of_trailer_line() : malformed("a trailer does not end in CRLF");
  case state::data:
  case state::end:
    return {};
  }
  if (++extensions_ > limits_.extensions_max)
    return {431, "header-too-large", "the chunk extensions are too large"};
  return {};
}

http_refusal chunked_body::end_of_size_line() {
  if (remaining_ == 0) {
    state_ = state::trailer;
    return {};
  }
  if (!limits_.cut_off && remaining_ > limits_.body_max - decoded_)
    return {413, "body-too-large", "the body is too large"};
  state_ = state::data;
  return {};
}

http_refusal chunked_body::end_of_trailer_line() {
  if (line_.empty()) {
    state_ = state::end;
    return {};
  }
  if (!valid_field_line(line_))
    return malformed("a trailer is malformed");
  line_.clear();
  state_ = state::trailer;
  return {};
}

} // namespace postrider
