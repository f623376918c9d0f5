#include "persistence/connection_string.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

namespace postrider {

namespace {

std::string quoted(std::string_view value) {
  std::string out{"'"};
  for (const char each : value) {
    if (each == '\'' || each == '\\')
      out += '\\';
    out += each;
  }
  return out + "'";
}

} // namespace

result<std::string> connection_string(const std::string& url, const std::string& application_name,
                                      milliseconds connect_timeout) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed{PQconninfoParse(url.c_str(), &message),
                                                                            &PQconninfoFree};
  const std::unique_ptr<char, decltype(&PQfreemem)> owned_message{message, &PQfreemem};
  if (!parsed)
    return problem{400, "database-url-invalid", "libpq cannot read the database's URL"};

  const auto seconds = std::max<std::int64_t>(2, std::chrono::ceil<std::chrono::seconds>(connect_timeout).count());
  std::map<std::string, std::string> options{
    {"application_name", application_name},
    {"connect_timeout", std::to_string(seconds)},
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "6000"},
    {"client_encoding", "UTF8"},
  };
  for (const auto* each = parsed.get(); each->keyword != nullptr; ++each) {
    if (each->val == nullptr)
      continue;
    options[each->keyword] = each->val;
    if (std::string_view{each->keyword} == "host" && std::string_view{each->val}.find(',') != std::string_view::npos)
      options.emplace("target_session_attrs", "read-write");
  }
  std::string out;
  for (const auto& [keyword, value] : options)
    out += keyword + "=" + quoted(value) + " ";
  return out;
}

} // namespace postrider
