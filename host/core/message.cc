#include "host/core/message.h"

#include <charconv>

namespace host {

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

void set_header(Headers& headers, std::string_view name, std::string value) {
  for (auto& [key, old] : headers) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  headers.emplace_back(name, std::move(value));
}

std::string Origin::to_string() const {
  return stream + "/" + std::to_string(position.epoch) + "-" + std::to_string(position.seq);
}

std::optional<Origin> parse_origin(const Headers& headers) {
  const std::string* text = find_header(headers, header::kOrigin);
  if (text == nullptr) return std::nullopt;
  const std::size_t slash = text->rfind('/');
  const std::size_t dash = text->rfind('-');
  if (slash == std::string::npos || dash == std::string::npos || dash < slash) return std::nullopt;
  if (slash == 0) return std::nullopt;
  Origin origin{.stream = text->substr(0, slash), .position = {}};
  const char* data = text->data();
  const auto epoch = std::from_chars(data + slash + 1, data + dash, origin.position.epoch);
  const auto seq = std::from_chars(data + dash + 1, data + text->size(), origin.position.seq);
  if (epoch.ec != std::errc{} || epoch.ptr != data + dash) return std::nullopt;
  if (seq.ec != std::errc{} || seq.ptr != data + text->size()) return std::nullopt;
  if (origin.position.epoch < 0 || origin.position.seq < 0) return std::nullopt;
  return origin;
}

Headers carried_headers(const Message& message) {
  const std::string* correlation = find_header(message.headers, header::kCorrelation);
  Headers carried;
  carried.reserve(5);  // its id, origin and revision mostly come to it
  carried.emplace_back(header::kCorrelation, correlation != nullptr ? *correlation : message.id);
  if (const std::string* trace = find_header(message.headers, header::kTrace)) {
    carried.emplace_back(header::kTrace, *trace);
  }
  return carried;
}

}  // namespace host
