#pragma once

#include "actors/ingest.hpp"
#include "net/http_message.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace postrider {

/// `/in/{tenant}/{source}`, decoded.
struct ingest_path {
  std::string tenant; ///< slug or id
  std::string source; ///< name or id
};
/// Nothing where the path has another form, or a segment that no slug, name or id can be.
std::optional<ingest_path> parse_ingest_path(std::string_view path);

/// The way of a webhook from LISTENER to VERIFIER (api.md, "Ingest"): admits it under the bounds of I13, and hands it
/// over. The answers come back through `http_replies`. The hot path: called on the io threads, never blocks.
class ingest_routes final : public http_handler {
public:
  static constexpr std::size_t body_max_default = 1 << 20;

  /// The gate must outlive this; `admission` is shared with whoever else watches that bound.
  ingest_routes(ingest_gate& gate, std::shared_ptr<ingest_admission> admission, std::size_t body_max = body_max_default)
      : gate_(gate), admission_(std::move(admission)), body_max_(body_max) {}

  head_verdict examine(const request_head& head, std::string_view request_id, std::string_view remote_address) override;
  std::unique_ptr<http_response> handle(http_call call) override;

private:
  ingest_gate& gate_;
  std::shared_ptr<ingest_admission> admission_;
  std::size_t body_max_;
};

} // namespace postrider
