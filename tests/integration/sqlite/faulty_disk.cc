#include "tests/integration/sqlite/faulty_disk.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cstring>

namespace host::sqlite_tests {
namespace {

/// What SQLite sees as an open file; the real one lies behind it in the same allocation.
struct File {
  sqlite3_file base;
  int flags;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real(); }

void count_a_write() {
  if (FaultyDisk::writes_to_live > 0 && --FaultyDisk::writes_to_live == 0) {
    ::_exit(FaultyDisk::kCutOff);
  }
}

int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  count_a_write();
  if (FaultyDisk::full) return SQLITE_FULL;
  return real(file)->pMethods->xWrite(real(file), data, size, at);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  count_a_write();
  return real(file)->pMethods->xTruncate(real(file), size);
}

int sync(sqlite3_file* file, int flags) {
  count_a_write();
  const bool is_log = (reinterpret_cast<File*>(file)->flags & SQLITE_OPEN_WAL) != 0;
  if (is_log && FaultyDisk::failing_syncs > 0) {
    --FaultyDisk::failing_syncs;
    return SQLITE_IOERR_FSYNC;
  }
  return real(file)->pMethods->xSync(real(file), flags);
}

const sqlite3_io_methods kMethods{
    2,
    [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
    [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
      return real(f)->pMethods->xRead(real(f), to, size, at);
    },
    write,
    truncate,
    sync,
    [](sqlite3_file* f, sqlite3_int64* size) {
      return real(f)->pMethods->xFileSize(real(f), size);
    },
    [](sqlite3_file* f, int lock) { return real(f)->pMethods->xLock(real(f), lock); },
    [](sqlite3_file* f, int lock) { return real(f)->pMethods->xUnlock(real(f), lock); },
    [](sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
    [](sqlite3_file* f, int op, void* arg) {
      return real(f)->pMethods->xFileControl(real(f), op, arg);
    },
    [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    [](sqlite3_file* f, int region, int size, int extend, void volatile** out) {
      return real(f)->pMethods->xShmMap(real(f), region, size, extend, out);
    },
    [](sqlite3_file* f, int offset, int n, int flags) {
      return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
    },
    [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
    [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
    nullptr,
    nullptr};

/// The methods of version 1 have none for shared memory.
const sqlite3_io_methods kMethodsWithoutShm = [] {
  sqlite3_io_methods methods = kMethods;
  methods.iVersion = 1;
  return methods;
}();

sqlite3_vfs* g_real = nullptr;
sqlite3_vfs g_faulty;

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  auto* mine = reinterpret_cast<File*>(file);
  mine->base.pMethods = nullptr;
  mine->flags = flags;
  const int code = g_real->xOpen(g_real, name, mine->real(), flags, out);
  if (code == SQLITE_OK) {
    mine->base.pMethods = FaultyDisk::no_shared_memory ? &kMethodsWithoutShm : &kMethods;
  }
  return code;
}

}  // namespace

FaultyDisk::FaultyDisk() {
  full = false;
  no_shared_memory = false;
  failing_syncs = 0;
  writes_to_live = 0;
  g_real = sqlite3_vfs_find(nullptr);
  g_faulty = *g_real;
  g_faulty.zName = "faulty";
  g_faulty.szOsFile = static_cast<int>(sizeof(File)) + g_real->szOsFile;
  g_faulty.xOpen = open;
  sqlite3_vfs_register(&g_faulty, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&g_faulty);
  sqlite3_vfs_register(g_real, 1);
}

}  // namespace host::sqlite_tests
