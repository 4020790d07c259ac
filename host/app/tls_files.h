#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/adapters/files/file_watcher.h"
#include "host/adapters/web/tls.h"
#include "host/app/listener_settings.h"
#include "host/ports/clock.h"
#include "host/ports/logger.h"

namespace host::app {

/// The certificate of one listener, from files that are watched: a new pair is served to new
/// connections as soon as both files fit together; until then, and when they never do, the old one
/// stays and a warning says why. Made and stopped on the control thread.
class TlsFiles {
 public:
  /// `listener` names it in log lines. Clock, logger and executor outlive it. Errors: those of
  /// reading the files, invalid for what is in them; the message names the file.
  static Result<std::unique_ptr<TlsFiles>> open(TlsFilePaths paths, std::string listener,
                                                Executor& control, const ports::Clock& clock,
                                                ports::Logger& logger);

  std::shared_ptr<web::TlsIdentity> identity() const { return identity_; }
  /// When the certificate that is served ends.
  Time not_after() const { return identity_->current()->not_after(); }
  /// From 14 days before that on, one warning a day, and when it has ended one at once. To be
  /// called every now and then; open() has done it.
  void warn_of_end();
  void stop() { watcher_.stop(); }

 private:
  struct Read {
    std::shared_ptr<const web::TlsCredentials> credentials;
    std::vector<files::WatchedFile> files;
  };
  TlsFiles(TlsFilePaths paths, std::string listener, Executor& control, const ports::Clock& clock,
           ports::Logger& logger, Read first);
  static Result<Read> read(const TlsFilePaths& paths);
  void renew();

  const TlsFilePaths paths_;
  const std::string listener_;
  const ports::Clock& clock_;
  ports::Logger& logger_;
  const std::shared_ptr<web::TlsIdentity> identity_;
  std::optional<Time> warned_;  // of the certificate that ends at warned_of_
  Time warned_of_{};
  bool warned_ended_ = false;
  files::FileWatcher watcher_;
};

}  // namespace host::app
