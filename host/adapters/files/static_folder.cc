#include "host/adapters/files/static_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "host/adapters/files/descriptor.h"

namespace host::files {
namespace {

class OpenFile final : public ports::StaticFile {
 public:
  OpenFile(int fd, const struct stat& about) : fd_(fd) {
    size_ = static_cast<std::uint64_t>(about.st_size);
    changed_ = about.st_mtim;
    version_ = std::to_string(about.st_mtim.tv_sec) + "." + std::to_string(about.st_mtim.tv_nsec) +
               "-" + std::to_string(size_);
  }
  std::uint64_t size() const override { return size_; }
  const std::string& version() const override { return version_; }
  int fd() const { return fd_.get(); }
  bool older_than(const OpenFile& other) const { return changed_.tv_sec < other.changed_.tv_sec; }

 private:
  Descriptor fd_;
  std::uint64_t size_ = 0;
  timespec changed_{};
  std::string version_;
};

Error cannot_open(const std::string& path) {
  return retryable_error(Error::Code::unavailable, "opening " + path + ": " + std::strerror(errno));
}

/// Where an open file lies in truth, links resolved.
std::string place_of(int fd) {
  char place[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t n = ::readlink(link.c_str(), place, sizeof place);
  return n > 0 ? std::string(place, static_cast<std::size_t>(n)) : "";
}

/// Null: there is no such file in the folder. What was opened is judged, not its name, so nothing
/// can be exchanged between the look and the opening.
Result<std::shared_ptr<const OpenFile>> open_in(const std::string& root, const std::string& path) {
  const std::string name = root + "/" + path;
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
                         errno == ENAMETOOLONG || errno == ENXIO;
    if (missing) return std::shared_ptr<const OpenFile>();
    return cannot_open(name);
  }
  struct stat about {};
  const bool known = ::fstat(fd, &about) == 0;
  auto file = std::make_shared<const OpenFile>(fd, about);
  const bool inside = place_of(fd).starts_with(root + "/");
  if (!known || !S_ISREG(about.st_mode) || !inside) return std::shared_ptr<const OpenFile>();
  return file;
}

/// "" when there is no such folder.
std::string true_path(const std::string& folder) {
  char* const found = ::realpath(folder.c_str(), nullptr);
  const std::string out = found != nullptr ? found : "";
  std::free(found);
  return out;
}

Result<ports::StaticFiles::Found> find(const ports::StaticFiles::Wanted& wanted) {
  const std::string root = true_path(wanted.folder);
  for (std::size_t i = 0; !root.empty() && i < wanted.paths.size(); ++i) {
    auto plain = open_in(root, wanted.paths[i]);
    if (!plain) return plain.error();
    if (!*plain) continue;
    for (const std::string& encoding : wanted.encodings) {
      auto packed = open_in(root, wanted.paths[i] + (encoding == "gzip" ? ".gz" : "." + encoding));
      if (!packed || !*packed || (*packed)->older_than(**plain)) continue;
      return ports::StaticFiles::Found{std::move(*packed), i, encoding};
    }
    return ports::StaticFiles::Found{std::move(*plain), i, ""};
  }
  return make_error(Error::Code::not_found, "there is no such file");
}

Result<std::string> read_part(const ports::StaticFile& file, std::uint64_t offset, std::size_t n) {
  const int fd = dynamic_cast<const OpenFile&>(file).fd();
  std::string out(n, '\0');
  for (std::size_t done = 0; done < n;) {
    const ssize_t got = ::pread(fd, out.data() + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_open(place_of(fd));
    if (got == 0) {
      return make_error(Error::Code::unavailable, place_of(fd) + " became shorter");
    }
    done += static_cast<std::size_t>(got);
  }
  return out;
}

Error stopped_error() { return retryable_error(Error::Code::unavailable, "the host is stopping"); }

}  // namespace

StaticFolder::StaticFolder() = default;
StaticFolder::~StaticFolder() { stop(); }

void StaticFolder::open(Wanted wanted, Executor& executor,
                        UniqueFunction<void(Result<Found>)> callback) {
  submit([wanted = std::move(wanted), &executor,
          callback = std::move(callback)](bool stopped) mutable {
    Result<Found> found = stopped ? Result<Found>(stopped_error()) : find(wanted);
    executor.post([found = std::move(found), callback = std::move(callback)]() mutable {
      callback(std::move(found));
    });
  });
}

void StaticFolder::read(std::shared_ptr<const ports::StaticFile> file, std::uint64_t offset,
                        std::size_t n, Executor& executor,
                        UniqueFunction<void(Result<std::string>)> callback) {
  submit([file = std::move(file), offset, n, &executor,
          callback = std::move(callback)](bool stopped) mutable {
    Result<std::string> part =
        stopped ? Result<std::string>(stopped_error()) : read_part(*file, offset, n);
    executor.post([part = std::move(part), callback = std::move(callback)]() mutable {
      callback(std::move(part));
    });
  });
}

void StaticFolder::submit(UniqueFunction<void(bool)> job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      jobs_.push_back(std::move(job));
      if (!begun_) thread_ = std::thread([this] { loop(); });
      begun_ = true;
      wake_.notify_one();
      return;
    }
  }
  job(true);
}

void StaticFolder::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void StaticFolder::loop() {
  while (true) {
    UniqueFunction<void(bool)> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(false);
  }
}

}  // namespace host::files
