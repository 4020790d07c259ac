#include "host/base/result.h"

namespace host {

std::string Error::to_string() const {
  std::string out;
  if (!file.empty()) out += file + (line > 0 ? ":" + std::to_string(line) : "") + ": ";
  out += message;
  if (!hint.empty()) out += " (" + hint + ")";
  return out;
}

const char* to_string(Error::Code code) {
  switch (code) {
    case Error::Code::invalid:
      return "invalid";
    case Error::Code::not_found:
      return "not_found";
    case Error::Code::conflict:
      return "conflict";
    case Error::Code::fenced:
      return "fenced";
    case Error::Code::unavailable:
      return "unavailable";
    case Error::Code::timeout:
      return "timeout";
    case Error::Code::exhausted:
      return "exhausted";
    case Error::Code::corrupt:
      return "corrupt";
    case Error::Code::unsupported:
      return "unsupported";
    case Error::Code::script_error:
      return "script_error";
    case Error::Code::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace host
