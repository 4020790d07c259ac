#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/ports/script_engine.h"
#include "host/script/chance.h"
#include "host/script/engine.h"

namespace host::script {

/// Limits of one unit of work, as decisions.md of the documentation has them.
inline constexpr std::size_t kMaxPayload = 900'000;
inline constexpr std::size_t kMaxState = 256u << 10;
inline constexpr std::size_t kMaxEmits = 1'000;
inline constexpr std::size_t kMaxHttpEmits = 10'000;
inline constexpr std::size_t kMaxHttpEmitBytes = 8'000'000;
inline constexpr std::size_t kMaxEmitBytes = 64'000'000;
inline constexpr std::size_t kMaxTimers = 10'000;
inline constexpr std::size_t kMaxStatements = 10'000;

/// One call of a handler: what it was given, what it wants to change, and the coroutine in which
/// it runs. The bindings write into it while its turn lasts. On its lane only.
class ScriptTask final : public ports::Task {
 public:
  enum class Ground { record, timer, every, http, map };
  enum class Leave { none, retry, dead, again };

  ScriptTask(ScriptEngine& engine, ports::Call&& call);
  ~ScriptTask() override;

  /// Most tasks end in their first turn: the next one gets the memory of the last, which the
  /// processor still has at hand. One piece a thread, so that nothing is shared.
  static void* operator new(std::size_t size);
  static void operator delete(void* memory);

  /// The first turn.
  ports::Step begin();
  ports::Step resume(std::uint64_t effect, ports::EffectAnswer answer) override;
  ports::Step next_part(std::size_t bytes) override;

  // For the bindings, during its turn.

  /// Pushes what the request at index 1 has not shown yet: params, query, headers, type, address,
  /// user. False, and nothing pushed: it has no such field. Raises where the request is another's.
  bool push_request_field(lua_State* L, std::string_view name);

  ScriptEngine& engine() { return engine_; }
  const ports::Call& call() const { return call_; }
  /// An empty one in an HTTP handler.
  const Message& message() const;
  std::string_view correlation_id() const;
  Ground ground() const { return ground_; }
  bool in_http() const { return ground_ == Ground::http; }
  /// The handler has returned; its iterator makes the body.
  bool in_parts() const { return iterator_ != kNoRef; }
  bool has_key() const { return message().key.has_value() && !in_http(); }
  UnitOfWork& unit() { return unit_; }

  /// Pushes ctx.state, read and migrated at its first use. May raise.
  void push_state(lua_State* L);
  /// The value at `index` becomes ctx.state.
  void set_state(lua_State* L, int index);
  void forget(std::optional<Time> quiet_until);

  /// What the host shall do; the answer is turned into values as `what` demands.
  struct Waiting {
    std::uint64_t id = 0;
    std::size_t kind = 0;                                  // index into Effect::what
    std::string name;                                      // key of a read
    std::vector<std::pair<std::string, SchemaPtr>> types;  // of a query's columns
  };
  std::uint64_t begin_effect(decltype(ports::Effect::what) what, Waiting waiting);
  /// The handler ends, whatever it does from here on.
  void leave(Leave how, std::optional<Duration> delay, Error why);
  Leave left() const { return leave_; }

  /// A new id for a timer of this message: of constant length, the same in a repeat.
  std::string next_timer_id();
  /// What all chance of this message is keyed with.
  const std::string& chance_seed();
  Chance& chance();
  Chance& secret_chance();
  void seed(const std::string& text);
  /// Remembers the problems of req:invalid as a JSON array.
  void set_invalid(std::string errors) { invalid_ = std::move(errors); }
  /// Of all that the unit of work sends, plans and writes: none of it is in Lua's memory.
  std::size_t unit_bytes = 0;

  /// A stored state as a value: decoded, migrated to this version. False (nothing pushed) with the
  /// reason when it is newer or does not decode. May raise.
  bool push_stored(lua_State* L, const ports::StateRow& row, std::string& why);

 private:
  // Each runs protected and pushes onto L what the coroutine starts with or goes on with; the
  // number of values, or -1: refused.
  int push_call(lua_State* L);
  int push_record(lua_State* L);
  int push_timer(lua_State* L);
  int push_every(lua_State* L);
  int push_http(lua_State* L);
  int push_map(lua_State* L);
  int push_payload(lua_State* L, const SchemaPtr& schema, const PluginTable::Handler& handler);
  int push_answer(lua_State* L, const Waiting& waiting, const ports::EffectAnswer& answer);
  void refuse(std::string why);
  bool push_request(lua_State* L, const PluginTable::Route& route);
  bool push_body(lua_State* L, const PluginTable::Route& route, Violations& violations);

  template <class Push>
  ports::Step run(Push&& push);
  ports::Step after_resume(int status, std::size_t refusals);
  ports::Step yielded();
  ports::Step returned();
  ports::Step left_step();
  /// With its place in the script, at least that of the handler, and without secrets.
  Error described(Error error) const;
  ports::Step fail(Error error);
  ports::Step again(Error error);
  ports::Step out_of_memory(Error error);
  void finish_state(lua_State* L, std::string& problem);
  void finish_http(lua_State* L, HttpResponse& response, std::string& problem);
  // Answers in parts (task_parts.cc).
  void begin_parts(lua_State* L, int body, int status, Headers headers, HttpResponse& response,
                   std::string& problem);
  bool take_line();
  ports::Step part_returned();
  void finish_map(lua_State* L, std::string& mapped, std::string& problem);
  void end(bool reuse);

  ScriptEngine& engine_;
  ports::Call call_;
  Ground ground_;
  std::string label_;  // "handler of owl-post", for the watchdog
  ScriptEngine::Coroutine coroutine_;
  LuaRef handler_ = kNoRef;                // what it runs; of the table, not its own
  const void* request_address_ = nullptr;  // of the table that the handler was given
  bool running_ = false;
  std::vector<Waiting> waiting_;
  std::vector<ports::Effect> begun_;
  std::uint64_t next_effect_ = 1;
  std::uint64_t single_ = 0;  // the one effect that is waited for; 0: any of waiting_
  UnitOfWork unit_;
  LuaRef state_ = kNoRef;
  std::string_view state_before_;  // encoded; of `call_`, `migrated_` or the engine
  std::string migrated_;
  bool forgotten_ = false;
  Leave leave_ = Leave::none;
  std::optional<Duration> leave_delay_;
  Error leave_why_;
  std::string invalid_;
  // What is answered without the handler: the input did not fit.
  std::string refused_;
  std::optional<HttpResponse> refused_http_;
  // Of an answer in parts.
  LuaRef iterator_ = kNoRef;
  bool part_begun_ = false;  // the iterator has run: what returns is its, not the handler's
  bool parts_end_ = false;
  std::size_t part_bytes_ = 0;  // about as many as wanted
  std::string part_;
  std::string part_problem_;
  std::uint64_t timers_ = 0;
  std::optional<Chance> chance_;
  std::optional<Chance> secret_chance_;
};

/// What all requests of a state have as metatable. Pushes one value; runs protected.
void push_request_metatable(lua_State* L);

}  // namespace host::script
