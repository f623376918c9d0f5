#pragma once

#include "core/result.hpp"
#include "core/time.hpp"

#include <string>

namespace postrider {

/// The DSN that a session connects with: `url` (libpq URL or DSN, several hosts allowed) with what it does not say
/// itself: application_name, connect_timeout, target_session_attrs=read-write where several hosts are named,
/// keep-alives, tcp_user_timeout. 400 `database-url-invalid` where libpq cannot read it; the detail never repeats the
/// URL (it may hold a password).
result<std::string> connection_string(const std::string& url, const std::string& application_name,
                                      milliseconds connect_timeout);

} // namespace postrider
