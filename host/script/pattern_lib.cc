#include "host/script/pattern_lib.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>

#include "host/script/call_depth.h"
#include "host/script/lua_state.h"
#include "host/script/pattern.h"

namespace host::script {
namespace {

std::string_view text_argument(lua_State* L, int index) {
  std::size_t length = 0;
  const char* text = luaL_checklstring(L, index, &length);
  return {text, length};
}

void check_subject(lua_State* L, std::string_view text) {
  if (text.size() > PatternBudget::kMaxSubject) {
    raise(L, "the text is too long for patterns (more than 8 MB)");
  }
}

// Captures are checked where they are taken, as Lua does.
void push_capture(lua_State* L, const PatternMatch& match, int index, const char* begin,
                  const char* end, const char* text_begin) {
  if (index >= match.captures()) {
    if (index != 0) raise(L, "invalid capture index");
    lua_pushlstring(L, begin, static_cast<std::size_t>(end - begin));
    return;
  }
  const PatternMatch::Capture& capture = match.capture(index);
  if (capture.length == PatternMatch::Capture::kPosition) {
    lua_pushinteger(L, capture.begin - text_begin + 1);
  } else if (capture.length == PatternMatch::Capture::kOpen) {
    raise(L, to_string(PatternMatch::Error::unfinished_capture));
  } else {
    lua_pushlstring(L, capture.begin, static_cast<std::size_t>(capture.length));
  }
}

int push_captures(lua_State* L, const PatternMatch& match, const char* begin, const char* end,
                  const char* text_begin, bool whole_if_none) {
  const int count = match.captures() == 0 && whole_if_none ? 1 : match.captures();
  luaL_checkstack(L, count, "too many captures");
  for (int i = 0; i < count; ++i) push_capture(L, match, i, begin, end, text_begin);
  return count;
}

// Where Lua's 1-based, maybe negative, place `init` is in the text.
std::size_t start_of(lua_Integer init, std::size_t length) {
  const auto signed_length = static_cast<lua_Integer>(length);
  if (init < 0) init = std::max<lua_Integer>(init + signed_length + 1, 1);
  if (init == 0) init = 1;
  return static_cast<std::size_t>(std::min(init - 1, signed_length));
}

bool has_no_specials(std::string_view pattern) {
  return pattern.find_first_of("^$*+?.([%-") == std::string_view::npos;
}

int find_or_match(lua_State* L, bool find) {
  const std::string_view text = text_argument(L, 1);
  std::string_view pattern = text_argument(L, 2);
  const std::size_t start = start_of(luaL_optinteger(L, 3, 1), text.size());
  if (find && (lua_toboolean(L, 4) != 0 || has_no_specials(pattern))) {
    // Not std::string_view::find, whose worst case is the product of both lengths.
    const void* found =
        memmem(text.data() + start, text.size() - start, pattern.data(), pattern.size());
    if (found == nullptr) {
      lua_pushnil(L);
      return 1;
    }
    const std::ptrdiff_t place = static_cast<const char*>(found) - text.data();
    lua_pushinteger(L, place + 1);
    lua_pushinteger(L, place + static_cast<lua_Integer>(pattern.size()));
    return 2;
  }
  check_subject(L, text);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  PatternBudget budget;
  PatternMatch match(text, pattern, budget);
  for (std::size_t i = start; i <= text.size(); ++i) {
    const char* begin = text.data() + i;
    const char* end = match.at(begin);
    if (match.error() != PatternMatch::Error::none) raise(L, to_string(match.error()));
    if (end != nullptr) {
      if (!find) return push_captures(L, match, begin, end, text.data(), true);
      lua_pushinteger(L, begin - text.data() + 1);
      lua_pushinteger(L, end - text.data());
      return push_captures(L, match, begin, end, text.data(), false) + 2;
    }
    if (anchored) break;
  }
  lua_pushnil(L);
  return 1;
}

// Upvalues: text, pattern, where to go on (0-based).
int gmatch_next(lua_State* L) {
  const std::string_view text = text_argument(L, lua_upvalueindex(1));
  const std::string_view pattern = text_argument(L, lua_upvalueindex(2));
  PatternBudget budget;
  PatternMatch match(text, pattern, budget);
  auto i = static_cast<std::size_t>(lua_tointeger(L, lua_upvalueindex(3)));
  for (; i <= text.size(); ++i) {
    const char* begin = text.data() + i;
    const char* end = match.at(begin);
    if (match.error() != PatternMatch::Error::none) raise(L, to_string(match.error()));
    if (end == nullptr) continue;
    const std::ptrdiff_t next = end - text.data() + (end == begin ? 1 : 0);
    lua_pushinteger(L, next);
    lua_replace(L, lua_upvalueindex(3));
    return push_captures(L, match, begin, end, text.data(), true);
  }
  lua_pushinteger(L, static_cast<lua_Integer>(text.size()) + 1);
  lua_replace(L, lua_upvalueindex(3));
  return 0;
}

struct Substitution {
  lua_State* L;
  std::string_view text;
  const PatternMatch& match;
  std::string& out;

  // The text that is built lives outside of Lua's heap until the end, so it is held to its cap
  // here.
  void check_size(std::size_t more = 0) const {
    if (out.size() + more <= LuaState::of(L).memory_cap() / 4) return;
    raise(L, "the result of gsub is too long");
  }
  void append(const char* begin, std::size_t length) const {
    check_size(length);
    out.append(begin, length);
  }
  void append_match(const char* begin, const char* end) const {
    append(begin, static_cast<std::size_t>(end - begin));
  }
};

void append_template(const Substitution& in, const char* begin, const char* end) {
  const std::string_view replacement = text_argument(in.L, 3);
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '%') {
      in.out.push_back(replacement[i]);
      continue;
    }
    const char c = ++i < replacement.size() ? replacement[i] : '\0';
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
      in.out.push_back(c);
    } else if (c == '0') {
      in.append_match(begin, end);
    } else {
      push_capture(in.L, in.match, c - '1', begin, end, in.text.data());
      std::size_t length = 0;
      const char* piece = lua_tolstring(in.L, -1, &length);
      in.append(piece, length);
      lua_pop(in.L, 1);
    }
  }
}

void append_replacement(const Substitution& in, const char* begin, const char* end) {
  lua_State* L = in.L;
  switch (lua_type(L, 3)) {
    case LUA_TFUNCTION: {
      lua_pushvalue(L, 3);
      const int count = push_captures(L, in.match, begin, end, in.text.data(), true);
      lua_call(L, count, 1);
      break;
    }
    case LUA_TTABLE:
      push_capture(L, in.match, 0, begin, end, in.text.data());
      lua_gettable(L, 3);
      break;
    default:
      append_template(in, begin, end);
      return;
  }
  if (lua_toboolean(L, -1) == 0) {
    in.append_match(begin, end);
  } else if (lua_isstring(L, -1) == 0) {
    raise(L, std::string("invalid replacement value (a ") + luaL_typename(L, -1) + ")");
  } else {
    std::size_t length = 0;
    const char* piece = lua_tolstring(L, -1, &length);
    in.append(piece, length);
  }
  lua_pop(L, 1);
}

}  // namespace

int lua_find(lua_State* L) { return find_or_match(L, true); }
int lua_match(lua_State* L) { return find_or_match(L, false); }

int lua_gmatch(lua_State* L) {
  check_subject(L, text_argument(L, 1));
  text_argument(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, guarded<gmatch_next>, 3);
  return 1;
}

int lua_gsub(lua_State* L) {
  const CallDepth depth(L);
  const std::string_view text = text_argument(L, 1);
  std::string_view pattern = text_argument(L, 2);
  const int kind = lua_type(L, 3);
  luaL_argcheck(
      L, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE,
      3, "string/function/table expected");
  const auto most = luaL_optinteger(L, 4, static_cast<lua_Integer>(text.size()) + 1);
  check_subject(L, text);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);

  PatternBudget budget;
  PatternMatch match(text, pattern, budget);
  std::string out;
  const Substitution substitution{L, text, match, out};
  const char* place = text.data();
  const char* const text_end = text.data() + text.size();
  lua_Integer count = 0;
  while (count < most) {
    const char* end = match.at(place);
    if (match.error() != PatternMatch::Error::none) raise(L, to_string(match.error()));
    if (end != nullptr) {
      ++count;
      append_replacement(substitution, place, end);
      substitution.check_size();
    }
    if (end != nullptr && end > place) {
      place = end;
    } else if (place < text_end) {
      out.push_back(*place++);
    } else {
      break;
    }
    if (anchored) break;
  }
  out.append(place, text_end);
  lua_pushlstring(L, out.data(), out.size());
  lua_pushinteger(L, count);
  return 2;
}

}  // namespace host::script
