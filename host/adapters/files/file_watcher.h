#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/executor.h"
#include "host/base/time.h"
#include "host/base/unique_function.h"

namespace host::files {

/// What a file's bytes are compared by.
std::uint64_t content_hash(std::string_view bytes);

struct WatchedFile {
  std::string path;
  /// content_hash() of what its owner has read, so that no change between reading and watching is
  /// missed. Without it, what is there when watching begins counts as known.
  std::optional<std::uint64_t> seen = {};
};

struct WatcherSettings {
  Duration poll = std::chrono::seconds(1);
  Duration debounce = std::chrono::milliseconds(100);  // without a further change before a report
  bool inotify = true;                                 // false: polls only
};

/// Tells which of a set of files have other contents than before. The folders of the files are
/// watched (inotify), so that a save by renaming is seen at once; and the contents are hashed every
/// second, which sees what inotify does not: swapped links of mounted volumes, network folders.
/// A file that is gone, or cannot be read, counts as changed, and so does its return. A file that
/// changes and changes back within the debounce is not reported.
///
/// Lives from its construction to stop(); has one thread of its own. Thread-safe.
class FileWatcher {
 public:
  using Callback = UniqueFunction<void(std::vector<std::string> changed)>;

  /// `changed` runs on `executor`, with the paths as they were given to watch(). The executor
  /// outlives the watcher.
  FileWatcher(Executor& executor, Callback changed, WatcherSettings settings = {});
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  /// Replaces the set of files. A file that was in the old set and has no `seen` keeps what was
  /// known of it.
  void watch(std::vector<WatchedFile> files);
  /// Ends the thread and waits for it. Called on the executor (or when it no longer runs), no
  /// callback comes after it. May be called again.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace host::files
