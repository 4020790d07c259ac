#include <catch2/catch.hpp>

#include "host/core/partition.h"

namespace host {
namespace {

TEST_CASE("murmur2 computes what Kafka's Java client computes") {
  const auto hash = [](std::string_view text) { return static_cast<std::int32_t>(murmur2(text)); };
  CHECK(hash("21") == -973932308);
  CHECK(hash("foobar") == -790332482);
  CHECK(hash("a-little-bit-long-string") == -985981536);
  CHECK(hash("a-little-bit-longer-string") == -1486304829);
  CHECK(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8") == -58897971);
  CHECK(hash("abc") == 479470107);
}

TEST_CASE("murmur2 takes bytes above 127 and NUL as they are") {
  CHECK(murmur2(std::string_view("\0", 1)) != murmur2(""));
  CHECK(murmur2("\xFF") != murmur2("\x7F"));
  CHECK(murmur2("\xFF\xFF\xFF") != murmur2("\xFF\xFF"));
}

TEST_CASE("a key's partition is its hash without the sign, modulo the count") {
  CHECK(partition_of("abc", 16) == 479470107 % 16);
  CHECK(partition_of("21", 16) == static_cast<PartitionNumber>((-973932308 & 0x7fffffff) % 16));
  CHECK(partition_of("anything", 1) == 0);
  for (int i = 0; i < 1000; ++i) {
    const PartitionNumber p = partition_of("key" + std::to_string(i), 7);
    CHECK((p >= 0 && p < 7));
  }
}

TEST_CASE("valid keys have no problem") {
  for (const std::string& key : {std::string("a"), std::string(512, 'k'), std::string("h\xC3\xA9"),
                                 std::string("\xE2\x9C\xA8"), std::string("\xF0\x9F\xA6\x89"),
                                 std::string("\x01\x7F"), std::string("\xED\x9F\xBF"),
                                 std::string("\xEE\x80\x80"), std::string("\xF4\x8F\xBF\xBF")}) {
    CHECK(key_problem(key) == "");
  }
}

TEST_CASE("a key that is empty, too long, has NUL or is no UTF-8 is refused with the reason") {
  CHECK_THAT(std::string(key_problem("")), Catch::Contains("empty"));
  CHECK_THAT(std::string(key_problem(std::string(513, 'k'))), Catch::Contains("512"));
  CHECK_THAT(std::string(key_problem(std::string("a\0b", 3))), Catch::Contains("NUL"));
  for (const char* key :
       {"\x80", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x9C",
        "\xF0\x9F\xA6", "ab\xC3", "\xC3(", "\xE2\x28\xA1"}) {
    CHECK_THAT(std::string(key_problem(key)), Catch::Contains("UTF-8"));
  }
}

}  // namespace
}  // namespace host
