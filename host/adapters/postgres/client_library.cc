#include "host/adapters/postgres/client_library.h"

#include <dlfcn.h>

#include <cstring>
#include <mutex>
#include <string>

#include "host/base/check.h"

extern "C" {
extern const char host_late_postgres_names[];
extern void* host_late_postgres_slots[];
[[noreturn]] void host_late_postgres_missing() {
  ::host::check_failed(__FILE__, __LINE__, "loaded", "libpq is called before it is loaded");
}
}

namespace host::postgres {
namespace {

Error cannot_load() {
  const char* why = ::dlerror();
  return make_error(Error::Code::unavailable,
                    std::string("the client library of PostgreSQL cannot be loaded: ") +
                        (why != nullptr ? why : HOST_SOCI_POSTGRESQL),
                    "install it: apt-get install libsoci-postgresql4.0 libpq5");
}

Result<void> load() {
  void* const library = ::dlopen(HOST_SOCI_POSTGRESQL, RTLD_NOW | RTLD_LOCAL);  // with libpq
  if (library == nullptr) return cannot_load();
  void** slot = host_late_postgres_slots;
  for (const char* name = host_late_postgres_names; *name != '\0'; name += std::strlen(name) + 1) {
    void* const function = ::dlsym(library, name);
    if (function == nullptr) return cannot_load();
    *slot++ = function;
  }
  return {};
}

}  // namespace

Result<void> load_client_library() {
  static std::mutex mutex;
  static bool loaded = false;  // guarded by mutex
  const std::lock_guard lock(mutex);
  if (loaded) return {};
  Result<void> done = load();
  loaded = done.ok();
  return done;
}

}  // namespace host::postgres
