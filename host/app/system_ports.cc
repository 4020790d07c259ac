#include "host/app/system_ports.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "host/base/check.h"

namespace host::app {

Time SystemClock::now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

namespace {

void fill(char* out, std::size_t n) {
  for (std::size_t got = 0; got < n;) {
    const ssize_t more = getrandom(out + got, n - got, 0);
    if (more < 0 && errno == EINTR) continue;
    HOST_CHECK(more > 0, "getrandom() failed");
    got += static_cast<std::size_t>(more);
  }
}

/// What the kernel gave to this thread in advance: every request takes two ids of 16 bytes, and a
/// call of the kernel for each is a good part of what a request costs.
struct Advance {
  std::array<char, 4096> bytes;
  std::size_t left = 0;
};

}  // namespace

std::string SystemChance::bytes(std::size_t n) {
  thread_local Advance advance;
  std::string out(n, '\0');
  if (n > advance.bytes.size() / 64) {
    fill(out.data(), n);
    return out;
  }
  if (advance.left < n) {
    fill(advance.bytes.data(), advance.bytes.size());
    advance.left = advance.bytes.size();
  }
  advance.left -= n;
  char* taken = advance.bytes.data() + advance.left;
  std::memcpy(out.data(), taken, n);
  std::memset(taken, 0, n);  // nobody finds in memory what was given out before
  return out;
}

double SystemChance::fraction() {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes(sizeof word).data(), sizeof word);
  return static_cast<double>(word >> 11) * 0x1p-53;
}

}  // namespace host::app
