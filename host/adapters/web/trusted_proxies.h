#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/core/message.h"

namespace host::web {

/// The networks of proxies whose word about their clients is taken. Immutable, thread-safe.
class TrustedProxies {
 public:
  /// Each "10.0.0.0/8", "2001:db8::/32", or one address. Error: invalid, naming which.
  static Result<TrustedProxies> parse(const std::vector<std::string>& networks);

  bool trusts(std::string_view address) const;
  /// The client of a request that came from `peer`. Only a trusted peer is believed: each proxy
  /// adds to the right of X-Forwarded-For whom it heard, so the first from the right that is no
  /// trusted proxy is the client; what stands left of it, anybody may have written. Where an entry
  /// is no address, the proxy that passed it on counts as the client.
  std::string client_of(const std::string& peer, const Headers& headers) const;

 private:
  using Bytes = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d
  struct Network {
    Bytes first{};
    int bits = 128;
  };
  static bool read_address(std::string_view text, Bytes& out);
  static Result<Network> read_network(const std::string& text);
  bool trusts(const Bytes& address) const;

  std::vector<Network> networks_;
};

}  // namespace host::web
