#include <random>

#include "host/script/pattern_lib.h"
#include "tests/unit/script_vm_fixture.h"

namespace host::test {

using Catch::Contains;

namespace {

// Random patterns from pieces that make interesting, and sometimes malformed, ones.
std::string random_pattern(std::mt19937& chance) {
  static const std::vector<std::string> pieces{
      "a",     "b",     ".",      "%a", "%d", "%s", "%w",   "%W",   "%x",   "%p", "%g", "[ab]",
      "[^ab]", "[a-c]", "[%d_]",  "(",  ")",  "()", "*",    "+",    "-",    "?",  "^",  "$",
      "%b()",  "%f[a]", "%f[%w]", "%1", "%2", "%%", "%.",   "[]]",  "[^]]", "[",  "%",  "]",
      "[a-]",  "[%]]",  "%b",     "%f", "1",  " ",  "(a*)", "(.-)", "%z"};
  std::string pattern;
  const std::size_t length = chance() % 6 + 1;
  for (std::size_t i = 0; i < length; ++i) pattern += pieces[chance() % pieces.size()];
  return pattern;
}

std::string random_text(std::mt19937& chance) {
  static const std::string letters = "aaabbbc1 2_()%.\n]-";
  std::string text;
  const std::size_t length = chance() % 14;
  for (std::size_t i = 0; i < length; ++i) text += letters[chance() % letters.size()];
  return text;
}

// A plain state with both implementations and a driver that returns everything as one text.
class Both {
 public:
  Both() : state_(std::move(*script::LuaState::make({}))), L_(state_->get()) {
    lua_newtable(L_);
    add("find", script::lua_find);
    add("match", script::lua_match);
    add("gmatch", script::lua_gmatch);
    add("gsub", script::lua_gsub);
    lua_setglobal(L_, "ours");
    REQUIRE(luaL_dofile(L_, HOST_SOURCE_DIR "/tests/scripts/pattern_differential.lua") == 0);
  }

  std::string run(const char* which, int operation, const std::string& text,
                  const std::string& pattern, int init) {
    lua_getglobal(L_, "run");
    lua_getglobal(L_, which);
    lua_pushinteger(L_, operation);
    lua_pushlstring(L_, text.data(), text.size());
    lua_pushlstring(L_, pattern.data(), pattern.size());
    lua_pushinteger(L_, init);
    REQUIRE(lua_pcall(L_, 5, 1, 0) == 0);
    std::string answer = lua_tostring(L_, -1);
    lua_pop(L_, 1);
    return answer;
  }

 private:
  void add(const char* name, lua_CFunction function) {
    lua_pushcfunction(L_, function);
    lua_setfield(L_, -2, name);
  }
  std::unique_ptr<script::LuaState> state_;
  lua_State* L_;
};

}  // namespace

TEST_CASE("patterns do what LuaJIT's own do, malformed ones included") {
  Both both;
  std::mt19937 chance(20240607);
  for (int i = 0; i < 60000; ++i) {
    const std::string text = random_text(chance);
    const std::string pattern = random_pattern(chance);
    const int operation = static_cast<int>(chance() % 8);
    const int init = static_cast<int>(chance() % 9) - 4;
    const std::string want = both.run("string", operation, text, pattern, init);
    const std::string got = both.run("ours", operation, text, pattern, init);
    if (got != want) {
      INFO("operation " << operation << " text '" << text << "' pattern '" << pattern << "' init "
                        << init);
      REQUIRE(got == want);
    }
  }
}

TEST_CASE("a pattern that backtracks without end is stopped by its budget") {
  Sandbox box;
  CHECK_THAT(box.error("return ('a'):rep(5000):find(('a*'):rep(20) .. 'b')"),
             Contains("too costly"));
  CHECK_THAT(box.error("return ('a'):rep(200000):find('.-.-b')"), Contains("too costly"));
  CHECK_THAT(box.error("return ('('):rep(1000000):gsub('%b()', '')"), Contains("too costly"));
}

TEST_CASE("a large set costs what it takes to read it") {
  Sandbox box;
  for (const char* set : {"[%s]", "[%s]*b", "[^%s]-b", "%%f[%s]"}) {
    INFO(set);
    CHECK_THAT(box.error(std::string("return ('z'):rep(30000):find(('") + set +
                         "'):format(('a'):rep(30000)))"),
               Contains("too costly"));
  }
}

TEST_CASE("a plain search takes time in proportion to its text, whatever is searched for") {
  Sandbox box;
  const auto answer = box.run("return ('a'):rep(1500000):find(('a'):rep(750000) .. 'b', 1, true)",
                              "test.lua", std::chrono::seconds(1));
  if (!answer) FAIL(answer.error().to_string());
  CHECK(*answer == "nil");
  CHECK(box.result("return table.concat({ ('abc'):find('', 9, true) }, ',')") == "4,3");
  CHECK(box.result("return table.concat({ ('a.c.'):find('.', 3, true) }, ',')") == "4,4");
}

TEST_CASE("what gsub builds is bounded within one replacement, too") {
  Sandbox box;
  CHECK_THAT(box.error("return #('x'):rep(1e6):gsub('.*', ('%0'):rep(1000))"),
             Contains("the result of gsub is too long"));
  CHECK_THAT(box.error("return #('x'):rep(1e6):gsub('x', ('y'):rep(1e5))"),
             Contains("the result of gsub is too long"));
}

TEST_CASE("a text beyond the limit is refused by patterns and taken by plain search") {
  Sandbox box(64u << 20);
  CHECK_THAT(box.error("return ('a'):rep(9e6):find('b*c')"), Contains("too long for patterns"));
  CHECK(box.result("return (('a'):rep(9e6) .. 'b'):find('b', 1, true)") == "9000001");
}

TEST_CASE("an ordinary pattern over a large text is within its budget") {
  Sandbox box(64u << 20);
  CHECK(
      box.result(
          "local n = 0 for line in ('12 13 14\\n'):rep(100000):gmatch('[^\\n]+') do n = n + 1 end "
          "return n") == "100000");
}

}  // namespace host::test
