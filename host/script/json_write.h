#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace host::script {

// Canonical JSON text of scalars, appended. They know no Lua state.

/// Quoted and escaped. False when `text` is not UTF-8; nothing is appended then.
bool write_string(std::string_view text, std::string& out);
/// Shortest text that reads back as the same double; whole numbers up to 2^53 as "5". Beyond, with
/// an exponent, so that a number never comes back as an exact integer. `value` is finite.
void write_number(double value, std::string& out);
void write_integer(std::int64_t value, std::string& out);

}  // namespace host::script
