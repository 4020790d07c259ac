#pragma once

#include <memory>
#include <string>

struct sqlite3;
namespace soci {
class session;
}

namespace host::sqlite {

/// One SOCI session on the data file. SOCI owns connecting, the schema and the host's occasional
/// statements; native() is the same connection for what SOCI changes or slows down: the commit
/// path, BLOBs and plugin SQL. Not thread-safe: one thread at a time.
class Session {
 public:
  /// `path` may be ":memory:". Throws SqlFailure.
  explicit Session(const std::string& path);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  sqlite3* native() const { return native_; }

  /// Throw SqlFailure.
  void run(const std::string& sql);
  long long number(const std::string& sql);
  std::string text(const std::string& sql);

 private:
  std::unique_ptr<soci::session> soci_;
  sqlite3* native_ = nullptr;
};

}  // namespace host::sqlite
