// How the process meets the world: its listeners, and what it says of them.
#include "host/app/host_process.h"
#include "host/app/topics.h"

namespace host::app {
namespace {

Exit cannot_listen(const char* option, const Error& error) {
  const int code = error.code == Error::Code::invalid ? kUsage : kCannotRun;
  return {code, std::string("host: ") + option + ": " + error.to_string() + "\n"};
}

std::string url(const web::Address& address, bool tls) {
  return (tls ? "https://" : "http://") + address.to_string();
}

/// An address that a client of this machine can use, of one that stands for all of them.
std::string reachable(std::string address) {
  for (const auto& [any, one] : {std::pair{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}}) {
    const std::size_t at = address.find(any);
    if (at != std::string::npos) address.replace(at, std::string_view(any).size(), one);
  }
  return address;
}

}  // namespace

/// Ports and certificates, before there is anything to serve: what is wrong with them is said at
/// once.
std::optional<Exit> HostProcess::open_addresses() {
  struct Listener {
    const char* option;
    const char* name;
    std::optional<std::string> where;
    const std::optional<TlsFilePaths>& files;
    std::shared_ptr<web::Address>& address;
    std::unique_ptr<TlsFiles>& tls;
  };
  const ListenerSettings& settings = settings_.listeners;
  for (const Listener& listener :
       {Listener{"--listen", "routes", settings_.listen, settings.tls, address_, tls_},
        {"--admin", "admin", settings_.admin, settings.admin_tls, admin_address_, admin_tls_}}) {
    if (!listener.where) continue;
    Result<std::shared_ptr<web::Address>> address = web::Address::reserve(*listener.where);
    if (!address) return cannot_listen(listener.option, address.error());
    listener.address = std::move(*address);
    if (!listener.files) continue;
    auto tls =
        TlsFiles::open(*listener.files, listener.name, parts_.control, clock_, parts_.logger);
    if (!tls) return cannot_run(tls.error());
    listener.tls = std::move(*tls);
  }
  return std::nullopt;
}

void HostProcess::serve_waiting_page() {
  for (const auto& [address, tls] :
       {std::pair{address_, tls_.get()}, {admin_address_, admin_tls_.get()}}) {
    if (!address) continue;
    web::ServerSettings settings{.logger = &parts_.logger};
    if (tls != nullptr) settings.tls = tls->identity();
    auto server = web::Server::listen(waiting_->lane.io(), address, waiting_->page, settings);
    if (!server) {
      parts_.logger.log(ports::LogLevel::warn, "nobody can be told that the host waits",
                        {{"error", server.error().to_string()}});
      continue;
    }
    waiting_->servers.push_back(std::move(*server));
  }
}

std::optional<Exit> HostProcess::listen() {
  const ListenerSettings& listeners = settings_.listeners;
  web::ServerSettings settings{.logger = &parts_.logger, .proxies = listeners.proxies};
  if (tls_) settings.tls = tls_->identity();
  for (int i = 0; i < runtime_->lanes(); ++i) {
    ports::HttpHandler* handler = &runtime_->gateway(i);
    if (listeners.cors) {
      cors_.push_back(std::make_unique<web::Cors>(*handler, *listeners.cors));
      handler = cors_.back().get();
    }
    auto server = web::Server::listen(runtime_->lane(i).io(), address_, *handler, settings);
    if (!server) return cannot_run(server.error());
    servers_.push_back(std::move(*server));
  }
  docs_.set_server(reachable(url(*address_, tls_ != nullptr)));
  return admin_address_ ? listen_admin() : std::nullopt;
}

std::optional<Exit> HostProcess::listen_admin() {
  web::ServerSettings settings{.logger = &parts_.logger};
  if (admin_tls_) settings.tls = admin_tls_->identity();
  const auto* guard = is_loopback(*settings_.admin) ? nullptr : authenticator();
  admin_ = std::make_unique<Admin>(Admin::Parts{.control = parts_.control,
                                                .lane = admin_lane_,
                                                .runtime = *runtime_,
                                                .reloader = *reloader_,
                                                .store = backends_->store(),
                                                .clock = clock_,
                                                .guard = AdminGuard(guard),
                                                .metrics = [this] { return metrics_text(); },
                                                .ready = [this] { return readiness_->answer(); },
                                                .docs = docs_});
  auto server = web::Server::listen(admin_lane_.io(), admin_address_, *admin_, settings);
  if (!server) return cannot_run(server.error());
  admin_server_ = std::move(*server);
  backends_->set_admin(admin_address_->to_string());
  return std::nullopt;
}

void HostProcess::announce() {
  std::string plugins;
  bool roles = false;
  for (const auto& revision : revisions_) {
    const Manifest& manifest = revision->manifest();
    const auto count = [](std::size_t n, const char* what) {
      return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
    };
    plugins += (plugins.empty() ? "" : ", ") + manifest.name + " (" +
               count(manifest.routes.size(), "route") + ", " + count(manifest.on.size(), "topic") +
               ")";
    roles = roles || demands_roles(manifest);
  }
  parts_.logger.log(
      ports::LogLevel::info,
      "serving " + plugins + " at " + url(*address_, tls_ != nullptr) + ", " + backends_->where() +
          (admin_address_ ? ", admin at " + url(*admin_address_, admin_tls_ != nullptr) : "") +
          ", " + std::to_string(settings_.lanes) + (settings_.lanes == 1 ? " lane" : " lanes"));
  warn_of_openness();
  if (!roles || settings_.auth) return;
  parts_.logger.log(ports::LogLevel::warn, "there is no `auth`: whoever reaches " +
                                               address_->to_string() +
                                               " on this machine is granted every role");
}

/// Tokens that leave this machine in the clear can be read on their way.
void HostProcess::warn_of_openness() {
  if (!settings_.auth) return;
  const auto warn = [&](const std::string& address, bool tls) {
    if (tls || is_loopback(address)) return;
    parts_.logger.log(ports::LogLevel::warn,
                      "tokens travel unencrypted to " + address +
                          ": give it TLS, or let only a proxy with TLS reach it");
  };
  warn(settings_.listen, tls_ != nullptr);
  if (settings_.admin) warn(*settings_.admin, admin_tls_ != nullptr);
}

}  // namespace host::app
