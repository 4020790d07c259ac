#include "host/adapters/kafka/url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace host::kafka {
namespace {

constexpr std::string_view kScheme = "kafka://";
constexpr const char* kExample =
    "such as kafka://broker1:9092,broker2:9092?security.protocol=SSL&ssl.ca.location=/etc/ca.pem";

constexpr std::array<std::string_view, 6> kChoosable{
    "security.", "sasl.", "ssl.", "socket.", "broker.address.", "compression."};
constexpr std::array<std::string_view, 4> kChoosableNames{
    "client.id", "client.rack", "enable.ssl.certificate.verification", "linger.ms"};

bool choosable(std::string_view name) {
  return std::any_of(kChoosable.begin(), kChoosable.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); }) ||
         std::find(kChoosableNames.begin(), kChoosableNames.end(), name) != kChoosableNames.end();
}

Error unreadable(const std::string& why) {
  return make_error(Error::Code::invalid, "the log's URL cannot be read: " + why, kExample);
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view hex = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), byte, 16);
    if (hex.size() != 2 || error != std::errc() || end != hex.data() + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (std::size_t at = text.find(by); at != std::string_view::npos; at = text.find(by)) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parts.push_back(text);
  return parts;
}

/// "broker:9092"; nothing: it is none.
std::optional<std::string> broker(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view name = text.substr(0, colon);
  if (name.empty() || name.find_first_of(" @/") != std::string_view::npos) return std::nullopt;
  if (colon == std::string_view::npos) return std::string(text) + ":9092";
  const std::string_view port = text.substr(colon + 1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) return std::nullopt;
  return std::string(text);
}

}  // namespace

bool is_secret(const std::string& setting) {
  return setting.find("password") != std::string::npos ||
         setting.find("secret") != std::string::npos || setting == "ssl.key.pem" ||
         setting == "sasl.oauthbearer.config";
}

Result<Options> parse_url(const std::string& url) {
  if (!url.starts_with(kScheme)) return unreadable("it does not begin with kafka://");
  std::string_view rest = std::string_view(url).substr(kScheme.size());
  std::string_view settings;
  if (const std::size_t question = rest.find('?'); question != std::string_view::npos) {
    settings = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  Options options;
  for (const std::string_view part : split(rest, ',')) {
    const std::optional<std::string> one = broker(part);
    if (!one) return unreadable("\"" + std::string(part) + "\" is no HOST:PORT of a broker");
    options.brokers += (options.brokers.empty() ? "" : ",") + *one;
  }
  if (settings.empty()) return options;
  for (const std::string_view part : split(settings, '&')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return unreadable("a setting has no \"=\"");
    const std::optional<std::string> name = decoded(part.substr(0, equals));
    const std::optional<std::string> value = decoded(part.substr(equals + 1));
    if (!name || !value) return unreadable("a \"%\" has no two hex digits behind it");
    if (!choosable(*name)) {
      return make_error(Error::Code::invalid, "the log's setting " + *name + " cannot be chosen",
                        "security.*, sasl.*, ssl.*, socket.*, compression.*, broker.address.*, "
                        "client.id, client.rack, linger.ms can");
    }
    options.settings.emplace_back(*name, *value);
  }
  return options;
}

}  // namespace host::kafka
