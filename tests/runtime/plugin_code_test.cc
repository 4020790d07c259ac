#include "host/runtime/plugin_code.h"

#include "tests/runtime/shard_fixture.h"

namespace host::runtime {
namespace {

std::unique_ptr<PluginCode> make(const Script& script) {
  auto made = PluginCode::make(script.revision("r1"));
  REQUIRE(made.ok());
  return std::move(*made);
}

}  // namespace

TEST_CASE("a script that does not load makes no code", "[plugin_code]") {
  Script script;
  script.loads = [] { return false; };
  REQUIRE_FALSE(PluginCode::make(script.revision()).ok());
}

TEST_CASE("a revision that does not load leaves the one before", "[plugin_code]") {
  Script good, bad;
  bad.loads = [] { return false; };
  const auto code = make(good);
  REQUIRE_FALSE(code->publish(bad.revision("r2")).ok());
  REQUIRE(code->manifest().revision == "r1");
  REQUIRE_FALSE(code->draining());
}

TEST_CASE("a third revision drops the tasks of the first", "[plugin_code]") {
  const Script script;
  const auto code = make(script);
  const ports::Engine* first = code->engine().get();
  std::vector<const ports::Engine*> dropped;
  code->on_drop([&](const ports::Engine* engine, bool) { dropped.push_back(engine); });
  REQUIRE(code->publish(script.revision("r2")).ok());
  REQUIRE(dropped.empty());
  REQUIRE(code->publish(script.revision("r3")).ok());
  REQUIRE(dropped == std::vector<const ports::Engine*>{first});
  REQUIRE(code->draining());
  code->drop_previous();
  REQUIRE(dropped.size() == 2);
  REQUIRE_FALSE(code->draining());
}

TEST_CASE("who went is not told of drops, nor of room", "[plugin_code]") {
  const Script script;
  const auto code = make(script);
  int drops = 0, rooms = 0;
  const int id = code->on_drop([&](const ports::Engine*, bool) { ++drops; }, [&] { ++rooms; });
  const auto refuse_one_and_end = [&] {
    code->started(code->engine().get(), false);
    REQUIRE_FALSE(code->may_start(true));
    code->ended(code->engine().get(), false);
  };
  refuse_one_and_end();
  REQUIRE(rooms == 1);
  code->forget_dropper(id);
  REQUIRE(code->publish(script.revision("r2")).ok());
  code->drop_previous();
  refuse_one_and_end();
  REQUIRE(drops == 0);
  REQUIRE(rooms == 1);
}

TEST_CASE("only who was refused is told of room, and once", "[plugin_code]") {
  const Script script;
  const auto code = make(script);
  const ports::Engine* engine = code->engine().get();
  int rooms = 0;
  code->on_drop([](const ports::Engine*, bool) {}, [&] { ++rooms; });
  const auto end_one = [&] {
    code->started(engine, false);
    code->ended(engine, false);
  };
  end_one();
  REQUIRE(rooms == 0);
  code->started(engine, false);
  REQUIRE_FALSE(code->may_start(true));
  code->ended(engine, false);
  REQUIRE(rooms == 1);
  end_one();
  REQUIRE(rooms == 1);
}

TEST_CASE("a message that must run alone waits for the others and holds new ones off",
          "[plugin_code]") {
  const Script script;
  const auto code = make(script);
  const ports::Engine* engine = code->engine().get();
  code->started(engine, false);
  REQUIRE(code->may_start(false));
  REQUIRE_FALSE(code->may_start(true));
  REQUIRE_FALSE(code->may_start(false));
  code->ended(engine, false);
  REQUIRE(code->may_start(true));
  code->started(engine, true);
  REQUIRE_FALSE(code->may_start(false));
  code->ended(engine, true);
  REQUIRE(code->may_start(false));
}

TEST_CASE("one that must run alone and went away holds nobody off for ever", "[plugin_code]") {
  const Script script;
  const auto code = make(script);
  const ports::Engine* engine = code->engine().get();
  code->started(engine, false);
  REQUIRE_FALSE(code->may_start(true));
  code->ended(engine, false);
  REQUIRE(code->may_start(false));
  code->started(engine, false);
  REQUIRE(code->may_start(false));
}

}  // namespace host::runtime
