#include <charconv>
#include <cmath>
#include <cstring>
#include <random>

#include "tests/unit/script_schema_fixture.h"

namespace host::test {

namespace {

/// Random JSON in the canonical form: sorted keys, shortest numbers, no blanks.
class Canonical {
 public:
  explicit Canonical(std::uint64_t seed) : chance_(seed) {}

  std::string value(int depth = 0) {
    switch (below(depth > 6 ? 7 : 9)) {
      case 0:
        return "null";
      case 1:
        return below(2) ? "true" : "false";
      case 2:
        return integer();
      case 3:
        return number();
      case 4:
      case 5:
      case 6:
        return string();
      case 7:
        return list(depth);
      default:
        return object(depth);
    }
  }

 private:
  std::uint64_t below(std::uint64_t n) { return chance_() % n; }

  std::string integer() {
    const std::uint64_t bits = chance_() >> below(64);
    return below(2) ? std::to_string(static_cast<std::int64_t>(bits)) : std::to_string(bits);
  }

  std::string number() {
    double value = 0;
    do {
      const std::uint64_t bits = chance_();
      std::memcpy(&value, &bits, sizeof value);
    } while (!std::isfinite(value) || std::floor(value) == value);
    char text[40];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
  }

  std::string string() {
    static const char* kPieces[] = {"a",
                                    "Z",
                                    " ",
                                    "\\\"",
                                    "\\\\",
                                    "\\n",
                                    "\\t",
                                    "\\u0000",
                                    "\\u001f",
                                    "\x7f",
                                    "ü",
                                    "日",
                                    "\xf0\x9f\xa6\x89",
                                    "/",
                                    "1"};
    std::string out = "\"";
    for (std::uint64_t i = below(12); i > 0; --i) out += kPieces[below(std::size(kPieces))];
    return out + "\"";
  }

  std::string list(int depth) {
    std::string out = "[";
    for (std::uint64_t i = below(5); i > 0; --i) {
      out += (out.size() > 1 ? "," : "") + value(depth + 1);
    }
    return out + "]";
  }

  std::string object(int depth) {
    std::string out = "{";
    std::string name = "\"";
    for (std::uint64_t i = below(5); i > 0; --i) {
      name += static_cast<char>('a' + below(26));  // longer ones sort behind their beginnings
      out += (out.size() > 1 ? "," : "") + name + "\":" + value(depth + 1);
    }
    return out + "}";
  }

  std::mt19937_64 chance_;
};

}  // namespace

TEST_CASE("canonical JSON comes out byte for byte as it went in") {
  Values lua;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    const std::string json = Canonical(seed).value();
    INFO("seed " << seed << ": " << json);
    REQUIRE(lua.through(json) == json);
  }
}

TEST_CASE("canonical JSON passes through a schema of any alike") {
  Values lua;
  const SchemaPtr schema = lua.schema("spec.record { a = spec.any, b = spec.list(spec.any) }");
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Canonical chance(seed);
    const std::string json =
        "{\"a\":" + chance.value() + ",\"b\":[" + chance.value() + "," + chance.value() + "]}";
    INFO("seed " << seed << ": " << json);
    REQUIRE(lua.through(json, schema) == json);
  }
}

TEST_CASE("every double comes back as the same double") {
  Values lua;
  std::mt19937_64 chance(7);
  lua.protect([&](lua_State* L) {
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t bits = chance();
      double value = 0;
      std::memcpy(&value, &bits, sizeof value);
      if (i % 3 == 0) value = std::ldexp(std::floor(value), static_cast<int>(bits % 100));
      if (i == 1) value = -0.0;
      if (!std::isfinite(value)) continue;
      Violations violations;
      std::string json;
      lua_pushnumber(L, value);
      REQUIRE(append_json(L, -1, nullptr, json, violations));
      REQUIRE(push_json(L, json, nullptr, violations));
      INFO(json);
      REQUIRE(lua_type(L, -1) == LUA_TNUMBER);
      const double back = lua_tonumber(L, -1);
      REQUIRE(std::memcmp(&back, &value, sizeof value) == 0);
      lua_settop(L, 0);
    }
  });
}

TEST_CASE("damaged JSON never crashes the decoder and never leaves anything on the stack") {
  Values lua;
  std::mt19937_64 chance(11);
  const SchemaPtr schema = lua.schema(
      "spec.record { a = spec.any { optional = true }, b = spec.list(spec.int), c = spec.money "
      "{ optional = true } }");
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    std::string json = Canonical(seed).value();
    if (seed % 2) json = "{\"a\":" + json + ",\"b\":[1]}";
    for (std::uint64_t edits = 1 + chance() % 3; edits > 0 && !json.empty(); --edits) {
      json[chance() % json.size()] = static_cast<char>(chance());
    }
    // through() requires an even stack and a reason.
    const std::string any = lua.through(json), typed = lua.through(json, schema);
    refused += any.find("is not JSON") != std::string::npos;
    CHECK_FALSE(typed.empty());
  }
  CHECK(refused > 100);
}

TEST_CASE("a state without memory refuses to decode and stays usable") {
  auto made = LuaState::make({.memory_cap = 3u << 20});
  REQUIRE(made.ok());
  LuaState& state = **made;
  REQUIRE(state.protect([](lua_State* L) { open_values(L); }).ok());
  std::string json = "[";
  for (int i = 0; i < 200000; ++i) json += "\"item " + std::to_string(i) + "\",";
  json.back() = ']';
  for (int round = 0; round < 3; ++round) {
    Violations violations;
    const Result<void> big =
        state.protect([&](lua_State* L) { push_json(L, json, nullptr, violations); });
    REQUIRE_FALSE(big.ok());
    CHECK(big.error().code == Error::Code::exhausted);
    const Result<void> small = state.protect([&](lua_State* L) {
      REQUIRE(push_json(L, "[1,2,3]", nullptr, violations));
      CHECK(lua_objlen(L, -1) == 3);
    });
    CHECK(small.ok());
  }
}

}  // namespace host::test
