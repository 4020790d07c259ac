#include <catch2/catch.hpp>

#include "host/base/time.h"

namespace host {
namespace {

Time must_parse(std::string_view text) {
  const Result<Time> time = parse_time(text);
  INFO(text);
  if (!time.ok()) FAIL(time.error().to_string());
  return *time;
}

Duration must_parse_duration(std::string_view text) {
  const Result<Duration> duration = parse_duration(text);
  INFO(text);
  if (!duration.ok()) FAIL(duration.error().to_string());
  return *duration;
}

TEST_CASE("a time is printed in its shortest form") {
  CHECK(format_time(from_micros(0)) == "1970-01-01T00:00:00Z");
  CHECK(format_time(from_micros(1'500'000)) == "1970-01-01T00:00:01.5Z");
  CHECK(format_time(from_micros(1)) == "1970-01-01T00:00:00.000001Z");
  CHECK(format_time(from_micros(120'000)) == "1970-01-01T00:00:00.12Z");
  CHECK(format_time(from_micros(10'000'000)) == "1970-01-01T00:00:10Z");
  CHECK(format_time(from_micros(-1)) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a sortable time always has 27 characters and sorts as text") {
  const Time times[] = {must_parse("0000-01-01T00:00:00Z"),
                        must_parse("0999-12-31T23:59:59.5Z"),
                        from_micros(-1),
                        from_micros(0),
                        from_micros(1),
                        from_micros(10),
                        must_parse("2026-11-21T12:00:00Z"),
                        must_parse("2026-11-21T12:00:00.1Z"),
                        must_parse("9999-12-31T23:59:59.999999Z")};
  std::string before;
  for (const Time time : times) {
    const std::string text = format_sortable_time(time);
    CHECK(text.size() == 27);
    CHECK(before < text);
    CHECK(must_parse(text) == time);
    before = text;
  }
}

TEST_CASE("a time that was printed is read back") {
  for (std::int64_t us = -62'000'000'000'000'000; us < 253'000'000'000'000'000;
       us += 7'654'321'123'456'789) {
    CHECK(must_parse(format_time(from_micros(us))) == from_micros(us));
  }
}

TEST_CASE("any RFC 3339 form of a time is read") {
  const Time noon = from_micros(1'795'262'400'000'000);
  CHECK(must_parse("2026-11-21T12:00:00Z") == noon);
  CHECK(must_parse("2026-11-21t12:00:00z") == noon);
  CHECK(must_parse("2026-11-21 12:00:00Z") == noon);
  CHECK(must_parse("2026-11-21T13:30:00+01:30") == noon);
  CHECK(must_parse("2026-11-21T07:00:00-05:00") == noon);
  CHECK(must_parse("2026-11-22T11:59:00+23:59") == noon);
  CHECK(must_parse("2026-11-21T12:00:00-00:00") == noon);
  CHECK(must_parse("2026-11-21T12:00:00.000000999Z") == noon);  // below a microsecond: cut off
  CHECK(must_parse("2026-11-21T12:00:00.25Z") == noon + Duration{250'000});
  CHECK(must_parse("2024-02-29T00:00:00Z") + std::chrono::days(1) ==
        must_parse("2024-03-01T00:00:00Z"));
  CHECK(must_parse("2016-12-31T23:59:60Z") == must_parse("2017-01-01T00:00:00Z"));
}

TEST_CASE("what is no time is refused, naming it") {
  for (const char* text : {"",
                           "x",
                           "2026",
                           "2026-11-21",
                           "2026-11-21T12:00:00",
                           "2026-11-21T12:00Z",
                           "2026-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-11-00T00:00:00Z",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T12:60:00Z",
                           "2026-11-21T12:00:61Z",
                           "2026-11-21T12:00:00.Z",
                           "2026-11-21T12:00:00+1:00",
                           "2026-11-21T12:00:00+0100",
                           "2026-11-21T12:00:00+24:00",
                           "2026-11-21T12:00:00+01:60",
                           "2026-11-21T12:00:00ZZ",
                           "2026-11-21T12:00:00Z ",
                           " 2026-11-21T12:00:00Z",
                           "2026/11/21T12:00:00Z",
                           "2026-11-21X12:00:00Z",
                           "-026-11-21T12:00:00Z",
                           "+226-11-21T12:00:00Z",
                           "2026-11-21T12-00-00Z"}) {
    const Result<Time> time = parse_time(text);
    INFO(text);
    REQUIRE_FALSE(time.ok());
    CHECK(time.error().code == Error::Code::invalid);
    CHECK_THAT(time.error().message, Catch::Contains(text));
  }
}

TEST_CASE("a time that an offset moves out of the years of four digits is refused") {
  CHECK_FALSE(parse_time("9999-12-31T23:59:59-00:01").ok());
  CHECK_FALSE(parse_time("9999-12-31T23:59:60Z").ok());
  CHECK_FALSE(parse_time("0000-01-01T00:00:00+00:01").ok());
}

TEST_CASE("durations are read with their unit, or as seconds") {
  CHECK(must_parse_duration("15us") == Duration{15});
  CHECK(must_parse_duration("250ms") == Duration{250'000});
  CHECK(must_parse_duration("20s") == std::chrono::seconds(20));
  CHECK(must_parse_duration("1m") == std::chrono::minutes(1));
  CHECK(must_parse_duration("2h") == std::chrono::hours(2));
  CHECK(must_parse_duration("7d") == std::chrono::hours(7 * 24));
  CHECK(must_parse_duration("1.5h") == std::chrono::minutes(90));
  CHECK(must_parse_duration("3") == std::chrono::seconds(3));
  CHECK(must_parse_duration("0.25") == std::chrono::milliseconds(250));
  CHECK(must_parse_duration("0") == Duration{0});
}

TEST_CASE("what is no duration is refused, naming it") {
  for (const char* text : {"", "s", "ms5", "-1s", "1 s", "1s ", " 1s", "1w", "1S", "inf", "nan",
                           "1e400", "1e30d", "1s2m", "0x10s", "1,5s"}) {
    const Result<Duration> duration = parse_duration(text);
    INFO(text);
    REQUIRE_FALSE(duration.ok());
    CHECK(duration.error().code == Error::Code::invalid);
    CHECK_THAT(duration.error().message, Catch::Contains(text));
  }
}

TEST_CASE("a duration is printed in its largest whole unit and read back") {
  CHECK(format_duration(Duration{0}) == "0s");
  CHECK(format_duration(Duration{1}) == "1us");
  CHECK(format_duration(Duration{1'500}) == "1500us");
  CHECK(format_duration(std::chrono::milliseconds(250)) == "250ms");
  CHECK(format_duration(std::chrono::seconds(90)) == "90s");
  CHECK(format_duration(std::chrono::seconds(120)) == "2m");
  CHECK(format_duration(std::chrono::hours(36)) == "36h");
  CHECK(format_duration(std::chrono::hours(48)) == "2d");
  for (std::int64_t us = 1; us < 1'000'000'000'000'000; us = us * 7 + 3) {
    CHECK(must_parse_duration(format_duration(Duration{us})) == Duration{us});
  }
}

}  // namespace
}  // namespace host
