#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/adapters/files/file_watcher.h"
#include "host/adapters/files/static_folder.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/adapters/tokens/bearer_tokens.h"
#include "host/adapters/web/server.h"
#include "host/app/admin.h"
#include "host/app/api_docs.h"
#include "host/app/backends.h"
#include "host/app/control_loop.h"
#include "host/app/readiness.h"
#include "host/app/run_settings.h"
#include "host/app/scripts.h"
#include "host/app/system_ports.h"
#include "host/app/tls_files.h"
#include "host/app/waiting_page.h"
#include "host/runtime/asks.h"
#include "host/runtime/reloader.h"
#include "host/runtime/runtime.h"
#include "host/script/watchdog.h"

namespace host::app {

/// A host that runs: the composition root. open() makes everything, serve() runs it until it is
/// asked to stop; both and the destructor on the control thread.
class HostProcess {
 public:
  /// What lives longer than the process' other parts, and what loads scripts.
  struct Parts {
    const RunSettings& settings;
    ControlLoop& control;
    ports::Logger& logger;
    telemetry::PrometheusMetrics& metrics;
    const script::Watchdog& watchdog;
    Scripts::Load load;
    std::function<Problems(const std::shared_ptr<const ports::Revision>&)> smoke;
  };

  explicit HostProcess(Parts parts);
  ~HostProcess();
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  /// Everything up to the listeners; waits for servers that are away. The Exit says why it cannot
  /// run, or that it was asked to stop before it could.
  std::optional<Exit> open();
  /// Serves until the control loop quits; 0.
  int serve();
  /// On the control thread.
  void reload_all();

 private:
  std::optional<Exit> open_backends();
  std::optional<Exit> open_addresses();
  std::optional<Exit> make_runtime();
  std::optional<Exit> check_plugins_together();
  std::optional<Exit> load_plugins();
  runtime::Reloader::Answer start_plugin(const std::string& file);
  std::optional<Exit> listen();
  std::optional<Exit> listen_admin();
  bool wait_for_servers(const std::string& why);
  void serve_waiting_page();
  void announce();
  void warn_of_openness();
  void tick();
  void wait_until_begun();
  void drain_servers(Duration within);
  void shut_down();
  std::string metrics_text();
  runtime::Reloader::Parts reloader_parts();
  const ports::Authenticator* authenticator() const { return tokens_ ? &*tokens_ : nullptr; }

  const Parts parts_;
  const RunSettings& settings_;
  SystemClock clock_;
  SystemChance chance_;
  runtime::Asks asks_;
  files::StaticFolder files_;
  const std::optional<tokens::BearerTokens> tokens_;  // nothing: no `auth`
  Scripts scripts_;
  ApiDocs docs_;
  std::unique_ptr<Backends> backends_;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::unique_ptr<files::FileWatcher> watcher_;
  std::unique_ptr<runtime::Reloader> reloader_;
  std::vector<std::shared_ptr<const ports::Revision>> revisions_;  // of the start
  std::shared_ptr<web::Address> address_, admin_address_;
  std::unique_ptr<TlsFiles> tls_, admin_tls_;  // null: without TLS
  /// What is served until servers that the start needs are there.
  struct Waiting {
    WaitingPage page;
    std::string why;
    runtime::Lane lane{0};
    std::vector<std::unique_ptr<web::Server>> servers;
    ~Waiting() { lane.stop(); }
  };
  std::unique_ptr<Waiting> waiting_;
  bool log_refused_ = false;                      // the topics of the plugin that starts
  std::vector<std::unique_ptr<web::Cors>> cors_;  // one a lane; none without `cors`
  runtime::Lane admin_lane_;
  std::unique_ptr<Admin> admin_;
  std::vector<std::unique_ptr<web::Server>> servers_;  // one a lane
  std::unique_ptr<web::Server> admin_server_;
};

}  // namespace host::app
