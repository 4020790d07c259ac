// Chance that repeats with the message.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bindings/ctx_support.h"
#include "host/script/sandbox.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

using script::ScriptTask;

constexpr double kMaxExact = 9007199254740992.0;  // 2^53
constexpr int kMaxBytes = 1024;

// One text for a list of values: each with its type and length, so that no two lists share one.
std::string canonical(lua_State* L, int first, const char* name) {
  std::string text;
  for (int i = first; i <= lua_gettop(L); ++i) {
    std::string value;
    char type = 'v';
    switch (lua_type(L, i)) {
      case LUA_TNUMBER: {
        char digits[40];
        std::snprintf(digits, sizeof digits, "%.17g", lua_tonumber(L, i));
        type = 'n';
        value = digits;
        break;
      }
      case LUA_TSTRING: {
        std::size_t size = 0;
        const char* begin = lua_tolstring(L, i, &size);
        type = 's';
        value.assign(begin, size);
        break;
      }
      case LUA_TFUNCTION:
      case LUA_TTHREAD:
        script::raise(L, std::string("ctx:") + name + " cannot take a " + luaL_typename(L, i));
      case LUA_TNIL:
        type = 'z';
        break;
      default: {
        script::Violations violations;
        type = 'j';
        if (!script::append_json(L, i, nullptr, value, violations)) {
          script::raise(L, std::string("ctx:") + name + ": " + script::to_string(violations));
        }
      }
    }
    text += type + std::to_string(value.size()) + ":" + value;
  }
  return text;
}

double whole(lua_State* L, int index, const char* what) {
  const double value = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : NAN;
  if (std::floor(value) != value || std::fabs(value) > kMaxExact) {
    script::raise(L, std::string("ctx:random: ") + what + " must be a whole number");
  }
  return value;
}

int ctx_random(lua_State* L) {
  ScriptTask& task = need_task(L, "random", kAnywhere, true);
  if (lua_isnoneornil(L, 2)) {
    lua_pushnumber(L, task.chance().fraction());
    return 1;
  }
  const bool one = lua_isnoneornil(L, 3);
  const double low = one ? 1 : whole(L, 2, "the lower end");
  const double high = whole(L, one ? 2 : 3, "the upper end");
  if (high < low) script::raise(L, "ctx:random: the interval is empty");
  if (high - low >= kMaxExact) script::raise(L, "ctx:random: the interval is too wide");
  const auto width = static_cast<std::uint64_t>(high - low) + 1;
  lua_pushnumber(L, low + static_cast<double>(task.chance().below(width)));
  return 1;
}

int ctx_pick(lua_State* L) {
  ScriptTask& task = need_task(L, "pick", kAnywhere, true);
  if (lua_type(L, 2) != LUA_TTABLE) script::raise(L, "ctx:pick needs a list");
  const std::size_t size = lua_objlen(L, 2);
  if (size == 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_rawgeti(L, 2, static_cast<int>(task.chance().below(size)) + 1);
  return 1;
}

// A new list in another order; the given one stays as it is.
int ctx_shuffle(lua_State* L) {
  ScriptTask& task = need_task(L, "shuffle", kAnywhere, true);
  if (lua_type(L, 2) != LUA_TTABLE) script::raise(L, "ctx:shuffle needs a list");
  const int size = static_cast<int>(lua_objlen(L, 2));
  lua_createtable(L, size, 0);
  const int out = lua_gettop(L);
  for (int i = 1; i <= size; ++i) {
    lua_rawgeti(L, 2, i);
    lua_rawseti(L, out, i);
  }
  for (int i = size; i > 1; --i) {
    const int other = static_cast<int>(task.chance().below(static_cast<std::uint64_t>(i))) + 1;
    lua_rawgeti(L, out, i);
    lua_rawgeti(L, out, other);
    lua_rawseti(L, out, i);
    lua_rawseti(L, out, other);
  }
  script::mark_list(L);
  return 1;
}

int push_uuid(lua_State* L, unsigned char* b) {
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  std::string hex = to_hex(b, 16);
  for (const std::size_t dash : {8u, 13u, 18u, 23u}) hex.insert(dash, 1, '-');
  lua_pushlstring(L, hex.data(), hex.size());
  return 1;
}

// Without values the next one of this message; with values always the same for these.
int ctx_uuid(lua_State* L) {
  ScriptTask& task = need_task(L, "uuid", kAnywhere, true);
  unsigned char bytes[16];
  if (lua_gettop(L) > 1) {
    const auto digest = hmac_sha256(task.chance_seed(), "host.uuid" + canonical(L, 2, "uuid"));
    std::copy_n(digest.begin(), 16, bytes);
  } else {
    for (int i = 0; i < 16; i += 8) {
      const std::uint64_t word = task.secret_chance().word();
      for (int j = 0; j < 8; ++j) bytes[i + j] = static_cast<unsigned char>(word >> (56 - 8 * j));
    }
  }
  return push_uuid(L, bytes);
}

// n bytes as 2n hex digits: text, so that it fits into states and payloads.
int ctx_bytes(lua_State* L) {
  ScriptTask& task = need_task(L, "bytes", kAnywhere, true);
  const double count = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : 0;
  if (!(count >= 1 && count <= kMaxBytes))
    script::raise(L, "ctx:bytes takes a number from 1 to 1024");
  std::string bytes;
  while (bytes.size() < static_cast<std::size_t>(count)) {
    const std::uint64_t word = task.secret_chance().word();
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(word >> shift));
  }
  const std::string hex =
      to_hex(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<std::size_t>(count));
  lua_pushlstring(L, hex.data(), hex.size());
  return 1;
}

int ctx_seed(lua_State* L) {
  ScriptTask& task = need_task(L, "seed", kMessage, true);
  if (lua_gettop(L) < 2) script::raise(L, "ctx:seed needs at least one value");
  task.seed(canonical(L, 2, "seed"));
  lua_settop(L, 1);
  return 1;
}

constexpr CtxFunction kFunctions[] = {
    {"random", script::guarded<ctx_random>},   {"pick", script::guarded<ctx_pick>},
    {"shuffle", script::guarded<ctx_shuffle>}, {"uuid", script::guarded<ctx_uuid>},
    {"bytes", script::guarded<ctx_bytes>},     {"seed", script::guarded<ctx_seed>},
};

}  // namespace

std::span<const CtxFunction> ctx_chance_functions() { return kFunctions; }

}  // namespace host::bindings
