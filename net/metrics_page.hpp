#pragma once

#include "actors/inspection.hpp"
#include "core/metrics.hpp"

#include <string>
#include <vector>

namespace postrider {

/// What the kernel says of this process (proc(5)); 0 where it says nothing.
struct process_usage {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptors_max = 0;
  std::uint64_t threads = 0;
  double start_time_seconds = 0; ///< Unix time
};
process_usage read_process_usage();

/// Prometheus text format 0.0.4. Every name starts with `postrider_` and carries its unit; counters end in `_total`;
/// times are in seconds. The counts are our own plain atomics, for the hot path writes them; prometheus-cpp renders a
/// copy of them and keeps none.
std::string render_metrics(const metrics& counts, const process_usage& process,
                           const std::vector<dependency_status>& ready);

inline constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

} // namespace postrider
