#include "host/adapters/sqlite/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace host::sqlite {
namespace {

std::string read_holder(int descriptor) {
  char text[256];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  std::string holder(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  for (char& c : holder) {
    if (c == '\n') c = ' ';
  }
  return holder.empty() ? "another process" : "the process with " + holder;
}

}  // namespace

Result<LockFile> LockFile::take(const std::filesystem::path& dir, const std::string& admin) {
  std::error_code failed;
  std::filesystem::create_directories(dir, failed);
  if (failed) {
    return make_error(Error::Code::unavailable,
                      "the data folder " + dir.string() + " cannot be made: " + failed.message(),
                      "choose another one with --data");
  }
  const std::string path = (dir / "host.lock").string();
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return make_error(Error::Code::unavailable,
                      path + " cannot be written: " + std::strerror(errno),
                      "the data folder must be writable, or choose another one with --data");
  }
  LockFile lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return make_error(
        Error::Code::conflict,
        "the data folder " + dir.string() + " is in use by " + read_holder(descriptor),
        "stop it, talk to its admin address, or choose another folder with --data");
  }
  lock.describe(admin);
  return lock;
}

LockFile::LockFile(LockFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

LockFile::~LockFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void LockFile::describe(const std::string& admin) {
  if (descriptor_ < 0) return;
  const std::string text =
      "pid " + std::to_string(::getpid()) + (admin.empty() ? "" : "\nadmin " + admin) + "\n";
  // Only a help for whoever is refused: the lock itself holds without it, on a full disk too.
  if (::pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) {
    [[maybe_unused]] const int cut = ::ftruncate(descriptor_, static_cast<off_t>(text.size()));
  }
}

}  // namespace host::sqlite
