#include "net/beast_head.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <array>
#include <cstdint>
#include <exception>

namespace postrider {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr http_refusal ambiguous() noexcept {
  return {400, "http-ambiguous", "the head of the message can be read in two ways"};
}

std::string_view to_std(string_view text) noexcept {
  return {text.data(), text.size()};
}

bool is_same(std::string_view left, std::string_view right) noexcept {
  return left.data() == right.data() && left.size() == right.size();
}

/// Beast's parser, which keeps what it reads as views, and looks whether its lines are the block's.
template <bool is_request>
class head_parser final : public http::basic_parser<is_request> {
public:
  struct findings {
    std::string_view method, target;
    int version = 0;
    int status = 0;
    std::string_view host, content_type, authorization, retry_after, webhook_delivery;
    bool expects = false;
  };

  /// `first_line`: with its CRLF; need not stand before `lines`. `lines`: with the empty line. False: it is not what
  /// Beast takes for a head.
  bool read(std::string_view first_line, std::string_view lines) {
    error_code error;
    this->header_limit(static_cast<std::uint32_t>(first_line.size() + lines.size() + 1)); // the guard has looked
    this->body_limit(boost::none);                                                        // judged by the routes
    next_line_ = lines.data();
    end_ = lines.data() + lines.size();
    if (this->put({first_line.data(), first_line.size()}, error) != first_line.size() ||
        error != http::error::need_more)
      return false;
    const auto taken = this->put({lines.data(), lines.size()}, error);
    return !error && taken == lines.size() && this->is_header_done() && next_line_ == end_ - 2;
  }

  [[nodiscard]] const findings& found() const noexcept { return found_; }

  /// The framing is the same, and so is the length where there is one.
  [[nodiscard]] bool agrees_on_body(body_framing framing, std::uint64_t content_length) const {
    if (this->chunked() != (framing == body_framing::chunked))
      return false;
    if (framing == body_framing::content_length)
      return this->content_length() == content_length;
    return framing != body_framing::none || this->is_done();
  }

private:
  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    found_.method = to_std(method);
    found_.target = to_std(target);
    found_.version = version;
  }
  void on_response_impl(int status, string_view, int version, error_code&) override {
    found_.status = status;
    found_.version = version;
  }

  void on_field_impl(http::field name, string_view name_text, string_view value, error_code& error) override {
    // A value that Beast put together from folded lines stands in a buffer of its own, outside of the block.
    const char* at = value.data() + value.size();
    if (name_text.data() != next_line_ || value.data() <= next_line_ || at > end_ - 2) {
      error = http::error::bad_field;
      return;
    }
    while (*at == ' ' || *at == '\t')
      ++at;
    next_line_ = at + 2;
    const auto text = to_std(value);
    switch (name) {
    case http::field::host:
      found_.host = text;
      break;
    case http::field::content_type:
      set_first(found_.content_type, text);
      break;
    case http::field::authorization:
      set_first(found_.authorization, text);
      break;
    case http::field::retry_after:
      found_.retry_after = text;
      break;
    case http::field::expect:
      found_.expects = true;
      break;
    case http::field::unknown:
      if (equal_ignoring_case(to_std(name_text), "webhook-delivery"))
        found_.webhook_delivery = text;
      break;
    default:
      break;
    }
  }
  static void set_first(std::string_view& into, std::string_view text) noexcept {
    if (into.empty())
      into = text;
  }

  void on_header_impl(error_code&) override {}
  void on_finish_impl(error_code&) override {}
  // Not called: Beast is given the head alone.
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }

  findings found_;
  const char* next_line_ = nullptr; ///< where the next field must begin
  const char* end_ = nullptr;
};

http_refusal read_with_beast(std::string_view block, request_head& out) {
  head_parser<true> parser;
  const auto line_end = block.find("\r\n") + 2;
  if (!parser.read(block.substr(0, line_end), block.substr(line_end)))
    return ambiguous();
  const auto& found = parser.found();
  const bool http_1_0 = found.version == 10;
  if (!is_same(found.method, out.method) || !is_same(found.target, out.target) || http_1_0 != out.http_1_0 ||
      found.host != out.host || !parser.agrees_on_body(out.framing, out.content_length))
    return ambiguous();
  out.method = found.method;
  out.target = found.target;
  out.host = found.host;
  out.content_type = found.content_type;
  out.authorization = found.authorization;
  out.expects_continue = out.expects_continue && found.expects;
  out.keep_alive = out.keep_alive && parser.keep_alive();
  return {};
}

http_refusal read_with_beast(std::string_view block, response_head& out) {
  head_parser<false> parser;
  const auto line_end = block.find("\r\n") + 2;
  auto line = block.substr(0, line_end);
  std::array<char, 15> mended{}; // Beast wants the space before an empty reason phrase, which many servers leave out
  if (line.size() == mended.size() - 1) {
    line.copy(mended.data(), 12);
    std::string_view{" \r\n"}.copy(mended.data() + 12, 3);
    line = {mended.data(), mended.size()};
  }
  if (!parser.read(line, block.substr(line_end)))
    return ambiguous();
  const auto& found = parser.found();
  if (found.status != out.status || (found.version == 10) != out.http_1_0)
    return ambiguous();
  const bool without_body = out.framing == body_framing::none; // 1xx, 204, 304: whatever the header lines say
  if (!(without_body ? parser.is_done() : parser.agrees_on_body(out.framing, out.content_length)))
    return ambiguous();
  if ((out.framing == body_framing::until_close) != parser.need_eof())
    return ambiguous();
  out.status = found.status;
  out.retry_after = found.retry_after;
  out.webhook_delivery = found.webhook_delivery;
  out.keep_alive = out.keep_alive && parser.keep_alive();
  return {};
}

} // namespace

http_refusal read_request_head(std::string_view block, const http_limits& limits, request_head& out) noexcept {
  if (const auto refused = guard_request(block, limits, out))
    return refused;
  try {
    return read_with_beast(block, out);
  } catch (const std::exception&) {
    return ambiguous();
  }
}

http_refusal read_response_head(std::string_view block, const http_limits& limits, response_head& out) noexcept {
  if (const auto refused = guard_response(block, limits, out))
    return refused;
  try {
    return read_with_beast(block, out);
  } catch (const std::exception&) {
    return ambiguous();
  }
}

} // namespace postrider
