#include "host/app/process_facts.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace host::app {
namespace {

/// The fields of /proc/self/stat behind the name, which may hold anything; the first is the state.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double booted_seconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

std::uint64_t open_files() {
  std::error_code gone;
  std::uint64_t count = 0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", gone);
       !gone && entry != std::filesystem::directory_iterator(); entry.increment(gone)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // one of them was the folder that was read
}

}  // namespace

std::optional<ProcessFacts> process_facts() {
  // proc(5): utime is field 14, stime 15, starttime 22, rss 24; the state is field 3.
  constexpr std::size_t kUser = 11, kSystem = 12, kStart = 19, kResident = 21;
  const std::vector<std::string> fields = stat_fields();
  if (fields.size() <= kResident) return std::nullopt;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return ProcessFacts{
      .resident_bytes =
          std::stoull(fields[kResident]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)),
      .cpu_seconds = (std::stod(fields[kUser]) + std::stod(fields[kSystem])) / ticks,
      .open_files = open_files(),
      .most_files = files.rlim_cur,
      .started_seconds = booted_seconds() + std::stod(fields[kStart]) / ticks};
}

}  // namespace host::app
