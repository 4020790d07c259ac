#include "host/app/tls_files.h"

#include "host/adapters/files/read_file.h"

namespace host::app {
namespace {

constexpr Duration kWarnBefore = std::chrono::hours(24 * 14);
constexpr Duration kWarnAgain = std::chrono::hours(24);

}  // namespace

Result<TlsFiles::Read> TlsFiles::read(const TlsFilePaths& paths) {
  Result<std::string> certificate = files::read_file(paths.certificate);
  if (!certificate) return certificate.error();
  Result<std::string> key = files::read_file(paths.key);
  if (!key) return key.error();
  auto credentials = web::TlsCredentials::make(*certificate, *key);
  if (!credentials) {
    Error error = credentials.error();
    error.message = paths.certificate + " and " + paths.key + ": " + error.message;
    return error;
  }
  return Read{.credentials = std::move(*credentials),
              .files = {{paths.certificate, files::content_hash(*certificate)},
                        {paths.key, files::content_hash(*key)}}};
}

Result<std::unique_ptr<TlsFiles>> TlsFiles::open(TlsFilePaths paths, std::string listener,
                                                 Executor& control, const ports::Clock& clock,
                                                 ports::Logger& logger) {
  Result<Read> first = read(paths);
  if (!first) return first.error();
  std::unique_ptr<TlsFiles> files(new TlsFiles(std::move(paths), std::move(listener), control,
                                               clock, logger, std::move(*first)));
  files->warn_of_end();
  return files;
}

void TlsFiles::warn_of_end() {
  const Time now = clock_.now();
  const Time end = not_after();
  const bool ended = end <= now;
  if (end - now > kWarnBefore) return;
  const bool told = warned_ && warned_of_ == end && warned_ended_ == ended;
  if (told && now - *warned_ < kWarnAgain) return;
  warned_ = now;
  warned_of_ = end;
  warned_ended_ = ended;
  logger_.log(ports::LogLevel::warn,
              ended ? "the TLS certificate has expired, clients will refuse it"
                    : "the TLS certificate ends soon: renew it, it is taken without a restart",
              {{"listener", listener_},
               {"file", paths_.certificate},
               {ended ? "ended" : "ends", format_time(end)}});
}

TlsFiles::TlsFiles(TlsFilePaths paths, std::string listener, Executor& control,
                   const ports::Clock& clock, ports::Logger& logger, Read first)
    : paths_(std::move(paths)),
      listener_(std::move(listener)),
      clock_(clock),
      logger_(logger),
      identity_(std::make_shared<web::TlsIdentity>(std::move(first.credentials))),
      watcher_(control, [this](const std::vector<std::string>&) { renew(); }) {
  watcher_.watch(std::move(first.files));
}

void TlsFiles::renew() {
  Result<Read> next = read(paths_);
  if (next && next->credentials->not_after() <= clock_.now()) {
    next = make_error(Error::Code::invalid, paths_.certificate + " has expired on " +
                                                format_time(next->credentials->not_after()));
  }
  if (!next) {
    logger_.log(ports::LogLevel::warn, "the new TLS certificate is not taken, the old one stays",
                {{"listener", listener_}, {"error", next.error().to_string()}});
    return;
  }
  const Time until = next->credentials->not_after();
  identity_->replace(std::move(next->credentials));
  logger_.log(ports::LogLevel::info, "a new TLS certificate is served",
              {{"listener", listener_}, {"until", format_time(until)}});
}

}  // namespace host::app
