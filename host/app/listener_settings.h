#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/adapters/web/cors.h"
#include "host/adapters/web/trusted_proxies.h"
#include "host/app/table_reader.h"

namespace host::app {

/// Two PEM files, as they can be opened from here.
struct TlsFilePaths {
  std::string certificate;
  std::string key;
};

/// How listeners meet the world, beside their addresses.
struct ListenerSettings {
  std::shared_ptr<const web::TrustedProxies> proxies;  // null: none is trusted
  std::optional<web::CorsSettings> cors;               // nothing: pages of other sites may not ask
  std::optional<TlsFilePaths> tls;                     // of the listener of routes
  std::optional<TlsFilePaths> admin_tls;
};

/// Fields of a deployment file; problems go to `reader`.
///   trusted_proxies = { "10.0.0.0/8" }
///   cors = { origins = { "https://app.example" } or "*", credentials, expose = { "X-A" }, max_age
///   } tls = { cert = "PATH", key = "PATH" }, also admin_tls
void read_trusted_proxies(TableReader& reader, const TableReader::Path& at,
                          const nlohmann::json& value, ListenerSettings& out);
void read_cors(TableReader& reader, const TableReader::Path& at, const nlohmann::json& value,
               ListenerSettings& out);
std::optional<TlsFilePaths> read_tls(TableReader& reader, const TableReader::Path& at,
                                     const nlohmann::json& value);

}  // namespace host::app
