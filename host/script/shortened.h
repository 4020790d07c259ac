#pragma once

#include <string>

namespace host::script {

/// `text`, or its first `most` bytes and "...", never ending inside of a character: what a script
/// or a client wrote goes into logs and dead letters.
inline std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  text.resize(most);
  return text + "...";
}

}  // namespace host::script
