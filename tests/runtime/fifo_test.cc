#include "host/runtime/fifo.h"

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <random>

namespace host::runtime {

TEST_CASE("a queue behaves as a deque does, whatever is done to it", "[fifo]") {
  std::mt19937 random(GENERATE(1, 2, 3));
  Fifo<int> fifo;
  std::deque<int> model;
  for (int i = 0; i < 20'000; ++i) {
    const unsigned what = random() % 100;
    // It grows and shrinks in turns.
    const unsigned adding = i / 500 % 2 == 0 ? 60 : 35;
    if (what < adding) {
      fifo.push_back(i);
      model.push_back(i);
    } else if (what < adding + 3) {
      fifo.push_front(i);
      model.push_front(i);
    } else if (what == 99) {
      const auto third = [](int value) { return value % 3 == 0; };
      fifo.erase_if(third);
      std::erase_if(model, third);
    } else if (!model.empty() && what == 98) {
      fifo.pop_back();
      model.pop_back();
    } else if (!model.empty()) {
      fifo.pop_front();
      model.pop_front();
    }
    REQUIRE(fifo.size() == model.size());
    REQUIRE(fifo.empty() == model.empty());
    if (model.empty()) continue;
    REQUIRE(fifo.front() == model.front());
    REQUIRE(fifo.back() == model.back());
    REQUIRE(fifo[model.size() / 2] == model[model.size() / 2]);
    if (i % 100 == 0) REQUIRE(std::equal(fifo.begin(), fifo.end(), model.begin(), model.end()));
  }
}

TEST_CASE("what was taken from a queue is not kept alive by it", "[fifo]") {
  Fifo<std::shared_ptr<int>> fifo;
  const auto item = std::make_shared<int>(1);
  fifo.push_back(item);
  fifo.push_back(item);
  fifo.pop_front();
  REQUIRE(item.use_count() == 2);
  fifo.push_front(item);
  fifo.erase_if([](const auto&) { return true; });
  REQUIRE(fifo.empty());
  REQUIRE(item.use_count() == 1);
}

}  // namespace host::runtime
