#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/time.h"
#include "host/core/manifest.h"
#include "host/script/manifest_lines.h"

namespace host::app {

/// Reads the fields of a table that a Lua file of data returned, and collects what is wrong with
/// them, with their lines. A path names a field: {"auth", "jwt", "secret"}. Only on its thread.
class TableReader {
 public:
  using Path = script::SourceLines::Path;
  using json = nlohmann::json;

  /// `root`: what "file:PATH" is relative to.
  TableReader(std::string file, const std::string& text, std::string root);
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  void problem(const Path& at, const std::string& message, const std::string& hint = {});
  void unknown(const Path& at, const std::string& where, const std::vector<std::string>& names);
  Problems take_problems() { return std::move(problems_); }

  // Nothing, and a problem, when the value is something else.
  bool is_table(const Path& at, const json& value, const char* example);
  std::optional<std::string> text_of(const Path& at, const json& value);
  std::optional<bool> flag(const Path& at, const json& value);
  std::optional<Duration> duration(const Path& at, const json& value);
  /// A list of texts; `{}` is an empty one.
  std::vector<std::string> texts(const Path& at, const json& value, const char* example);
  /// "env:NAME" and "file:PATH" give what they name (without line ends behind it), any other text
  /// itself.
  std::optional<std::string> resolved(const Path& at, const std::string& text);
  /// A text that must not stand in the file itself.
  std::optional<std::string> secret(const Path& at, const json& value);

 private:
  const std::string root_;
  const std::vector<std::pair<std::string, std::string>> sources_;
  const script::SourceLines lines_;
  Problems problems_;
};

/// path + name.
TableReader::Path operator+(TableReader::Path path, std::string name);

}  // namespace host::app
