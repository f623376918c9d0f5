#include "persistence/random_bytes.hpp"

#include <stdexcept>
#include <sys/random.h>
#include <sys/types.h>

namespace postrider {

void fill_random(std::uint8_t* out, std::size_t size) {
  if (getrandom(out, size, 0) != static_cast<ssize_t>(size))
    throw std::runtime_error("the system's random source does not answer");
}

} // namespace postrider
