#include "host/runtime/random_id.h"

namespace host::runtime {

std::string random_id(ports::Chance& chance) {
  constexpr char kDigits[] = "0123456789abcdef";
  const std::string bytes = chance.bytes(16);
  std::string id(2 * bytes.size(), '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    id[2 * i] = kDigits[byte >> 4];
    id[2 * i + 1] = kDigits[byte & 15];
  }
  return id;
}

}  // namespace host::runtime
