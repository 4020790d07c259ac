// Answers whose body an iterator makes, line by line: NDJSON.
#include "host/script/task.h"
#include "host/script/values.h"

namespace host::script {

void ScriptTask::begin_parts(lua_State* L, int body, int status, Headers headers,
                             HttpResponse& response, std::string& problem) {
  const PluginTable::Route& route = engine_.table().routes.at(call_.route);
  if (status >= 300) {
    problem = "an iterator is the body of a success, not of " + std::to_string(status);
    return;
  }
  if (route.returns && route.returns->kind() != Schema::Kind::lines) {
    problem = "the body is an iterator, but `returns` is " + route.returns->describe() +
              ", not spec.lines(...)";
    return;
  }
  if (find_header(headers, "content-type") == nullptr) {
    set_header(headers, "content-type", "application/x-ndjson");
  }
  lua_pushvalue(L, body);
  iterator_ = luaL_ref(L, LUA_REGISTRYINDEX);
  response = {status, std::move(headers), {}};
}

/// Takes what the iterator returned. True: it is to be called again, and lies on the coroutine.
bool ScriptTask::take_line() {
  lua_State* co = coroutine_.L;
  const int count = lua_gettop(co);
  if (count == 0 || lua_isnil(co, 1)) {
    parts_end_ = true;
    if (count < 2 || lua_isnil(co, 2)) return false;
    part_problem_ = "the iterator ended with an error";
    if (lua_istable(co, 2)) lua_getfield(co, 2, "message");
    if (lua_type(co, -1) == LUA_TSTRING) part_problem_ += std::string(": ") + lua_tostring(co, -1);
    return false;
  }
  if (count > 1 && !lua_isnil(co, 2)) {
    part_problem_ = "an iterator that is sent gives one value a line, not two";
    return false;
  }
  const SchemaPtr& returns = engine_.table().routes.at(call_.route).returns;
  Violations violations;
  auto encoded = engine_.state().protect([&](lua_State* L) {
    lua_settop(co, 1);
    lua_xmove(co, L, 1);
    append_json(L, -1, returns ? returns->parts().of.get() : nullptr, part_, violations);
  });
  if (!encoded) part_problem_ = encoded.error().message;
  if (!violations.empty()) {
    part_problem_ = "a line that the iterator gave does not fit: " + to_string(violations);
  }
  if (!part_problem_.empty()) return false;
  part_ += '\n';
  if (part_.size() >= part_bytes_) return false;
  lua_rawgeti(co, LUA_REGISTRYINDEX, iterator_);
  return true;
}

ports::Step ScriptTask::part_returned() {
  if (!part_problem_.empty()) {
    return fail(make_error(Error::Code::script_error, std::move(part_problem_)));
  }
  ports::Step step;
  step.part = ports::BodyPart{.bytes = std::move(part_), .last = parts_end_};
  part_.clear();
  if (parts_end_) end(true);
  return step;
}

}  // namespace host::script
