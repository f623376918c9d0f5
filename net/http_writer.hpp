#pragma once

#include "actors/ingest.hpp"
#include "net/http_message.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// Composes answers by hand into a connection's buffer, which keeps its capacity: no allocation on the hot path.
namespace postrider {

/// What LISTENER knows of the exchange that is answered.
struct answer_frame {
  std::string_view request_id;
  std::string_view date;
  bool close = false;     ///< `connection: close`
  bool head_only = false; ///< HEAD: everything but the body
};

/// 16 hexadecimal digits: a request's id as `x-request-id` and `instance` show it.
using request_id_text = std::array<char, 16>;
request_id_text to_request_id(std::uint64_t id) noexcept;

/// Header values never carry control characters, whatever is in `response`: they would begin lines of their own.
void write_response(std::string& out, const http_response& response, const answer_frame& frame);

/// api.md, "Ingest": 200 with the event's id, what the provider demands in place of it, or the problem of
/// `what.result`.
http_response ingest_response(const ingest_answer& what, std::string_view request_id);
/// The same, written; of our own 200 without `http_response`.
void write_ingest_answer(std::string& out, const ingest_answer& what, const answer_frame& frame);

} // namespace postrider
