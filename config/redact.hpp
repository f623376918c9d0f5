#pragma once

#include <string>
#include <string_view>

namespace postrider {

/// The URL or DSN of a database as it may be printed: passwords (of the user, `password=`, `sslpassword=`) as `***`. A
/// text in which they cannot be told apart comes back as `***` alone.
std::string redact_database_url(std::string_view url);

} // namespace postrider
