#include "host/adapters/sqlite/migrations.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "host/adapters/journal/crc32c.h"
#include "host/adapters/sqlite/schema.h"

namespace host::sqlite {
namespace {

Error invalid(std::string message, std::string hint = {}) {
  return make_error(Error::Code::invalid, std::move(message), std::move(hint));
}

/// The words and signs of one statement, lower case, up to its ';'. Quoted texts are one word.
std::vector<std::string> tokens(std::string_view sql, std::size_t at) {
  std::vector<std::string> out;
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
  };
  for (at = skip_blank(sql, at); at < sql.size() && sql[at] != ';'; at = skip_blank(sql, at)) {
    std::size_t end = at + 1;
    if (is_word(sql[at])) {
      while (end < sql.size() && is_word(sql[end])) ++end;
    } else if (sql[at] == '\'' || sql[at] == '"' || sql[at] == '`') {
      end = std::min(sql.find(sql[at], at + 1), sql.size() - 1) + 1;
    }
    std::string& word = out.emplace_back(sql.substr(at, end - at));
    for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    at = end;
  }
  return out;
}

/// Reads the words of a statement from left to right.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  bool take(std::string_view word) {
    if (peek() != word) return false;
    ++at_;
    return true;
  }
  std::string next() { return at_ < words_.size() ? words_[at_++] : ""; }
  std::string_view peek() const { return at_ < words_.size() ? words_[at_] : std::string_view(); }
  std::string_view last() const { return words_.empty() ? std::string_view() : words_.back(); }

 private:
  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

struct Change {
  std::string table;
  bool makes_table = false;
};

Result<void> check_name(const std::string& name, const std::string& plugin) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  });
  if (!plain) return invalid("\"" + name + "\" is no name", "letters, digits and _ without quotes");
  if (!name.starts_with(plugin + "_")) {
    return invalid("the name " + name + " does not begin with " + plugin + "_");
  }
  return {};
}

/// What the statement does, if it is one of the three that only add.
Result<Change> classify(const std::string& sql, std::size_t at, const std::string& plugin) {
  static constexpr const char* kAllowed =
      "a migration is create table, create index or alter table ... add column";
  Words words(tokens(sql, at));
  Change change;
  std::string index;
  if (words.take("alter")) {
    if (!words.take("table")) return invalid(kAllowed);
    change.table = words.next();
    if (!words.take("add")) return invalid(kAllowed, "what is stored is never changed or dropped");
  } else if (words.take("create")) {
    const bool unique = words.take("unique");
    change.makes_table = !unique && words.take("table");
    if (!change.makes_table && !words.take("index")) return invalid(kAllowed);
    if (words.take("if") && !(words.take("not") && words.take("exists"))) return invalid(kAllowed);
    if (change.makes_table) {
      change.table = words.next();
      if (words.peek() != "(") return invalid("create table needs its columns in parentheses");
      if (words.last() != ")") return invalid("nothing may follow the columns of a table");
    } else {
      index = words.next();
      if (!words.take("on")) return invalid(kAllowed);
      change.table = words.next();
    }
  } else {
    return invalid(kAllowed, "what is stored is never changed or dropped");
  }
  if (Result<void> fine = check_name(change.table, plugin); !fine) return fine.error();
  if (!index.empty()) {
    if (Result<void> fine = check_name(index, plugin); !fine) return fine.error();
  }
  return change;
}

Result<void> check_columns(Connection& db, const std::string& table) {
  static constexpr std::array<std::string_view, 3> kTypes{"text", "bigint", "double precision"};
  Statement columns = db.query("select name, lower(type) from pragma_table_info(?)", table);
  while (columns.step()) {
    const std::string_view type = columns.view(1);
    if (std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end()) continue;
    return invalid("column " + columns.bytes(0) + " of " + table + " has the type \"" +
                       std::string(type) + "\"",
                   "text, bigint or double precision");
  }
  return {};
}

/// Runs all statements of one migration.
Result<void> run_one(Connection& db, PluginSql& sql, const PluginTables& tables,
                     const std::string& plugin, const std::string& migration,
                     std::vector<std::string>& made) {
  std::size_t at = skip_blank(migration);
  if (at == migration.size()) return invalid("it is empty");
  for (; at < migration.size(); at = skip_blank(migration, at)) {
    const Result<Change> change = classify(migration, at, plugin);
    if (!change) return change.error();
    const std::string owner = tables.owner(change->table);
    if ((!owner.empty() && owner != plugin) || change->table.starts_with(kHostPrefix)) {
      return invalid("table " + change->table + " belongs to " +
                     (owner.empty() ? "the host" : "plugin " + owner));
    }
    const bool own =
        !owner.empty() || std::find(made.begin(), made.end(), change->table) != made.end();
    if (!change->makes_table && !own) {
      return invalid("plugin " + plugin + " has no table " + change->table);
    }
    if (Result<void> done = sql.migrate(plugin, migration, at); !done) return done;
    if (change->makes_table && !own) made.push_back(change->table);
    if (Result<void> fine = check_columns(db, change->table); !fine) return fine;
  }
  return {};
}

std::string hash_of(const std::string& migration) {
  return std::to_string(migration.size()) + "-" + std::to_string(journal::crc32c(migration));
}

}  // namespace

Result<void> apply_migrations(Connection& db, PluginSql& sql, const PluginTables& tables,
                              const std::string& plugin, const std::vector<std::string>& migrations,
                              std::vector<std::string>& made) {
  made.clear();
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    const std::string which = "migration " + std::to_string(i + 1) + " of " + plugin;
    const std::string hash = hash_of(migrations[i]);
    std::string recorded;
    {
      Statement row = db.query("select hash from host_migration where plugin = ? and number = ?",
                               plugin, i + 1);
      if (row.step()) recorded = row.bytes(0);
    }
    if (recorded == hash) continue;
    if (!recorded.empty()) {
      return invalid(which + " has changed since it ran", "add a new one at the end instead");
    }
    if (Result<void> done = run_one(db, sql, tables, plugin, migrations[i], made); !done) {
      return make_error(done.error().code, which + ": " + done.error().message, done.error().hint);
    }
    db.run("insert into host_migration (plugin, number, hash) values (?, ?, ?)", plugin, i + 1,
           hash);
  }
  for (const std::string& table : made) {
    db.run("insert into host_plugin_table (name, plugin) values (?, ?)", table, plugin);
  }
  return {};
}

}  // namespace host::sqlite
