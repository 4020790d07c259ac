#include "host/app/table_reader.h"

#include <nlohmann/json.hpp>

#include "host/app/options.h"
#include "host/app/servers.h"

namespace host::app {

TableReader::TableReader(std::string file, const std::string& text, std::string root)
    : root_(std::move(root)), sources_{{std::move(file), text}}, lines_(sources_) {}

TableReader::Path operator+(TableReader::Path path, std::string name) {
  path.push_back(std::move(name));
  return path;
}

void TableReader::problem(const Path& at, const std::string& message, const std::string& hint) {
  const std::string& file = sources_.front().first;
  problems_.push_back({.file = file,
                       .line = lines_.find_in(file, at).line,
                       .column = 0,
                       .message = message,
                       .hint = hint});
}

void TableReader::unknown(const Path& at, const std::string& where,
                          const std::vector<std::string>& names) {
  const std::string meant = nearest(at.back(), names);
  std::string all;
  for (const std::string& each : names) all += (all.empty() ? "" : ", ") + each;
  problem(at, "unknown field \"" + at.back() + "\"" + where,
          meant.empty() ? "there are " + all : "did you mean \"" + meant + "\"?");
}

bool TableReader::is_table(const Path& at, const json& value, const char* example) {
  if (value.is_object()) return true;
  problem(at, (at.empty() ? std::string("the file") : at.back()) + " must be a table", example);
  return false;
}

std::optional<std::string> TableReader::text_of(const Path& at, const json& value) {
  if (value.is_string()) return value.get<std::string>();
  problem(at, at.back() + " must be a text");
  return std::nullopt;
}

std::optional<bool> TableReader::flag(const Path& at, const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  problem(at, at.back() + " must be true or false");
  return std::nullopt;
}

std::optional<Duration> TableReader::duration(const Path& at, const json& value) {
  Result<Duration> parsed = value.is_string()
                                ? parse_duration(value.get<std::string>())
                                : parse_duration(value.is_number() ? value.dump() : "");
  if (parsed) return *parsed;
  problem(at, at.back() + " must be a duration", "such as \"30s\"");
  return std::nullopt;
}

std::vector<std::string> TableReader::texts(const Path& at, const json& value,
                                            const char* example) {
  std::vector<std::string> out;
  if (value.is_object() && value.empty()) return out;
  if (!value.is_array()) {
    problem(at, at.back() + " must be a list of texts", example);
    return out;
  }
  for (const json& each : value) {
    if (each.is_string()) {
      out.push_back(each.get<std::string>());
    } else {
      problem(at, at.back() + " must be a list of texts", example);
    }
  }
  return out;
}

std::optional<std::string> TableReader::resolved(const Path& at, const std::string& text) {
  Result<std::string> read = resolve_secret(text, root_);
  if (read) return std::move(*read);
  const bool variable = text.starts_with("env:");
  problem(at, (variable ? at.back() + " " : "") + read.error().message, read.error().hint);
  return std::nullopt;
}

std::optional<std::string> TableReader::secret(const Path& at, const json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  if (text.rfind("env:", 0) == 0 || text.rfind("file:", 0) == 0) return resolved(at, text);
  problem(at, at.back() + " is a secret: it must not stand in the file",
          "\"env:NAME\" or \"file:PATH\" say where it is");
  return std::nullopt;
}

}  // namespace host::app
