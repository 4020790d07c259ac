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

namespace {

/// Another process, which commits replies.
struct Elsewhere {
  explicit Elsewhere(World& world) : w(world) {
    w.store.claim({"p", 0}, lane, [this](auto image) { commit.epoch = image->epoch; });
    w.settle();
    commit.shard = {"p", 0};
  }
  void reply(const std::string& id, const std::string& payload) {
    commit.replies = {{id, payload, w.now() + hours(1)}};
    w.store.commit(std::make_shared<ports::ShardCommit>(commit), lane,
                   [](const ports::CommitResult& result) {
                     REQUIRE(result.status == ports::CommitResult::Status::committed);
                   });
    ++commit.commit_no;
    w.settle();
  }
  World& w;
  fakes::ManualExecutor lane{w.scheduler};
  ports::ShardCommit commit;
};

}  // namespace

TEST_CASE("a reply that another process commits arrives where the store is shared", "[asks]") {
  World w;
  fakes::ManualExecutor control{w.scheduler};
  Elsewhere elsewhere(w);
  w.asks.look_in(w.store, control);
  for (const char* id : {"a", "b", "c"}) w.asks.wait(id, seconds(5), w.lane, w.keep());
  w.pass(milliseconds(100));
  REQUIRE(w.got.empty());
  REQUIRE(w.store.reply_reads() == 5);  // one for all, every 20 ms
  elsewhere.reply("b", "yes");
  w.pass(milliseconds(20));
  REQUIRE(w.got == std::vector<std::string>{"yes"});
  w.store.fail_next_read(retryable_error(Error::Code::unavailable, "away"));
  elsewhere.reply("c", "later");
  w.asks.reply("a", "from here");
  w.pass(milliseconds(40));
  REQUIRE(w.got == std::vector<std::string>{"yes", "from here", "later"});
  const std::size_t reads = w.store.reply_reads();
  w.pass(seconds(10));
  REQUIRE(w.store.reply_reads() == reads);  // nobody asks any more
  w.asks.wait("d", seconds(5), w.lane, w.keep());
  w.asks.look_no_more();
  w.asks.look_no_more();
  elsewhere.reply("d", "unheard");
  w.pass(seconds(10));
  REQUIRE(w.got.back() == "timeout");
  REQUIRE(w.store.reply_reads() == reads);
}

}  // namespace host::runtime
