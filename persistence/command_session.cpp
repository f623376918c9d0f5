#include "persistence/command_session.hpp"

#include "persistence/connection_string.hpp"

namespace postrider {

namespace {

session_options options_for(const std::string& url, const std::string& role, milliseconds patience) {
  session_options out;
  out.url = url;
  out.role = role;
  out.connect_timeout = milliseconds{5'000};
  out.statement_timeout = out.lock_timeout = patience * 9 / 10; // the server's own words come first
  out.call_deadline = patience;
  out.idle_in_transaction_timeout = milliseconds{60'000};
  return out;
}

} // namespace

command_session::command_session(const std::string& url, const std::string& role, milliseconds patience)
    : url_{url}, on_{options_for(url, role, patience), dog_, counts_} {}

std::optional<problem> command_session::connect() {
  if (const auto readable = connection_string(url_, on_.options().role, on_.options().connect_timeout); !readable)
    return readable.error();
  if (const auto failure = on_.connect())
    return problem_of(*failure, "internal-error");
  return std::nullopt;
}

problem problem_of(const session_failure& failure, const char* code, const std::string& what) {
  using enum session_failure::kind;
  if (failure.what == lost || failure.what == busy)
    return store_unavailable(failure.detail);
  return {500, code, what.empty() ? failure.detail : what + ": " + failure.detail};
}

} // namespace postrider
