// NDJSON bodies.
#include <lua.hpp>

#include "host/script/schema.h"
#include "host/script/schema_check.h"
#include "host/script/values.h"

namespace host::script {
namespace {

std::size_t end_of_line(std::string_view body, std::size_t at) {
  return std::min(body.find('\n', at), body.size());
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::size_t count_lines(std::string_view body) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < body.size(); at = end_of_line(body, at) + 1) {
    count += is_blank(body.substr(at, end_of_line(body, at) - at)) ? 0 : 1;
  }
  return count;
}

void push_line(lua_State* L, std::string_view line, const Schema* of, int number) {
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, number);
  lua_setfield(L, -2, "line");
  Violations violations;
  if (push_json(L, line, of, violations)) {
    lua_setfield(L, -2, "value");
    return;
  }
  const std::string problem = to_string(violations);
  lua_pushlstring(L, problem.data(), problem.size());
  lua_setfield(L, -2, "problem");
}

}  // namespace

bool push_lines(lua_State* L, std::string_view body, const Schema& lines, Violations& violations) {
  // Counted first: a list that is too long is never made.
  const std::size_t count = count_lines(body);
  if (std::string why = check_count(lines, count); !why.empty()) {
    violations.push_back({"", std::move(why)});
    return false;
  }
  luaL_checkstack(L, 8, "lines");
  lua_createtable(L, static_cast<int>(count), 0);
  mark_list(L);
  int number = 0, place = 0;
  for (std::size_t at = 0; at < body.size(); at = end_of_line(body, at) + 1) {
    ++number;
    const std::string_view line = body.substr(at, end_of_line(body, at) - at);
    if (is_blank(line)) continue;
    push_line(L, line, lines.parts().of.get(), number);
    lua_rawseti(L, -2, ++place);
  }
  return true;
}

}  // namespace host::script
