#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "host/base/result.h"
#include "host/base/time.h"

struct ssl_ctx_st;

namespace host::web {

/// A certificate with its chain and its key, ready for connections: TLS 1.2 and 1.3, HTTP/1.1.
/// Immutable, thread-safe.
class TlsCredentials {
 public:
  /// PEM texts: the server's certificate and those that lead to its root, and its key without a
  /// passphrase. Error: invalid, saying what is wrong with which.
  static Result<std::shared_ptr<const TlsCredentials>> make(std::string_view certificates,
                                                            std::string_view key);
  ~TlsCredentials();
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  /// When the certificate ends.
  Time not_after() const { return not_after_; }
  ssl_ctx_st* context() const { return context_; }

 private:
  TlsCredentials(ssl_ctx_st* context, Time not_after) : context_(context), not_after_(not_after) {}
  ssl_ctx_st* const context_;
  const Time not_after_;
};

/// The credentials that new connections of a listener get; connections that are open keep theirs.
/// Thread-safe.
class TlsIdentity {
 public:
  explicit TlsIdentity(std::shared_ptr<const TlsCredentials> first) : current_(std::move(first)) {}

  std::shared_ptr<const TlsCredentials> current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }
  void replace(std::shared_ptr<const TlsCredentials> next) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(next);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsCredentials> current_;  // guarded by mutex_
};

}  // namespace host::web
