#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/base/executor.h"
#include "host/base/result.h"

namespace host::ports {

/// An open file: what was opened is read, whatever happens to its name.
class StaticFile {
 public:
  virtual ~StaticFile() = default;
  virtual std::uint64_t size() const = 0;
  /// Another one when the content is another one: of size and time of the last change.
  virtual const std::string& version() const = 0;
};

/// Files below a folder, for routes that serve them. Thread-safe. Callbacks arrive on the executor
/// that was given, each exactly once, never inside the call; after a stop with `unavailable`.
class StaticFiles {
 public:
  virtual ~StaticFiles() = default;

  struct Wanted {
    std::string folder;
    std::vector<std::string> paths;      // relative, with "/": the first that is there
    std::vector<std::string> encodings;  // "br", "gzip": a sibling .br or .gz may take its place
  };
  struct Found {
    std::shared_ptr<const StaticFile> file;
    std::size_t which = 0;  // index into `paths`
    std::string encoding;   // of `file`; "": as it is
  };
  /// A path that leads out of the folder, also through a link, is not there; nor is what is no
  /// plain file. A sibling that is older than its file is passed over. Errors: not_found,
  /// unavailable (no permission, too many open files).
  virtual void open(Wanted wanted, Executor& executor,
                    UniqueFunction<void(Result<Found>)> callback) = 0;
  /// `n` bytes from `offset` on. Errors: unavailable (it became shorter; input or output).
  virtual void read(std::shared_ptr<const StaticFile> file, std::uint64_t offset, std::size_t n,
                    Executor& executor, UniqueFunction<void(Result<std::string>)> callback) = 0;
};

}  // namespace host::ports
