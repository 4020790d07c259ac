#include "host/app/option_values.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "host/adapters/telemetry/logger.h"

namespace host::app {
namespace {

Error wrong(const std::string& option, const std::string& text, const std::string& hint) {
  return make_error(Error::Code::invalid, "--" + option + " " + text + " cannot be read", hint);
}

Result<int> parse_count(const std::string& option, const std::string& text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most) {
    return wrong(option, text, "a whole number from 1 to " + std::to_string(most));
  }
  return value;
}

bool is_plugin_name(const std::string& name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  for (std::size_t at = text.find(by); at != std::string_view::npos; at = text.find(by)) {
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + by.size());
  }
  parts.emplace_back(text);
  return parts;
}

Result<Assignment> make_assignment(const std::string& what, std::vector<std::string> parts,
                                   std::string value, const char* example) {
  const bool empty =
      std::any_of(parts.begin(), parts.end(), [](const auto& p) { return p.empty(); });
  if (parts.size() < 2 || empty || !is_plugin_name(parts.front())) {
    return make_error(Error::Code::invalid, what + " names no setting of a plugin", example);
  }
  Assignment set;
  set.plugin = parts.front();
  set.path.assign(parts.begin() + 1, parts.end());
  set.value = std::move(value);
  return set;
}

Result<void> read_durations(const std::map<std::string, std::string>& texts, Options& options) {
  const std::pair<const char*, std::optional<Duration>*> durations[] = {
      {"stop-timeout", &options.stop_timeout}, {"turn-limit", &options.turn_limit}};
  for (const auto& [name, value] : durations) {
    const std::string& text = texts.at(name);
    if (text.empty()) continue;
    Result<Duration> parsed = parse_duration(text);
    if (!parsed || *parsed == Duration::zero() || *parsed > std::chrono::hours(24)) {
      return wrong(name, text, "such as 10s or 250ms, at most 1d");
    }
    *value = *parsed;
  }
  return {};
}

Result<void> read_counts(const std::map<std::string, std::string>& texts, Options& options) {
  const std::pair<const char*, std::optional<int>*> counts[] = {{"partitions", &options.partitions},
                                                                {"lanes", &options.lanes}};
  for (const auto& [name, value] : counts) {
    const std::string& text = texts.at(name);
    if (text.empty()) continue;
    Result<int> parsed = parse_count(name, text, 1024);
    if (!parsed) return parsed.error();
    *value = *parsed;
  }
  return {};
}

Result<void> read_choices(const std::map<std::string, std::string>& texts, Options& options) {
  if (const std::string& text = texts.at("memory"); !text.empty()) {
    Result<std::size_t> parsed = parse_size(text);
    if (!parsed || *parsed < (4u << 20))
      return wrong("memory", text, "such as 128MB, at least 4MB");
    options.memory = *parsed;
  }
  if (const std::string& text = texts.at("on-gap"); !text.empty()) {
    if (text != "stop" && text != "skip") return wrong("on-gap", text, "stop or skip");
    options.skip_gaps = text == "skip";
  }
  if (const std::string& text = texts.at("log-level"); !text.empty()) {
    Result<ports::LogLevel> parsed = telemetry::parse_log_level(text);
    if (!parsed) return wrong("log-level", text, "debug, info, warn or error");
    options.log_level = *parsed;
  }
  return {};
}

}  // namespace

std::string Assignment::to_string() const {
  std::string text = plugin;
  for (const std::string& part : path) text += "." + part;
  return text;
}

Result<Assignment> parse_set(const std::string& text) {
  constexpr const char* kExample = "such as --set tollgate.fee=3.00";
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return make_error(Error::Code::invalid, "--set " + text + " has no \"=\"", kExample);
  }
  Result<Assignment> set = make_assignment("--set " + text, split(text.substr(0, equals), "."),
                                           text.substr(equals + 1), kExample);
  if (set) set->from_command_line = true;
  return set;
}

Result<Assignment> parse_set_variable(const std::string& name, const std::string& value) {
  return make_assignment("the variable " + name, split(name.substr(10), "__"), value,
                         "such as HOST_SET__tollgate__fee=3.00, names as the plugin writes them");
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words = split(text, " ");
  std::erase(words, "");
  return words;
}

Result<void> read_values(const std::map<std::string, std::string>& texts, Options& options) {
  const std::pair<const char*, std::optional<std::string>*> plain[] = {
      {"data", &options.data},
      {"root", &options.root},
      {"listen", &options.listen},
      {"admin", &options.admin},
      {"auth", &options.auth},
      {"prefix", &options.prefix},
      {"log", &options.log},
      {"store", &options.store},
      {"tls-cert", &options.tls_cert},
      {"tls-key", &options.tls_key},
      {"admin-tls-cert", &options.admin_tls_cert},
      {"admin-tls-key", &options.admin_tls_key}};
  for (const auto& [name, value] : plain) {
    if (!texts.at(name).empty()) *value = texts.at(name);
  }
  for (auto* read : {read_durations, read_counts, read_choices}) {
    Result<void> done = read(texts, options);
    if (!done) return done;
  }
  return {};
}

Result<std::size_t> parse_size(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "KB" || unit == "K") shift = 10;
  if (unit == "MB" || unit == "M") shift = 20;
  if (unit == "GB" || unit == "G") shift = 30;
  if (error != std::errc() || shift < 0 ||
      value > (std::numeric_limits<std::size_t>::max() >> shift)) {
    return make_error(Error::Code::invalid, std::string(text) + " is no size", "such as 128MB");
  }
  return value << shift;
}

bool is_loopback(std::string_view address) {
  const std::string_view name = address.substr(0, address.rfind(':'));
  if (name == "localhost" || name == "[::1]") return true;
  // Digits only: a name of the web may begin with 127, too.
  return name.starts_with("127.") &&
         name.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string nearest(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = word.size() / 3 + 1;  // further away is another word
  for (const std::string& name : names) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < name.size(); ++j) {
        const std::size_t change = diagonal + (word[i] == name[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() > best_distance || (row.back() == best_distance && !best.empty())) continue;
    best_distance = row.back();
    best = name;
  }
  return best;
}

}  // namespace host::app
