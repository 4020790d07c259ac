#include "host/adapters/web/trusted_proxies.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace host::web {
namespace {

constexpr int kMapped = 96;  // bits before an IPv4 address

Error refused(const std::string& network, const std::string& why, const std::string& hint) {
  return make_error(Error::Code::invalid, "\"" + network + "\" " + why, hint);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// "1.2.3.4", "1.2.3.4:567", "[::1]:80", "::1" without what is not the address.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    return end == std::string_view::npos ? text : text.substr(1, end - 1);
  }
  const std::size_t colon = text.find(':');
  const bool one = colon != std::string_view::npos && text.find(':', colon + 1) == text.npos;
  return one ? text.substr(0, colon) : text;
}

}  // namespace

bool TrustedProxies::read_address(std::string_view text, Bytes& out) {
  const std::string address(text);
  in_addr v4 = {};
  in6_addr v6 = {};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    out = {};
    out[10] = out[11] = 0xff;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&v4), 4, out.begin() + 12);
    return true;
  }
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return false;
  std::copy_n(v6.s6_addr, out.size(), out.begin());
  return true;
}

Result<TrustedProxies::Network> TrustedProxies::read_network(const std::string& text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view address = std::string_view(text).substr(0, slash);
  Network network;
  if (!read_address(address, network.first)) {
    return refused(text, "is no network", "such as 10.0.0.0/8 or 2001:db8::/32");
  }
  const int before = address.find(':') == std::string_view::npos ? kMapped : 0;
  if (slash < text.size()) {
    int bits = -1;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
    if (error != std::errc() || at != end || bits < 0 || bits > 128 - before) {
      return refused(text, "is no network", "behind the slash stands a number of bits");
    }
    network.bits = before + bits;
    if (bits == 0) {
      return refused(text, "is everybody: any client could then name itself any address",
                     "name the networks of the proxies");
    }
  }
  for (int bit = network.bits; bit < 128; ++bit) {
    if ((network.first[static_cast<std::size_t>(bit) / 8] >> (7 - bit % 8) & 1) == 0) continue;
    return refused(text, "has bits behind its network", "such as 10.0.0.0/8, or one address");
  }
  return network;
}

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies out;
  for (const std::string& text : networks) {
    Result<Network> network = read_network(text);
    if (!network) return network.error();
    out.networks_.push_back(*network);
  }
  return out;
}

bool TrustedProxies::trusts(const Bytes& address) const {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    const auto whole = static_cast<std::size_t>(network.bits) / 8;
    const int rest = network.bits % 8;
    if (!std::equal(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(whole),
                    network.first.begin())) {
      return false;
    }
    return rest == 0 || (address[whole] ^ network.first[whole]) >> (8 - rest) == 0;
  });
}

bool TrustedProxies::trusts(std::string_view address) const {
  Bytes bytes{};
  return read_address(address, bytes) && trusts(bytes);
}

std::string TrustedProxies::client_of(const std::string& peer, const Headers& headers) const {
  std::string client = peer;
  if (!trusts(std::string_view(peer))) return client;
  // Several headers are one list, in their order.
  for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
    if (header->first != "x-forwarded-for") continue;
    std::string_view list = header->second;
    for (bool more = true; more;) {
      const std::size_t comma = list.rfind(',');
      more = comma != std::string_view::npos;
      const std::string_view entry = without_port(trimmed(more ? list.substr(comma + 1) : list));
      if (more) list = list.substr(0, comma);
      Bytes bytes{};
      if (!read_address(entry, bytes)) return client;
      client = std::string(entry);
      if (!trusts(bytes)) return client;
    }
  }
  return client;
}

}  // namespace host::web
