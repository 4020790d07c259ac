#include "tests/unit/script_schema_fixture.h"

namespace host::test {

using Catch::Contains;

TEST_CASE("money adds, multiplies, compares and prints exactly") {
  Values lua;
  CHECK(lua.run("return money '2.50' * 3") == "7.50");
  CHECK(lua.run("return 3 * money '2.50' - money(0.5)") == "7.00");
  CHECK(lua.run("return -money '0.05' + money '0.01'") == "-0.04");
  CHECK(lua.run("return money '0.1' + money '0.2' == money '0.3'") == "true");
  CHECK(lua.run("return money '9.99' < money '10' and money '10' <= money '10.00'") == "true");
  CHECK(lua.run("return money '30' / money '20'") == "1.5");
  CHECK(lua.run("return 'you owe ' .. money '5' .. '!'") == "you owe 5.00!");
  CHECK(lua.run("return money '2.50':minor()") == "250");
}

TEST_CASE("money:times rounds halves away from zero, in decimals") {
  Values lua;
  CHECK(lua.run("return money '2.50':times(1.5)") == "3.75");
  CHECK(lua.run("return money '0.50':times(1.15)") == "0.58");  // 57.5 cents; binary says 57.4999
  CHECK(lua.run("return money '-0.50':times(1.15)") == "-0.58");
  CHECK(lua.run("return money '0.05':times(0.5)") == "0.03");
  CHECK(lua.run("return money '10.05':times(1e-30)") == "0.00");
  CHECK(lua.run("return money '1':times(1e12)") == "1000000000000.00");
  CHECK(lua.run("return money '100':times(18 / 37)") == "48.65");
}

TEST_CASE("misuse of money names what to write instead, with the line") {
  Values lua;
  CHECK_THAT(lua.error("return money '1' * 1.5"), Contains("price:times(1.5)"));
  CHECK_THAT(lua.error("return money '1' + 1"), Contains("add money and a number"));
  CHECK_THAT(lua.error("return money '1.005'"), Contains("more than two decimals"));
  CHECK_THAT(lua.error("return money 'a lot'"), Contains("is no money"));
  CHECK_THAT(lua.error("return money '60000000000000' * 2"), Contains("70 trillion"));
  CHECK_THAT(lua.error("return money '1':times(0 / 0)"), Contains("takes a number"));
  CHECK_THAT(lua.error("local m = money '1' m.minor = 3"), Contains("attempt to index"));
}

TEST_CASE("times are subtracted, shifted, floored and compared") {
  Values lua;
  CHECK(lua.run("return time '2026-11-21T13:00:00+01:00'") == "2026-11-21T12:00:00Z");
  CHECK(lua.run("local t = time '2026-11-21T12:34:56.5Z' return t:floor('1h')") ==
        "2026-11-21T12:00:00Z");
  CHECK(lua.run("local t = time '2026-11-21T12:00:00Z' return t + '5m'") == "2026-11-21T12:05:00Z");
  CHECK(lua.run("local t = time '2026-11-21T12:00:00Z' return 90 + t - '1m'") ==
        "2026-11-21T12:00:30Z");
  CHECK(lua.run("local t = time '2026-11-21T12:00:00Z' return (t + 1.25) - t") == "1.25");
  CHECK(lua.run("local t = time '2026-11-21T12:00:00Z' return t + -1 < t") == "true");
  CHECK(lua.run("return time(0):unix() == 0 and time(0) == time '1970-01-01T00:00:00Z'") == "true");
  CHECK(lua.run("return time '1969-12-31T23:59:59.5Z':floor(1)") == "1969-12-31T23:59:59Z");
}

TEST_CASE("misuse of times names what is wrong") {
  Values lua;
  CHECK_THAT(lua.error("return time 'yesterday'"), Contains("is no time"));
  CHECK_THAT(lua.error("return time(0) + time(1)"), Contains("not two times"));
  CHECK_THAT(lua.error("return time(0) + 'soon'"), Contains("no duration"));
  CHECK_THAT(lua.error("return time(0) + 1e15"), Contains("beyond the years"));
  CHECK_THAT(lua.error("return time(0):floor(0)"), Contains("above zero"));
  CHECK_THAT(lua.error("return time(0) < money '1'"), Contains("compare"));
}

TEST_CASE("lists: the whole vocabulary") {
  Values lua;
  CHECK(lua.encode("return list.add({1, 2}, {3})") == "[1,2,3]");
  CHECK(lua.encode("return list.push({1, 2, 3}, 4, 3)") == "[2,3,4]");
  CHECK(lua.encode("return list.without({1, 2, 3}, {3, nil, 1})") == "[2]");
  CHECK(lua.encode("return list.without({1}, {1})") == "[]");
  CHECK(lua.encode("return list.both({1, 2, 2, 3}, {3, 2, 9})") == "[2,3]");
  CHECK(lua.encode("return list.keep({1, 2, 3}, function(n) return n ~= 2 end)") == "[1,3]");
  CHECK(lua.encode("return list.slice({1, 2, 3, 4}, 2, 3)") == "[2,3]");
  CHECK(lua.encode("return list.slice({1, 2}, 2, 9)") == "[2]");
  CHECK(lua.encode("return list.sorted({3, 1, 2}, function(a, b) return a > b end)") == "[3,2,1]");
  CHECK(lua.encode("return list.keys({b = 1, a = 2})") == "[\"a\",\"b\"]");
  CHECK(lua.encode("return list.of {}") == "[]");
  CHECK(lua.encode("return list.of(list.of {})") == "[]");
  CHECK(lua.with("[]", nullptr, "list.of(it) rawset(it, 1, 'a') return #it") == "1");
  CHECK(lua.run("return list.has({'a'}, 'a') and not list.has({}, 'a')") == "true");
  CHECK(lua.run("local l = {1, 2} list.remove(l, 1) return #l") == "1");
  CHECK(lua.encode("return { list.find({{team = 1}, {team = 2}}, 'team', 2) }") ==
        "[2,{\"team\":2}]");
  CHECK(lua.encode("return { list.find({5, 6}, function(n) return n > 5 end) }") == "[2,6]");
  CHECK(lua.encode("return { list.find({5, 6}, 7) }") == "{}");
}

TEST_CASE("misuse of a list names the caller's line") {
  Values lua;
  CHECK_THAT(lua.error("\n\nlocal x = list.has(nil, 1)"),
             Contains("test.lua:3: list.has takes a list, not a nil"));
  CHECK_THAT(lua.error("return list.puhs({}, 1)"), Contains("did you mean \"push\"?"));
  CHECK_THAT(lua.error("list.extra = 1"), Contains("host.list is read-only"));
  CHECK_THAT(lua.error("return list.push({}, nil)"), Contains("nothing to append"));
}

TEST_CASE("hashes match their published vectors") {
  Values lua;
  CHECK(lua.run("return hash.sha256 'abc'") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(lua.run("return hash.hmac_sha256('Jefe', 'what do ya want for nothing?')") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(lua.run("return hash.fraction 'ffffffffffffffff' < 1 and hash.fraction '8000000000000'") ==
        "0.5");
  CHECK_THAT(lua.error("return hash.fraction 'xyz'"), Contains("hex digits"));
  CHECK_THAT(lua.error("return hash.sha256(nil)"), Contains("takes text"));
}

TEST_CASE("sql.where keeps the conditions whose parameters are there") {
  Values lua;
  CHECK(lua.run("return (sql.where({'a = :a', 'b >= :b'}, {b = 2}))") == "where (b >= :b)");
  CHECK(lua.run("return (sql.where({'a = :a', 'at::text = :b'}, {a = 1, b = 2}))") ==
        "where (a = :a) and (at::text = :b)");
  CHECK(lua.run("return (sql.where({'a = :a'}, {}))").empty());
  CHECK(lua.run("return (sql.where({\"a = 'x:y' and b = :b\"}, {b = 1}))") ==
        "where (a = 'x:y' and b = :b)");
  CHECK(lua.encode("local _, v = sql.where({'a = :a'}, {a = 1, c = 3}, {a = 2}) "
                   "return v:with { n = 5 }") == R"({"a":2,"n":5})");
  CHECK_THAT(lua.error("return sql.where 'a = 1'"), Contains("list of conditions"));
}

}  // namespace host::test
