#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

#include "host/app/process_facts.h"

namespace host::app {

TEST_CASE("the kernel tells what this process uses") {
  const auto facts = process_facts();
  REQUIRE(facts);
  CHECK(facts->resident_bytes > 1'000'000);
  CHECK(facts->cpu_seconds >= 0);
  CHECK(facts->most_files >= facts->open_files);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(facts->started_seconds < now + 2);  // it is told in whole seconds since the boot
  CHECK(facts->started_seconds > now - 24 * 3600);
}

TEST_CASE("files that are opened are counted") {
  const auto before = process_facts();
  std::vector<int> files;
  for (int i = 0; i < 5; ++i) files.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto open = process_facts();
  for (const int file : files) ::close(file);
  REQUIRE(before);
  REQUIRE(open);
  CHECK(open->open_files == before->open_files + 5);
}

}  // namespace host::app
