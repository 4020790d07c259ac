#include "host/base/time.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace host {
namespace {

struct Fields {
  int year, month, day, hour, minute, second;
  std::int64_t micros;
};

Fields split(Time t) {
  const auto days = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{days};
  const std::chrono::hh_mm_ss clock{t - days};
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          clock.subseconds().count()};
}

/// Reads exactly `digits` digits at `at`; -1 when there is something else.
int number(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

Error bad_time(std::string_view text, const char* why) {
  return make_error(Error::Code::invalid,
                    "\"" + std::string(text.substr(0, 40)) + "\" is no time: " + why,
                    "RFC 3339, like 2026-11-21T12:00:00Z");
}

constexpr Time kFirstTime = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
constexpr Time kEndOfTime = std::chrono::sys_days{std::chrono::year{10'000} / 1 / 1};

struct Unit {
  std::string_view name;
  std::int64_t micros;
};
constexpr std::array kUnits{
    Unit{"us", 1},         Unit{"ms", 1'000},        Unit{"s", 1'000'000},
    Unit{"m", 60'000'000}, Unit{"h", 3'600'000'000}, Unit{"d", 86'400'000'000}};

}  // namespace

std::string format_time(Time t) {
  std::string text = format_sortable_time(t);
  text.pop_back();
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + "Z";
}

std::string format_sortable_time(Time t) {
  const Fields f = split(t);
  char out[64];
  std::snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d.%06lldZ", f.year, f.month, f.day,
                f.hour, f.minute, f.second, static_cast<long long>(f.micros));
  return out;
}

Result<Time> parse_time(std::string_view text) {
  const int year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
  const int hour = number(text, 11, 2), minute = number(text, 14, 2), second = number(text, 17, 2);
  if (year < 0 || month < 0 || day < 0 || text[4] != '-' || text[7] != '-') {
    return bad_time(text, "it does not begin with a date");
  }
  if (text.size() < 20 || hour < 0 || minute < 0 || second < 0 ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':') {
    return bad_time(text, "after the date comes T and hh:mm:ss");
  }
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return bad_time(text, "there is no such day");
  if (hour > 23 || minute > 59 || second > 60) return bad_time(text, "there is no such hour");
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (text[at] == '.') {
    std::int64_t scale = 100'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      micros += (text[at] - '0') * scale;
      scale /= 10;
    }
    if (at == first) return bad_time(text, "a fraction needs digits");
  }
  std::int64_t offset_minutes = 0;
  const std::string_view zone = text.substr(at);
  if (zone != "Z" && zone != "z") {
    const int zone_hour = number(zone, 1, 2), zone_minute = number(zone, 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || zone_hour < 0 ||
        zone_minute < 0 || zone_hour > 23 || zone_minute > 59) {
      return bad_time(text, "it ends with Z or an offset like +01:00");
    }
    offset_minutes = (zone[0] == '-' ? -1 : 1) * (zone_hour * 60 + zone_minute);
  }
  const Time time = Time{std::chrono::sys_days{date}} + std::chrono::hours{hour} +
                    std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second} +
                    Duration{micros};
  // An offset or a leap second may lead out of the years that have four digits.
  if (time < kFirstTime || time >= kEndOfTime)
    return bad_time(text, "it lies beyond year 0 to 9999");
  return time;
}

Result<Duration> parse_duration(std::string_view text) {
  const auto bad = [&](const char* why) {
    return make_error(Error::Code::invalid,
                      "\"" + std::string(text.substr(0, 40)) + "\" is no duration: " + why,
                      "a number with us, ms, s, m, h or d, like 250ms");
  };
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || !std::isfinite(value)) return bad("it does not begin with a number");
  if (value < 0) return bad("it is negative");
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  double micros = unit.empty() ? value * 1e6 : -1;
  for (const Unit& known : kUnits) {
    if (unit == known.name) micros = value * static_cast<double>(known.micros);
  }
  if (micros < 0) return bad("its unit is not known");
  if (micros > 9e17) return bad("it is longer than 28,000 years");
  return Duration{static_cast<std::int64_t>(std::llround(micros))};
}

std::string format_duration(Duration d) {
  const std::int64_t us = d.count();
  for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) {
    if (us != 0 && us % unit->micros == 0) {
      return std::to_string(us / unit->micros) + std::string(unit->name);
    }
  }
  return "0s";
}

}  // namespace host
