#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/ports/logger.h"
#include "host/script/lua_state.h"
#include "host/script/sandbox.h"
#include "host/script/watchdog.h"

namespace host::test {

/// Keeps what is logged.
class LogKeeper : public ports::Logger {
 public:
  struct Line {
    ports::LogLevel level;
    std::string text;
    ports::LogFields fields;
  };

  bool enabled(ports::LogLevel) const override { return true; }
  void log(ports::LogLevel level, std::string_view text, const ports::LogFields& fields) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back({level, std::string(text), fields});
  }
  std::vector<Line> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

/// The budget of a text that ends by itself: it may take its time, sanitizers are slow.
inline constexpr Duration kTextThatEnds = std::chrono::seconds(60);
/// The budget of a text that must be cut.
inline constexpr Duration kTestBudget = std::chrono::milliseconds(60);
inline LogKeeper& log_of_tests() {
  static LogKeeper log;
  return log;
}
inline std::unique_ptr<script::Watchdog> make_watchdog(Duration turn) {
  return std::make_unique<script::Watchdog>(
      script::Watchdog::Options{.turn = turn, .deadline = 4 * kTextThatEnds}, log_of_tests());
}
/// The watchdog of the tests: a process has one at a time.
inline std::unique_ptr<script::Watchdog>& watchdog_holder() {
  static auto dog = make_watchdog(kTextThatEnds);
  return dog;
}
inline script::Watchdog& watchdog() { return *watchdog_holder(); }

/// While it lives, a turn that names no budget has a short one.
class ShortTurns {
 public:
  explicit ShortTurns(Duration turn = kTestBudget) { renew(turn); }
  ~ShortTurns() { renew(kTextThatEnds); }
  ShortTurns(const ShortTurns&) = delete;
  ShortTurns& operator=(const ShortTurns&) = delete;

 private:
  static void renew(Duration turn) {
    watchdog_holder().reset();
    watchdog_holder() = make_watchdog(turn);
  }
};

/// A sandbox that runs texts. What a text returns or raises comes back as text.
class Sandbox {
 public:
  explicit Sandbox(std::size_t memory_cap = 32u << 20, bool jit = true) {
    watchdog();
    auto made = script::LuaState::make({.memory_cap = memory_cap, .jit = jit});
    REQUIRE(made.ok());
    state_ = std::move(*made);
    REQUIRE(script::open_sandbox(*state_).ok());
    state_->on_print = [this](lua_State*, std::string_view line) { printed_.emplace_back(line); };
  }

  Result<std::string> run(const std::string& text, const std::string& file = "test.lua",
                          Duration budget = kTextThatEnds) {
    std::string answer;
    const script::Turn turn(*state_, "test", "test", budget);
    auto ran = state_->protect([&](lua_State* L) {
      const std::string chunk = "@" + file;
      if (luaL_loadbuffer(L, text.data(), text.size(), chunk.c_str()) != 0) lua_error(L);
      lua_call(L, 0, 1);
      script::push_text_of(L, -1);
      answer = lua_tostring(L, -1);
    });
    if (!ran) return ran.error();
    return answer;
  }
  /// The result; the test fails when the text raises.
  std::string result(const std::string& text) {
    auto answer = run(text);
    INFO(text);
    if (!answer) FAIL(answer.error().to_string());
    return *answer;
  }
  /// What the text raises, with place; the test fails when it does not.
  std::string error(const std::string& text) {
    auto answer = run(text);
    INFO(text);
    if (answer) FAIL("no error, but " + *answer);
    return answer.error().to_string();
  }

  script::LuaState& state() { return *state_; }
  const std::vector<std::string>& printed() const { return printed_; }

 private:
  std::unique_ptr<script::LuaState> state_;
  std::vector<std::string> printed_;
};

}  // namespace host::test
