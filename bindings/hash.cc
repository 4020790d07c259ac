#include "bindings/hash.h"

#include <charconv>
#include <cmath>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "bindings/module_table.h"
#include "host/base/digest.h"
#include "host/script/lua_state.h"

namespace host::bindings {
namespace {

std::string_view need_text(lua_State* L, int index, const char* what) {
  if (lua_type(L, index) != LUA_TSTRING) {
    script::raise(L, std::string(what) + " takes text, not a " + luaL_typename(L, index));
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

int push_hex(lua_State* L, const Digest& digest) {
  const std::string text = to_hex(digest.data(), digest.size());
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

/// sha256(text) -> 64 hex digits.
int hash_sha256(lua_State* L) { return push_hex(L, sha256(need_text(L, 1, "hash.sha256"))); }

/// hmac_sha256(key, text) -> 64 hex digits.
int hash_hmac_sha256(lua_State* L) {
  const std::string_view key = need_text(L, 1, "hash.hmac_sha256");
  const std::string_view text = need_text(L, 2, "hash.hmac_sha256");
  return push_hex(L, hmac_sha256(key, text));
}

/// fraction(hex) -> the first 52 bits as a number in [0, 1).
int hash_fraction(lua_State* L) {
  constexpr std::size_t kDigits = 13;
  const std::string_view text = need_text(L, 1, "hash.fraction");
  std::uint64_t bits = 0;
  const char* const end = text.data() + kDigits;
  if (text.size() < kDigits || std::from_chars(text.data(), end, bits, 16).ptr != end) {
    script::raise(L, "hash.fraction takes the hex digits of a hash, at least 13");
  }
  lua_pushnumber(L, std::ldexp(static_cast<double>(bits), -52));
  return 1;
}

}  // namespace

int open_hash(lua_State* L) {
  constexpr std::pair<const char*, lua_CFunction> kFunctions[] = {
      {"sha256", script::guarded<hash_sha256>},
      {"hmac_sha256", script::guarded<hash_hmac_sha256>},
      {"fraction", script::guarded<hash_fraction>},
  };
  lua_createtable(L, 0, 3);
  for (const auto& [name, function] : kFunctions) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
  }
  freeze_module(L, "host.hash");
  return 1;
}

}  // namespace host::bindings
