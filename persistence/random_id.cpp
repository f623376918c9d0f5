#include "persistence/random_id.hpp"

#include "persistence/random_bytes.hpp"

namespace postrider {

uuid random_id(wall_time at) {
  return make_uuid_v7(at, random_bytes<10>());
}

} // namespace postrider
