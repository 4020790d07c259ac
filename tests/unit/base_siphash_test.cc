#include <catch2/catch.hpp>
#include <string>

#include "host/base/siphash.h"

namespace host {

TEST_CASE("SipHash-2-4 gives the values of its authors") {
  const std::array<std::uint64_t, 2> key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string text;
  CHECK(siphash(key, text) == 0x726fdb47dd0e0e31);
  for (char c = 0; c < 15; ++c) text += c;
  CHECK(siphash(key, text) == 0xa129ca6149be45e5);
}

TEST_CASE("another key is another hash") {
  CHECK(siphash({1, 2}, "ada") != siphash({1, 3}, "ada"));
  CHECK(siphash({1, 2}, "ada") != siphash({1, 2}, "adb"));
}

}  // namespace host
