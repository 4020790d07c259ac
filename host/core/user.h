#pragma once

#include <string>
#include <vector>

namespace host {

/// Who sent a request: what a verified token says.
struct User {
  std::string subject;             // "": nobody is named
  std::vector<std::string> roles;  // granted by the token
  bool every_role = false;         // nobody is asked: a loopback listener without `auth`

  bool named() const { return !subject.empty(); }
  bool has(const std::string& role) const {
    if (every_role) return true;
    for (const std::string& each : roles) {
      if (each == role) return true;
    }
    return false;
  }
};

}  // namespace host
