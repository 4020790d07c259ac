#include "bindings/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>
#include <cmath>
#include <lua.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bindings/module_table.h"
#include "host/script/lua_state.h"

namespace host::bindings {
namespace {

constexpr std::size_t kDigest = 32;
using Digest = std::array<unsigned char, kDigest>;

std::string_view need_text(lua_State* L, int index, const char* what) {
  if (lua_type(L, index) != LUA_TSTRING) {
    script::raise(L, std::string(what) + " takes text, not a " + luaL_typename(L, index));
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

int push_hex(lua_State* L, const Digest& digest) {
  constexpr char kHex[] = "0123456789abcdef";
  char text[2 * kDigest];
  for (std::size_t i = 0; i < kDigest; ++i) {
    text[2 * i] = kHex[digest[i] >> 4];
    text[2 * i + 1] = kHex[digest[i] & 15];
  }
  lua_pushlstring(L, text, sizeof text);
  return 1;
}

/// sha256(text) -> 64 hex digits.
int hash_sha256(lua_State* L) {
  const std::string_view text = need_text(L, 1, "hash.sha256");
  Digest digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("sha256 failed");
  }
  return push_hex(L, digest);
}

/// hmac_sha256(key, text) -> 64 hex digits.
int hash_hmac_sha256(lua_State* L) {
  const std::string_view key = need_text(L, 1, "hash.hmac_sha256");
  const std::string_view text = need_text(L, 2, "hash.hmac_sha256");
  Digest digest;
  unsigned size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
            &size)) {
    throw std::runtime_error("hmac_sha256 failed");
  }
  return push_hex(L, digest);
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
