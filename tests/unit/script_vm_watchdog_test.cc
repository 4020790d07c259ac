#include <array>
#include <thread>

#include "host/script/interrupt.h"
#include "tests/unit/script_vm_fixture.h"

namespace host::test {

using Catch::Contains;

TEST_CASE("compiled loops can be cut on this machine") {
#ifndef __SANITIZE_THREAD__
  INFO(script::interrupt::reason());
  CHECK(script::interrupt::method() == script::interrupt::Method::profile_bit);
#endif
}

TEST_CASE("states on several threads are cut apart from each other") {
  watchdog();
  constexpr int kThreads = 3;
  std::array<int, kThreads> cut{};
  std::array<std::string, kThreads> wrong;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([i, &cut, &wrong] {
      auto state = std::move(*script::LuaState::make({.memory_cap = 64u << 20}));
      if (!script::open_sandbox(*state)) return;
      for (int round = 0; round < 20; ++round) {
        const script::Turn turn(*state, "p", "h", std::chrono::milliseconds(5));
        auto ran = state->protect([](lua_State* L) {
          if (luaL_loadstring(L, "local t = {} while true do t[#t % 50 + 1] = {} end") != 0)
            lua_error(L);
          lua_call(L, 0, 0);
        });
        if (!ran && ran.error().message.find("stopped after 5ms") != std::string::npos) {
          ++cut[static_cast<std::size_t>(i)];
        } else {
          wrong[static_cast<std::size_t>(i)] = ran ? "ended" : ran.error().message;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) {
    INFO(wrong[static_cast<std::size_t>(i)]);
    CHECK(cut[static_cast<std::size_t>(i)] == 20);
  }
}

TEST_CASE("a turn within its budget is not cut, nor is the next after a cut one") {
  Sandbox box;
  const auto cut = box.run("while true do end", "test.lua", kTestBudget);
  REQUIRE_FALSE(cut.ok());
  CHECK_THAT(cut.error().message, Contains("stopped after"));
  for (int i = 0; i < 50; ++i)
    CHECK(box.result("local s = 0 for i = 1, 1e5 do s = s + 1 end return s") == "100000");
}

TEST_CASE("cuts are counted") {
  Sandbox box;
  const auto before = watchdog().cuts();
  CHECK_FALSE(box.run("while true do end", "test.lua", kTestBudget).ok());
  CHECK(watchdog().cuts() == before + 1);
}

TEST_CASE("what cannot be cut ends the process and names plugin and handler") {
  watchdog_holder().reset();
  LogKeeper log;
  std::atomic<bool> ended{false};
  std::string named;
  {
    script::Watchdog dog({.turn = std::chrono::milliseconds(10),
                          .deadline = std::chrono::milliseconds(50),
                          .fatal =
                              [&](const std::string& plugin, const std::string& handler) {
                                if (!ended) named = plugin + ", " + handler;
                                ended = true;
                              }},
                         log);
    auto state = std::move(*script::LuaState::make({}));
    const script::Turn turn(*state, "quidditch", "timer scene");
    while (!ended) {  // host code: no hook ever runs here
    }
  }
  CHECK(named == "quidditch, timer scene");
  REQUIRE_FALSE(log.lines().empty());
  CHECK_THAT(log.lines().back().text, Contains("could not be stopped"));
  watchdog_holder() = make_watchdog(kTextThatEnds);
}

}  // namespace host::test
