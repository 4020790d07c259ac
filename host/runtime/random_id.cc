#include "host/runtime/random_id.h"

namespace host::runtime {

std::string random_id(ports::Chance& chance) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const char c : chance.bytes(16)) {
    const auto byte = static_cast<unsigned char>(c);
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

}  // namespace host::runtime
