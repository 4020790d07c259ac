#include "host/runtime/asks.h"

#include "tests/runtime/shard_fixture.h"

namespace host::runtime {
namespace {

struct World : Outside {
  fakes::ManualExecutor lane{scheduler};
  std::vector<std::string> got;
  Asks::Callback keep() {
    return [this](Result<std::string> r) { got.push_back(r ? *r : to_string(r.error().code)); };
  }
};

}  // namespace

TEST_CASE("a reply wakes who asked, once", "[asks]") {
  World w;
  w.asks.wait("a", seconds(5), w.lane, w.keep());
  w.asks.reply("a", "yes");
  w.asks.reply("a", "again");
  REQUIRE(w.got.empty());  // never inside the call
  w.settle();
  w.pass(seconds(10));
  REQUIRE(w.got == std::vector<std::string>{"yes"});
}

TEST_CASE("an ask without a reply ends in a timeout", "[asks]") {
  World w;
  w.asks.wait("a", seconds(5), w.lane, w.keep());
  w.pass(seconds(6));
  REQUIRE(w.got == std::vector<std::string>{"timeout"});
}

TEST_CASE("who forgot its ask hears nothing any more", "[asks]") {
  World w;
  w.asks.wait("a", seconds(5), w.lane, w.keep());
  w.asks.forget("a");
  w.asks.forget("unknown");
  w.asks.reply("a", "late");
  w.pass(seconds(6));
  REQUIRE(w.got.empty());
}

TEST_CASE("a question that could not be sent fails its ask", "[asks]") {
  World w;
  w.asks.wait("a", seconds(5), w.lane, w.keep());
  w.asks.fail("a", make_error(Error::Code::unavailable, "no log"));
  w.settle();
  REQUIRE(w.got == std::vector<std::string>{"unavailable"});
}

TEST_CASE("a callback that asks again when it is dropped does not hang", "[asks]") {
  World w;
  struct Owner {
    Asks& asks;
    ~Owner() { asks.forget("other"); }
  };
  auto owner = std::make_shared<Owner>(Owner{w.asks});
  w.asks.wait("a", seconds(5), w.lane, [owner](Result<std::string>) {});
  owner.reset();
  w.asks.forget("a");
  w.asks.reply("a", "late");
  w.settle();
  SUCCEED("it came back");
}

}  // namespace host::runtime
