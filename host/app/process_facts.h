#pragma once

#include <cstdint>
#include <optional>

namespace host::app {

/// What the kernel says of this process, as Prometheus' own libraries tell it.
struct ProcessFacts {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;
  std::uint64_t open_files = 0;
  std::uint64_t most_files = 0;
  double started_seconds = 0;  // Unix time
};
/// Nothing where /proc is not there.
std::optional<ProcessFacts> process_facts();

}  // namespace host::app
