#pragma once

#include <cstddef>
#include <string_view>

namespace host {

/// Length of the well-formed UTF-8 sequence that begins at `at` (overlong forms, surrogates and
/// what lies beyond U+10FFFF are none), or 0. `at` lies inside `text`.
std::size_t utf8_length(std::string_view text, std::size_t at);
/// Whether all of it is such sequences.
bool valid_utf8(std::string_view text);

}  // namespace host
