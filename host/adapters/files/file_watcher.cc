#include "host/adapters/files/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "host/adapters/files/descriptor.h"
#include "host/adapters/files/read_file.h"

namespace host::files {
namespace {

using Steady = std::chrono::steady_clock;
/// Of a file that cannot be read: no value.
using Contents = std::map<std::string, std::optional<std::uint64_t>>;

std::optional<std::uint64_t> hash_now(const std::string& path) {
  const Result<std::string> bytes = read_file(path);
  if (!bytes) return std::nullopt;
  return content_hash(*bytes);
}

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

/// inotify on the folders of the files. Only on the watcher's thread.
class Folders {
 public:
  explicit Folders(bool use) : fd_(use ? ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1) {}

  int fd() const { return fd_.get(); }

  void replace(const Contents& files) {
    names_.clear();
    std::set<std::string> wanted;
    for (const auto& [path, unused] : files) {
      const auto [folder, name] = split(path);
      wanted.insert(folder);
      names_.insert(name);
    }
    for (auto it = folders_.begin(); it != folders_.end();) {
      if (wanted.erase(it->first) > 0) {
        ++it;
      } else {
        ::inotify_rm_watch(fd_.get(), it->second);
        it = folders_.erase(it);
      }
    }
    missing_ = std::move(wanted);
    add_missing();
  }

  /// A folder that is not there, or no longer, is tried again with every poll.
  void add_missing() {
    if (fd_.get() < 0) return;
    // Not IN_MODIFY: a file is whole when it is closed, and a database beside it writes all day.
    constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                      IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
    for (auto it = missing_.begin(); it != missing_.end();) {
      const int watch = ::inotify_add_watch(fd_.get(), it->c_str(), kEvents);
      if (watch < 0) {
        ++it;
        continue;
      }
      folders_.emplace(*it, watch);
      it = missing_.erase(it);
    }
  }

  /// Reads all events; whether one may concern us.
  bool read_events() {
    bool ours = false;
    alignas(inotify_event) char bytes[16 * 1024];
    for (;;) {
      const ssize_t n = ::read(fd_.get(), bytes, sizeof bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return ours;
      for (const char* at = bytes; at < bytes + n;) {
        inotify_event event;
        std::memcpy(&event, at, sizeof event);
        const char* name = at + sizeof event;
        if ((event.mask & (IN_IGNORED | IN_MOVE_SELF)) != 0) forget(event.wd);
        ours = ours || event.len == 0 || names_.count(name) > 0;
        at += sizeof event + event.len;
      }
    }
  }

 private:
  void forget(int watch) {
    for (auto it = folders_.begin(); it != folders_.end(); ++it) {
      if (it->second != watch) continue;
      missing_.insert(it->first);
      folders_.erase(it);
      ::inotify_rm_watch(fd_.get(), watch);
      return;
    }
  }

  Descriptor fd_;
  std::map<std::string, int> folders_;
  std::set<std::string> missing_;
  std::set<std::string> names_;
};

}  // namespace

std::uint64_t content_hash(std::string_view bytes) {
  std::uint64_t hash =
      14695981039346656037ull;  // FNV-1a; an accident is what it must tell, no enemy
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
  return hash;
}

class FileWatcher::Impl : public std::enable_shared_from_this<FileWatcher::Impl> {
 public:
  Impl(Executor& executor, Callback changed, WatcherSettings settings)
      : executor_(executor),
        changed_(std::move(changed)),
        settings_(settings),
        wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  void watch(std::vector<WatchedFile> files) {
    std::map<std::string, std::optional<std::uint64_t>> wanted;
    for (WatchedFile& file : files) {
      // Read here and not on the thread: what its owner sees after this call counts as a change.
      if (!file.seen && !is_known(file.path)) file.seen = hash_now(file.path);
      wanted.insert_or_assign(std::move(file.path), file.seen);
    }
    {
      const std::lock_guard lock(mutex_);
      if (wanted_) {  // an earlier set that the thread has not taken
        for (auto& [path, seen] : wanted) {
          const auto old = wanted_->find(path);
          if (!seen && old != wanted_->end()) seen = old->second;
        }
      }
      wanted_ = std::move(wanted);
      names_.clear();
      for (const auto& [path, unused] : *wanted_) names_.insert(path);
    }
    wake();
  }

  void stop() {
    stopping_ = true;
    wake();
    const std::lock_guard lock(join_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  bool is_known(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return names_.count(path) > 0;
  }

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
  }

  void run() {
    Folders folders(settings_.inotify);
    Steady::time_point next_poll = Steady::now() + settings_.poll;
    while (!stopping_) {
      const bool event = wait(folders, next_poll);
      if (stopping_) return;
      const bool replaced = take_wanted();
      if (replaced) folders.replace(known_);
      const Steady::time_point now = Steady::now();
      if (now >= next_poll) {
        folders.add_missing();
        next_poll = now + settings_.poll;
      } else if (!event && !replaced && !(unsettled() && now >= quiet_at_)) {
        continue;
      }
      look(now, event);
    }
  }

  bool unsettled() const { return current_ != known_; }

  /// Until something may have changed. True: because of an event in a folder.
  bool wait(Folders& folders, Steady::time_point next_poll) {
    Steady::time_point until = next_poll;
    if (unsettled()) until = std::min(until, quiet_at_);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now()).count();
    pollfd fds[] = {{wake_.get(), POLLIN, 0}, {folders.fd(), POLLIN, 0}};
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    if (::poll(fds, 2, timeout) <= 0) return false;
    if ((fds[0].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t n = ::read(wake_.get(), &count, sizeof count);
    }
    return (fds[1].revents & POLLIN) != 0 && folders.read_events();
  }

  bool take_wanted() {
    const std::lock_guard lock(mutex_);
    if (!wanted_) return false;
    Contents known;
    for (const auto& [path, seen] : *wanted_) {
      const auto old = known_.find(path);
      known[path] = seen || old == known_.end() ? seen : old->second;
    }
    known_ = std::move(known);
    current_ = known_;
    quiet_at_ = Steady::now();
    wanted_.reset();
    return true;
  }

  /// Reads the files; reports what differs from before once nothing has moved for a while, since
  /// an editor may be in the middle of writing.
  void look(Steady::time_point now, bool event) {
    Contents found;
    for (const auto& [path, unused] : known_) found[path] = hash_now(path);
    if (!unsettled()) restless_since_ = now;
    if (found != current_ || (event && found != known_)) {
      // What never rests is reported all the same, now and then.
      quiet_at_ = std::min(now, restless_since_ + 10 * settings_.debounce) + settings_.debounce;
    }
    current_ = std::move(found);
    if (!unsettled() || now < quiet_at_) return;
    std::vector<std::string> changed;
    for (const auto& [path, hash] : current_) {
      if (known_[path] != hash) changed.push_back(path);
    }
    known_ = current_;
    report(std::move(changed));
  }

  void report(std::vector<std::string> changed) {
    executor_.post([self = shared_from_this(), paths = std::move(changed)]() mutable {
      if (!self->stopping_) self->changed_(std::move(paths));
    });
  }

  Executor& executor_;
  Callback changed_;  // on the executor only
  const WatcherSettings settings_;
  Descriptor wake_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::optional<Contents> wanted_;  // guarded by mutex_; not yet taken by the thread
  std::set<std::string> names_;     // guarded by mutex_; of the last watch()
  // On the thread only.
  Contents known_;                       // as reported
  Contents current_;                     // as last read
  Steady::time_point quiet_at_{};        // a report is due if nothing moves before
  Steady::time_point restless_since_{};  // of the first change that is not reported
  std::mutex join_;
  std::thread thread_;  // guarded by join_
};

FileWatcher::FileWatcher(Executor& executor, Callback changed, WatcherSettings settings)
    : impl_(std::make_shared<Impl>(executor, std::move(changed), settings)) {
  impl_->start();
}
FileWatcher::~FileWatcher() { impl_->stop(); }
void FileWatcher::watch(std::vector<WatchedFile> files) { impl_->watch(std::move(files)); }
void FileWatcher::stop() { impl_->stop(); }

}  // namespace host::files
