#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace host {

/// All durations of the host are microseconds; all points in time are UTC.
using Duration = std::chrono::microseconds;
using Time = std::chrono::sys_time<Duration>;

inline constexpr Duration kForever = Duration::max();

/// Microseconds since 1970-01-01T00:00:00Z, as stored.
inline std::int64_t to_micros(Time t) { return t.time_since_epoch().count(); }
inline Time from_micros(std::int64_t us) { return Time{Duration{us}}; }

/// RFC 3339 UTC in its shortest form, at most microseconds: "2026-11-21T12:00:00.5Z".
std::string format_time(Time t);
/// Always 27 characters ("2026-11-21T12:00:00.500000Z"), so that text sorts like time.
std::string format_sortable_time(Time t);
/// Any RFC 3339 time, with any offset. Error: invalid, naming what is wrong.
Result<Time> parse_time(std::string_view text);

/// "250ms", "20s", "1m", "2h", "7d", "15us", or a bare decimal number of seconds.
/// Not negative. Error: invalid.
Result<Duration> parse_duration(std::string_view text);
/// The shortest of the forms that parse_duration reads: "250ms", "20s", "1m".
std::string format_duration(Duration d);

}  // namespace host
