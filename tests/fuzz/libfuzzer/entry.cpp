// The entry point of libFuzzer for one of the targets, named by POSTRIDER_FUZZ_TARGET at compile time:
//   cmake -DCMAKE_CXX_COMPILER=clang++ -DPOSTRIDER_FUZZ=ON … && build/…/fuzz/rfc3339 -max_total_time=60
#include "tests/fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& chosen = []() -> const postrider::fuzz::target& {
    for (const auto targets : {postrider::fuzz::core_targets(), postrider::fuzz::http_targets()})
      for (const auto& target : targets)
        if (target.name == POSTRIDER_FUZZ_TARGET)
          return target;
    std::abort(); // CMake names a target that is not there
  }();
  chosen.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
