#include "host/script/manifest_sql.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace host::script {
namespace {

/// Words, and single characters for the rest; small letters but for what is quoted.
std::vector<std::string> words_of(std::string_view sql) {
  std::vector<std::string> out;
  std::size_t at = 0;
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  while (at < sql.size()) {
    std::size_t end = at + 1;
    if (std::isspace(static_cast<unsigned char>(sql[at]))) {
      at = end;
      continue;
    }
    if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
      continue;
    }
    if (sql[at] == '\'') {
      end = std::min(sql.find('\'', end), sql.size() - 1) + 1;
    } else if (is_word(sql[at])) {
      while (end < sql.size() && is_word(sql[end])) ++end;
    }
    std::string word(sql.substr(at, end - at));
    if (word[0] != '\'') {
      std::transform(word.begin(), word.end(), word.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    }
    out.push_back(std::move(word));
    at = end;
  }
  return out;
}

class Migration {
 public:
  Migration(std::vector<std::string> words, std::string_view plugin)
      : words_(std::move(words)), prefix_(std::string(plugin) + "_") {}

  std::string check() {
    if (words_.empty()) return "is empty";
    if (words_.back() == ";") words_.pop_back();
    if (std::find(words_.begin(), words_.end(), ";") != words_.end()) {
      return "holds more than one statement: write one each";
    }
    if (take("create")) {
      if (take("table")) return create_table();
      take("unique");
      if (take("index")) return create_index();
    } else if (take("alter") && take("table")) {
      return alter_table();
    }
    return "only adds: create table, create index, alter table ... add column";
  }

 private:
  const std::string& word() const {
    static const std::string kEnd;
    return at_ < words_.size() ? words_[at_] : kEnd;
  }
  bool take(std::string_view wanted) {
    if (word() != wanted) return false;
    ++at_;
    return true;
  }

  std::string name() {
    if (word() == "if") return "has \"if not exists\": a migration runs once";
    const std::string found = word();
    ++at_;
    if (found.starts_with(prefix_)) return {};
    return "names \"" + found + "\": names begin with \"" + prefix_ + "\"";
  }

  std::string create_table() {
    std::string why = name();
    if (!why.empty()) return why;
    if (!take("(")) return "has no columns";
    while (at_ < words_.size() && word() != ")") {
      why = column();
      if (!why.empty()) return why;
      take(",");
    }
    if (!take(")")) return "lacks the closing bracket";
    return word().empty() ? "" : "goes on behind its columns with \"" + word() + "\"";
  }

  std::string column() {
    for (const char* constraint : {"primary", "unique", "check", "foreign", "constraint"}) {
      if (word() == constraint) return rest();
    }
    const std::string column = word();
    ++at_;
    const bool known = take("text") || take("bigint") || (take("double") && take("precision"));
    if (!known) {
      return "gives the column \"" + column + "\" no type of text, bigint, double precision";
    }
    return rest();
  }

  /// Up to the comma or bracket that ends the column.
  std::string rest() {
    for (int depth = 0; at_ < words_.size(); ++at_) {
      if (depth == 0 && (word() == "," || word() == ")")) return {};
      if (word() == "(") ++depth;
      if (word() == ")") --depth;
    }
    return {};
  }

  std::string create_index() {
    std::string why = name();
    if (!why.empty()) return why;
    if (!take("on")) return "says no table: create index NAME on TABLE (...)";
    return name();
  }

  std::string alter_table() {
    std::string why = name();
    if (!why.empty()) return why;
    if (!take("add")) return "only adds columns: alter table NAME add column ...";
    take("column");
    why = column();
    if (!why.empty()) return why;
    return word().empty() ? "" : "goes on behind its column with \"" + word() + "\"";
  }

  std::vector<std::string> words_;
  std::string prefix_;
  std::size_t at_ = 0;
};

}  // namespace

std::string migration_problem(std::string_view sql, std::string_view plugin) {
  return Migration(words_of(sql), plugin).check();
}

}  // namespace host::script
