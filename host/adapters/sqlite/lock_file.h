#pragma once

#include <filesystem>
#include <string>

#include "host/base/result.h"

namespace host::sqlite {

/// `DIR/host.lock`: whoever holds it owns the folder's data file. The lock ends with the process,
/// however it ends; the file stays and says who had it last. One thread at a time.
class LockFile {
 public:
  /// Makes the folder if it is missing. Errors: conflict (held; names the holder's pid and admin
  /// address), unavailable (folder or file cannot be written).
  static Result<LockFile> take(const std::filesystem::path& dir, const std::string& admin);

  LockFile() = default;
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  ~LockFile();

  /// Writes pid and admin address, for whoever comes second.
  void describe(const std::string& admin);

 private:
  explicit LockFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace host::sqlite
