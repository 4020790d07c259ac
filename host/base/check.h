#pragma once

namespace host {

/// Ends the process with the place and the reason: for broken invariants of the host, never for
/// bad input. Thread-safe.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace host

#define HOST_CHECK(condition, why)                                                 \
  do {                                                                             \
    if (!(condition)) ::host::check_failed(__FILE__, __LINE__, #condition, (why)); \
  } while (false)

#ifdef NDEBUG
#define HOST_DCHECK(condition, why) ((void)sizeof(!(condition)))
#else
#define HOST_DCHECK(condition, why) HOST_CHECK(condition, why)
#endif
