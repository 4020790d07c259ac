#include <catch2/catch.hpp>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "host/app/system_ports.h"

namespace host::app {

TEST_CASE("chance has as many bytes as were asked for, and never the same twice", "[app]") {
  SystemChance chance;
  REQUIRE(chance.bytes(0).empty());
  std::set<std::string> seen;
  std::size_t asked = 0;
  // Across what is fetched in advance, and beyond it.
  for (const std::size_t n : {16, 64, 65, 512, 513, 5000}) {
    for (int i = 0; i < 100; ++i, ++asked) {
      const std::string bytes = chance.bytes(n);
      REQUIRE(bytes.size() == n);
      seen.insert(bytes);
    }
  }
  REQUIRE(seen.size() == asked);
  // None of it is what memory held before it was filled.
  for (const std::string& bytes : seen) REQUIRE(bytes != std::string(bytes.size(), '\0'));
}

TEST_CASE("threads do not share their chance", "[app]") {
  SystemChance chance;
  std::mutex mutex;
  std::set<std::string> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        std::string bytes = chance.bytes(16);
        const std::lock_guard lock(mutex);
        seen.insert(std::move(bytes));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(seen.size() == 4000);
}

TEST_CASE("a fraction lies from 0 to below 1, and is not always the same", "[app]") {
  SystemChance chance;
  std::set<double> seen;
  for (int i = 0; i < 1000; ++i) {
    const double fraction = chance.fraction();
    REQUIRE(fraction >= 0);
    REQUIRE(fraction < 1);
    seen.insert(fraction);
  }
  REQUIRE(seen.size() > 990);
}

}  // namespace host::app
