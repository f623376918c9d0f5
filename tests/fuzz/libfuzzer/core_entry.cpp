// The entry point of libFuzzer for one of the parsers of core, named by POSTRIDER_FUZZ_TARGET at compile time:
//   cmake -DCMAKE_CXX_COMPILER=clang++ -DPOSTRIDER_FUZZ=ON … && build/…/fuzz/rfc3339 -max_total_time=60
#include "tests/fuzz/core_targets.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& chosen = []() -> const postrider::fuzz::target& {
    for (const auto& target : postrider::fuzz::core_targets())
      if (target.name == POSTRIDER_FUZZ_TARGET)
        return target;
    std::abort(); // CMake names a target that is not there
  }();
  chosen.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
