#include "host/script/task.h"

#include <algorithm>

#include "host/base/check.h"
#include "host/script/sandbox.h"
#include "host/script/shortened.h"
#include "host/script/values.h"
#include "host/script/watchdog.h"

namespace host::script {
namespace {

constexpr std::size_t kMaxErrorText = 8'000;  // bytes

ScriptTask::Ground ground_of(const ports::Call& call) {
  const bool http = call.kind == ports::Call::Kind::http || call.kind == ports::Call::Kind::check;
  if (http) return ScriptTask::Ground::http;
  if (call.kind == ports::Call::Kind::stream_map) return ScriptTask::Ground::map;
  switch (call.message->kind) {
    case Message::Kind::record:
      return ScriptTask::Ground::record;
    case Message::Kind::timer:
      return ScriptTask::Ground::timer;
    case Message::Kind::every:
      return ScriptTask::Ground::every;
  }
  return ScriptTask::Ground::record;
}

std::string label_of(const ports::Call& call, const Manifest& manifest) {
  switch (ground_of(call)) {
    case ScriptTask::Ground::record:
      return "on " + call.message->topic;
    case ScriptTask::Ground::timer:
      return "timer " + call.message->topic;
    case ScriptTask::Ground::every:
      return "every " + call.message->topic;
    case ScriptTask::Ground::http:
    case ScriptTask::Ground::map:
      break;
  }
  return call.route < manifest.routes.size() ? manifest.routes[call.route].name() : "a route";
}

/// A query or the rows of one: a database that is away is no failure of the script's.
bool asks_database(const ScriptTask::Waiting& waiting) {
  const decltype(ports::Effect::what) rows = ports::RowsEffect{};
  return waiting.kind == 0 || waiting.kind == rows.index();
}

}  // namespace

ScriptTask::ScriptTask(ScriptEngine& engine, ports::Call&& call)
    : engine_(engine),
      call_(std::move(call)),
      ground_(ground_of(call_)),
      label_(label_of(call_, engine.manifest())) {
  ++engine_.running_;
  running_ = true;
}

ScriptTask::~ScriptTask() { end(false); }

namespace {

struct SpareTask {
  void* memory = nullptr;
  ~SpareTask() { ::operator delete(memory); }
};
thread_local SpareTask t_spare;

}  // namespace

void* ScriptTask::operator new(std::size_t size) {
  if (t_spare.memory != nullptr) return std::exchange(t_spare.memory, nullptr);
  return ::operator new(size);
}

void ScriptTask::operator delete(void* memory) {
  ::operator delete(std::exchange(t_spare.memory, memory));
}

const Message& ScriptTask::message() const {
  static const Message kNone;
  return call_.message ? *call_.message : kNone;
}

std::string_view ScriptTask::correlation_id() const {
  if (!call_.correlation_id.empty()) return call_.correlation_id;
  const std::string* carried = find_header(message().headers, header::kCorrelation);
  return carried != nullptr ? *carried : message().id;
}

void ScriptTask::end(bool reuse) {
  if (!running_) return;
  running_ = false;
  --engine_.running_;
  if (state_ != kNoRef) luaL_unref(engine_.state().get(), LUA_REGISTRYINDEX, state_);
  state_ = kNoRef;
  if (iterator_ != kNoRef) luaL_unref(engine_.state().get(), LUA_REGISTRYINDEX, iterator_);
  iterator_ = kNoRef;
  if (reuse) {
    engine_.give_back(coroutine_);
  } else {
    engine_.drop(coroutine_);
  }
  coroutine_ = {};
}

// One turn: what `push` leaves on the main stack goes to the coroutine, which runs until it
// returns, raises or waits.
template <class Push>
ports::Step ScriptTask::run(Push&& push) {
  LuaState& state = engine_.state();
  const Turn turn(state, engine_.manifest().name.c_str(), label_.c_str());
  const std::size_t refusals = state.memory_refusals();
  engine_.current_ = this;
  int count = -1;
  auto pushed = state.protect([&](lua_State* L) {
    const int base = lua_gettop(L);
    if (coroutine_.L == nullptr) coroutine_ = engine_.take_coroutine(L);
    count = push(L);
    if (count < 0) return;
    HOST_DCHECK(lua_gettop(L) >= base + count, "pushed what it says");
    lua_xmove(L, coroutine_.L, count);
  });
  ports::Step step;
  if (!pushed) {
    step = pushed.error().code == Error::Code::exhausted ? out_of_memory(pushed.error())
                                                         : fail(pushed.error());
  } else if (count < 0) {
    step = returned();
  } else {
    // The function below the arguments is no argument.
    const int arguments = lua_status(coroutine_.L) == LUA_YIELD ? count : count - 1;
    int status = lua_resume(coroutine_.L, arguments);
    while (status == 0 && part_begun_ && leave_ == Leave::none && take_line()) {
      status = lua_resume(coroutine_.L, 0);
    }
    step = after_resume(status, refusals);
  }
  engine_.current_ = nullptr;
  step.effects = std::move(begun_);
  begun_.clear();
  return step;
}

ports::Step ScriptTask::begin() {
  return run([this](lua_State* L) { return push_call(L); });
}

ports::Step ScriptTask::resume(std::uint64_t effect, ports::EffectAnswer answer) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [effect](const Waiting& w) { return w.id == effect; });
  // The script may have gone on without it: another function of ctx:all raised.
  if (!running_ || found == waiting_.end() || (single_ != 0 && single_ != effect)) return {};
  const Waiting waiting = std::move(*found);
  waiting_.erase(found);
  const auto* error = std::get_if<Error>(&answer);
  if (error != nullptr && asks_database(waiting) && error->retryable) return again(*error);
  return run([&](lua_State* L) {
    int count = 0;
    if (single_ == 0) {
      lua_pushnumber(L, static_cast<lua_Number>(effect));
      ++count;
    }
    return count + push_answer(L, waiting, answer);
  });
}

ports::Step ScriptTask::next_part(std::size_t bytes) {
  if (!in_parts() || !running_) return {};
  part_begun_ = true;
  part_bytes_ = bytes;
  part_.clear();
  return run([this](lua_State* L) {
    lua_settop(coroutine_.L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, iterator_);
    return 1;
  });
}

std::uint64_t ScriptTask::begin_effect(decltype(ports::Effect::what) what, Waiting waiting) {
  const std::uint64_t id = next_effect_++;
  waiting.id = id;
  waiting.kind = what.index();
  waiting_.push_back(std::move(waiting));
  begun_.push_back({id, std::move(what)});
  return id;
}

void ScriptTask::leave(Leave how, std::optional<Duration> delay, Error why) {
  if (leave_ != Leave::none) return;
  leave_ = how;
  leave_delay_ = delay;
  leave_why_ = std::move(why);
}

ports::Step ScriptTask::after_resume(int status, std::size_t refusals) {
  lua_State* co = coroutine_.L;
  if (leave_ != Leave::none) return left_step();
  if (status == LUA_YIELD) return yielded();
  if (status == 0) return returned();
  Error error = error_from(co, -1, status);
  if (status == LUA_ERRMEM || engine_.state().memory_refusals() != refusals) {
    error.code = Error::Code::exhausted;
    return out_of_memory(std::move(error));
  }
  return fail(std::move(error));
}

ports::Step ScriptTask::yielded() {
  lua_State* co = coroutine_.L;
  if (lua_gettop(co) < 1 || !is_host_mark(co, 1)) {
    return fail(make_error(Error::Code::script_error,
                           "coroutine.yield outside of a coroutine that the script made",
                           "to let other keys run: ctx:yield()"));
  }
  single_ = lua_isnumber(co, 2) != 0 ? static_cast<std::uint64_t>(lua_tonumber(co, 2)) : 0;
  lua_settop(co, 0);
  return {};
}

ports::Step ScriptTask::returned() {
  if (part_begun_) return part_returned();
  std::string problem;
  ports::Step step;
  LuaState& state = engine_.state();
  if (!refused_.empty()) {
    step.outcome = Outcome{.kind = Outcome::Kind::dead,
                           .unit = {},
                           .error = described(make_error(Error::Code::invalid, refused_))};
    end(true);
    return step;
  }
  HttpResponse response;
  std::string mapped;
  auto finished = state.protect([&](lua_State* L) {
    if (ground_ == Ground::http) {
      finish_http(L, response, problem);
    } else if (ground_ == Ground::map) {
      finish_map(L, mapped, problem);
    } else {
      finish_state(L, problem);
    }
  });
  if (!finished) {
    if (finished.error().code == Error::Code::exhausted) return out_of_memory(finished.error());
    return fail(finished.error());
  }
  if (!problem.empty()) {
    return fail(make_error(Error::Code::script_error, std::move(problem)));
  }
  if (!in_parts()) end(true);
  if (ground_ == Ground::http) {
    step.http = ports::HttpOutcome{
        .response = std::move(response), .unit = std::move(unit_), .in_parts = in_parts()};
    unit_ = {};
  } else if (ground_ == Ground::map) {
    step.mapped = std::move(mapped);
  } else {
    step.outcome = Outcome{.kind = Outcome::Kind::done, .unit = std::move(unit_)};
  }
  return step;
}

ports::Step ScriptTask::left_step() {
  if (leave_ == Leave::again) return again(leave_why_);
  const bool retry = leave_ == Leave::retry;
  Error why = described(std::move(leave_why_));
  end(false);
  ports::Step step;
  step.outcome = Outcome{.kind = retry ? Outcome::Kind::retry : Outcome::Kind::dead,
                         .unit = {},
                         .delay = leave_delay_,
                         .error = std::move(why)};
  return step;
}

// What raised no text with a line of the script, such as a table or the host's own Lua code, is
// looked for on the coroutine's stack: an error leaves it as it was. What no line of the script did
// is of the handler as a whole.
Error ScriptTask::described(Error error) const {
  error.message = shortened(engine_.masked(std::move(error.message)), kMaxErrorText);
  lua_State* co = coroutine_.L;
  if (error.file == kHostFile) error.file.clear();
  if (error.file.empty() && co != nullptr && lua_status(co) != 0) {
    script_place(co, error.file, error.line);
  }
  if (error.file.empty() && handler_ != kNoRef) {
    lua_State* L = engine_.state().get();
    lua_Debug definition;
    lua_rawgeti(L, LUA_REGISTRYINDEX, handler_);
    lua_getinfo(L, ">S", &definition);
    error.file = definition.short_src;
    error.line = definition.linedefined;
  }
  if (error.file.empty()) error.file = engine_.table().files.front().first;
  engine_.complete_file(error.file);
  return error;
}

ports::Step ScriptTask::fail(Error error) {
  error = described(std::move(error));
  if (engine_.state().stopping()) error.code = Error::Code::timeout;
  end(false);
  // What it left is garbage that nobody collects where no script runs; a new state is cheaper.
  if (engine_.running_ == 0 && engine_.crowded()) engine_.broken_ = true;
  ports::Step step;
  if (ground_ == Ground::http) {
    step.http = ports::HttpOutcome{.response = problem(500, "the handler failed"),
                                   .unit = {},
                                   .failed = true,
                                   .error = std::move(error)};
  } else if (ground_ == Ground::map) {
    step.mapped = "";
    engine_.services().logger.log(ports::LogLevel::error,
                                  "a stream's map failed: " + error.to_string(),
                                  {{"plugin", engine_.manifest().name},
                                   {"route", label_},
                                   {"topic", message().topic},
                                   {"key", message().key.value_or("")},
                                   {"id", message().id},
                                   {"revision", engine_.manifest().revision}});
  } else {
    step.outcome = Outcome{.kind = Outcome::Kind::failed, .unit = {}, .error = std::move(error)};
  }
  return step;
}

ports::Step ScriptTask::again(Error error) {
  if (ground_ == Ground::map) return fail(std::move(error));
  end(false);
  ports::Step step;
  if (ground_ == Ground::http) {
    step.http = ports::HttpOutcome{
        .response = problem(503, "try again in a moment", {}, {{"retry-after", "1"}}),
        .unit = {},
        .failed = false,
        .error = std::move(error)};
  } else {
    step.outcome = Outcome{.kind = Outcome::Kind::again, .unit = {}, .error = std::move(error)};
  }
  return step;
}

// Whose fault it was is unknown while several ran: all of them run again, in a new state, one at a
// time. Who runs alone has failed by itself.
ports::Step ScriptTask::out_of_memory(Error error) {
  const bool alone = engine_.running_ == 1;
  engine_.broken_ = true;
  return alone ? fail(std::move(error)) : again(std::move(error));
}

std::string ScriptTask::next_timer_id() {
  const Digest digest = sha256(message().id + "#" + std::to_string(++timers_));
  return "t" + to_hex(digest.data(), 16);
}

const std::string& ScriptTask::chance_seed() {
  if (call_.chance_seed.empty() && call_.chance_secret != nullptr) {
    call_.chance_seed = *call_.chance_secret + engine_.manifest().name + "/" + message().id;
  }
  return call_.chance_seed;
}

Chance& ScriptTask::chance() {
  if (!chance_) chance_.emplace(chance_seed(), "host.random");
  return *chance_;
}

Chance& ScriptTask::secret_chance() {
  if (!secret_chance_) secret_chance_.emplace(chance_seed(), "host.secret");
  return *secret_chance_;
}

void ScriptTask::seed(const std::string& text) {
  const Digest key = sha256(text);
  chance_.emplace(std::string(reinterpret_cast<const char*>(key.data()), key.size()), "host.seed");
}

}  // namespace host::script
