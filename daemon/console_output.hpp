#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace postrider {

/// A listing for people: columns as wide as their longest cell, two spaces between; control characters as `?`.
void print_table(std::ostream& out, const std::vector<std::string>& head,
                 const std::vector<std::vector<std::string>>& rows);

} // namespace postrider
