#pragma once

#include "config/json_fields.hpp"
#include "core/provider_scheme.hpp"

/// What a preset says back: methods, answers of its own, the handshake. Not for others than scheme_parser.
namespace postrider {

/// Request methods: of POST, GET, PUT, PATCH and DELETE, each once. They go into a header of our answers.
std::vector<std::string> read_methods(json_fields& in, std::string_view key);

/// `accept` answers what is verified and must be a success, 200 to 299; `reject` what is not, 400 to 499: any other
/// status would tell a provider the contrary of what was done.
fixed_answer read_answer(const boost::json::object& object, std::string pointer, int least, int most,
                         std::vector<scheme_error>& errors);

/// A handshake that nobody has to sign may say nothing that is worth asking for: no secret, and no MAC but of a query
/// parameter that has a pattern, or whoever asks could have any text signed.
handshake_rule read_handshake(const boost::json::object& object, std::string pointer,
                              std::vector<scheme_error>& errors);

} // namespace postrider
