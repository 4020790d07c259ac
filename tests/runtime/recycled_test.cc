#include "host/runtime/recycled.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace host::runtime {
namespace {

struct Thing {
  std::string text = "a text that is longer than what a string holds in itself";
};
std::shared_ptr<Thing> make() { return std::allocate_shared<Thing>(Recycled<Thing>()); }

}  // namespace

TEST_CASE("the memory of the last thing is that of the next", "[recycled]") {
  std::shared_ptr<Thing> thing = make();
  const Thing* const place = thing.get();
  thing.reset();
  thing = make();
  REQUIRE(thing.get() == place);
  REQUIRE(thing->text == Thing().text);
}

TEST_CASE("more than a thread keeps, and what other threads made, is freed all the same",
          "[recycled]") {
  std::vector<std::shared_ptr<Thing>> things;
  std::thread([&] {
    for (int i = 0; i < 1'500; ++i) things.push_back(make());
  }).join();
  things.clear();
  for (int i = 0; i < 1'500; ++i) things.push_back(make());
  for (const auto& thing : things) REQUIRE(thing->text == Thing().text);
  std::thread([&] { things.clear(); }).join();
}

}  // namespace host::runtime
