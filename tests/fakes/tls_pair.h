#pragma once

#include <string>

namespace host::fakes {

/// A self-signed certificate and its key, PEM, made on the spot.
struct TlsPair {
  std::string certificate;
  std::string key;
};
/// For 127.0.0.1 and `name`, from an hour ago until `hours` from now.
TlsPair make_tls_pair(const std::string& name, int hours = 24);

}  // namespace host::fakes
