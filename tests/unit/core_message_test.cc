#include <catch2/catch.hpp>

#include "host/core/ids.h"
#include "host/core/message.h"
#include "host/ports/store.h"

namespace host {
namespace {

std::optional<Origin> origin_of(std::string text) {
  return parse_origin({{"other", "x"}, {header::kOrigin, std::move(text)}});
}

TEST_CASE("an origin that was printed is read back") {
  const Origin origin{"db/plug/7", {1'767'225'600'000, 42}};
  CHECK(origin.to_string() == "db/plug/7/1767225600000-42");
  const auto got = origin_of(origin.to_string());
  REQUIRE(got.has_value());
  CHECK(got->stream == origin.stream);
  CHECK(got->position == origin.position);
}

TEST_CASE("a database whose name has a dash does not confuse its origin") {
  const auto got = origin_of("a-b-c/plug/0/9223372036854775807-1");
  REQUIRE(got.has_value());
  CHECK(got->stream == "a-b-c/plug/0");
  CHECK(got->position == StreamPosition{9223372036854775807, 1});
}

TEST_CASE("a foreign or broken origin is none") {
  CHECK_FALSE(parse_origin({}).has_value());
  for (const char* text : {"", "x", "/", "-", "db/p/0/", "db/p/0/1", "db/p/0/1-", "db/p/0/-1",
                           "db/p/0/1-2x", "db/p/0/x1-2", "db/p/0/ 1-2", "db/p/0/1--2",
                           "db/p/0/-1-2", "db/p/0/99999999999999999999-1", "/1-2", "db-1/p"}) {
    INFO(text);
    CHECK_FALSE(origin_of(text).has_value());
  }
}

TEST_CASE("positions of a stream compare by epoch first") {
  CHECK(StreamPosition{1, 9} < StreamPosition{2, 1});
  CHECK(StreamPosition{2, 1} < StreamPosition{2, 2});
  CHECK(ShardRef{"owls", 3}.to_string() == "owls/3");
}

TEST_CASE("a header is found by its name and replaced in its place") {
  Headers headers{{"a", "1"}, {"b", "2"}};
  set_header(headers, "a", "3");
  set_header(headers, "c", "4");
  CHECK(headers == Headers{{"a", "3"}, {"b", "2"}, {"c", "4"}});
  REQUIRE(find_header(headers, "c") != nullptr);
  CHECK(*find_header(headers, "c") == "4");
  CHECK(find_header(headers, "A") == nullptr);
}

TEST_CASE("a commit is empty until something changes, and knows its size") {
  ports::ShardCommit commit;
  CHECK(commit.empty());
  CHECK(commit.bytes() == 0);
  commit.states.push_back({"key", {std::string(1000, 'x'), 1, {}}});
  CHECK_FALSE(commit.empty());
  CHECK(commit.bytes() >= 1000);
  ports::ShardCommit timers;
  timers.timers_fired.push_back("t");
  CHECK_FALSE(timers.empty());
}

}  // namespace
}  // namespace host
