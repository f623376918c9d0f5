#include "actors/ingest_verdict.hpp"

namespace postrider {

ingest_answer ingest_verdict(const source_config& source, const verification& found) {
  const auto& rules = source.rules;
  const auto demanded = [&rules](const std::optional<fixed_answer>& answer) {
    return answer ? std::shared_ptr<const fixed_answer>{rules, &*answer} : nullptr;
  };
  ingest_answer out;
  if (found.wrong_method) {
    out.result = ingest_result::method;
    out.response = std::make_shared<const fixed_answer>(fixed_answer{405, {}, rules->methods_text});
  } else if (found.handshake) {
    out.result = ingest_result::handshake;
    out.response = std::make_shared<const fixed_answer>(*found.handshake);
  } else if (found.accepted()) {
    out.result = ingest_result::accepted;
    out.response = demanded(rules->accept);
  } else {
    out.result = ingest_result::rejected;
    out.code = to_string(found.reason);
    out.response = rules ? demanded(rules->reject) : nullptr;
  }
  return out;
}

} // namespace postrider
