#pragma once

#include <string_view>

namespace host::web {

/// Whether `name` is the header of this lower-case name: handlers write names as they like.
inline bool is_header(std::string_view name, std::string_view lower_case) {
  if (name.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower_case[i]) return false;
  }
  return true;
}

}  // namespace host::web
