#pragma once

#include <string>
#include <string_view>

#include "host/base/time.h"
#include "host/ports/logger.h"

namespace host::telemetry {

/// A line of JSON, without the line feed.
std::string json_line(Time at, ports::LogLevel level, std::string_view text,
                      const ports::LogFields& fields);
/// Text and fields for people: `text key=value other="two words"`. Further lines of a text of
/// several lines are indented.
std::string readable_text(std::string_view text, const ports::LogFields& fields);

const char* level_name(ports::LogLevel level);

}  // namespace host::telemetry
