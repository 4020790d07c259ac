#include "host/app/system_ports.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "host/base/check.h"

namespace host::app {

Time SystemClock::now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

std::string SystemChance::bytes(std::size_t n) {
  std::string out(n, '\0');
  for (std::size_t got = 0; got < n;) {
    const ssize_t more = getrandom(out.data() + got, n - got, 0);
    if (more < 0 && errno == EINTR) continue;
    HOST_CHECK(more > 0, "getrandom() failed");
    got += static_cast<std::size_t>(more);
  }
  return out;
}

double SystemChance::fraction() {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes(sizeof word).data(), sizeof word);
  return static_cast<double>(word >> 11) * 0x1p-53;
}

}  // namespace host::app
