#include "host/adapters/files/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/adapters/files/descriptor.h"

namespace host::files {
namespace {

Error cannot_read(const std::string& path, int code) {
  const Error::Code kind = code == ENOENT || code == ENOTDIR ? Error::Code::not_found
                           : code == EISDIR || code == ELOOP ? Error::Code::invalid
                                                             : Error::Code::unavailable;
  return make_error(kind, "cannot read " + path + ": " + std::strerror(code));
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  // Not blocking, so that a pipe of that name cannot hold us.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return cannot_read(path, errno);
  struct stat about = {};
  if (::fstat(fd.get(), &about) != 0) return cannot_read(path, errno);
  if (S_ISDIR(about.st_mode)) return cannot_read(path, EISDIR);
  if (!S_ISREG(about.st_mode)) {
    return make_error(Error::Code::invalid, "cannot read " + path + ": not a regular file");
  }
  std::string text;
  char bytes[64 * 1024];
  for (;;) {
    const ssize_t n = ::read(fd.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot_read(path, errno);
    if (n == 0) return text;
    text.append(bytes, static_cast<std::size_t>(n));
    if (text.size() > kMaxFile) {
      return make_error(Error::Code::exhausted, "cannot read " + path + ": longer than 16 MB");
    }
  }
}

}  // namespace host::files
