#include "host/adapters/sql/migration_text.h"

#include <algorithm>
#include <array>

#include "host/adapters/journal/crc32c.h"

namespace host::sql {
namespace {

constexpr const char* kAllowed =
    "a migration is create table, create index or alter table ... add column";
constexpr const char* kNever = "what is stored is never changed or dropped";

Error invalid(std::string message, std::string hint = {}) {
  return make_error(Error::Code::invalid, std::move(message), std::move(hint));
}

/// Reads one statement from left to right.
class Reader {
 public:
  Reader(const Token* begin, const Token* end, const std::string& plugin)
      : at_(begin), end_(end), plugin_(plugin) {
    change_.begin = begin->at;
    change_.size = end[-1].at + end[-1].size - begin->at;
  }

  Result<Change> read() {
    Result<void> done = take("alter") ? alter_table() : take("create") ? create() : not_allowed();
    if (done && at_ != end_) {
      done = invalid("\"" + shown() + "\" stands behind the end of the statement",
                     "nothing may follow the columns");
    }
    if (!done) return done.error();
    return std::move(change_);
  }

 private:
  static Error not_allowed() { return invalid(kAllowed, kNever); }
  bool take(std::string_view word) {
    if (at_ == end_ || !at_->is(word)) return false;
    ++at_;
    return true;
  }
  bool take_sign(std::string_view sign) {
    if (at_ == end_ || !at_->is_sign(sign)) return false;
    ++at_;
    return true;
  }
  std::string shown() const { return at_ == end_ ? "" : at_->text; }

  Result<void> name(std::string& to) {
    const bool qualified = end_ - at_ > 1 && at_[1].is_sign(".");
    if (at_ == end_ || at_->kind != Token::Kind::word || qualified) {
      return invalid("\"" + shown() + (qualified ? "." : "") + "\" is no name",
                     "letters, digits and _ without quotes");
    }
    to = at_++->text;
    if (to.starts_with(plugin_ + "_")) return {};
    return invalid("the name " + to + " does not begin with " + plugin_ + "_");
  }
  Result<void> new_name(std::string& to) {
    if (take("if") && !(take("not") && take("exists"))) return invalid(kAllowed);
    return name(to);
  }

  Result<void> create() {
    const bool unique = take("unique");
    if (take("index")) return create_index();
    if (unique || !take("table")) return not_allowed();
    if (Result<void> named = new_name(change_.table); !named) return named;
    if (!take_sign("(")) return invalid("create table needs its columns in parentheses");
    do {
      if (Result<void> fine = column_or_constraint(); !fine) return fine;
    } while (take_sign(","));
    if (!take_sign(")")) return invalid("the columns of " + change_.table + " have no end");
    return {};
  }

  Result<void> create_index() {
    change_.kind = Change::Kind::create_index;
    if (Result<void> named = new_name(change_.index); !named) return named;
    if (!take("on")) return invalid(kAllowed);
    if (Result<void> named = name(change_.table); !named) return named;
    if (at_ == end_ || !at_->is_sign("(")) return invalid("create index needs its columns");
    at_ = end_;  // the database reads expressions and a condition
    return {};
  }

  Result<void> alter_table() {
    change_.kind = Change::Kind::add_column;
    if (!take("table")) return invalid(kAllowed);
    if (Result<void> named = name(change_.table); !named) return named;
    if (!take("add")) return not_allowed();
    take("column");
    return column();
  }

  Result<void> column_or_constraint() {
    static constexpr std::array kConstraints{"primary", "unique", "check", "foreign", "constraint"};
    for (const char* word : kConstraints) {
      if (at_ != end_ && at_->is(word)) return rest();
    }
    return column();
  }

  Result<void> column() {
    const bool named =
        at_ != end_ && (at_->kind == Token::Kind::word || at_->kind == Token::Kind::quoted);
    if (!named) return invalid("\"" + shown() + "\" is no name of a column");
    const std::string column = lower(at_++->text);
    if (column.starts_with("host_") || column.starts_with("pg_")) {
      return invalid("the name " + column + " of a column is not a plugin's",
                     "names that begin with host_ or pg_ are those of host and server");
    }
    if (take("text")) {
      if (at_ == end_ || !at_->is("collate")) change_.texts.push_back(at_[-1].at + at_[-1].size);
      return rest();
    }
    if (take("bigint") || (take("double") && take("precision"))) return rest();
    const bool typed = at_ != end_ && at_->kind == Token::Kind::word;
    return invalid("column " + column + " of " + change_.table + " has the type \"" +
                       (typed ? shown() : "") + "\"",
                   "text, bigint or double precision");
  }

  /// Up to the comma or bracket that ends a column.
  Result<void> rest() {
    int depth = 0;
    for (; at_ != end_; ++at_) {
      if (depth == 0 && (at_->is_sign(",") || at_->is_sign(")"))) return {};
      if (depth == 0 && at_->is_sign("[")) return invalid("a list is no type of a column");
      depth += at_->is_sign("(") ? 1 : at_->is_sign(")") ? -1 : 0;
    }
    return {};
  }

  const Token* at_;
  const Token* const end_;
  const std::string& plugin_;
  Change change_;
};

}  // namespace

Result<std::vector<Change>> read_migration(std::string_view migration, const std::string& plugin) {
  const Result<Tokens> tokens = cut(migration);
  if (!tokens) return tokens.error();
  std::vector<Change> changes;
  const Token* const end = tokens->data() + tokens->size();
  for (const Token* at = tokens->data(); at != end;) {
    const Token* const stop =
        std::find_if(at, end, [](const Token& token) { return token.is_sign(";"); });
    if (at != stop) {
      Result<Change> change = Reader(at, stop, plugin).read();
      if (!change) return change.error();
      changes.push_back(std::move(*change));
    }
    at = stop == end ? end : stop + 1;
  }
  if (changes.empty()) return invalid("it is empty");
  return changes;
}

std::string migration_hash(std::string_view migration) {
  return std::to_string(migration.size()) + "-" + std::to_string(journal::crc32c(migration));
}

std::string migration_name(const std::string& plugin, std::size_t number) {
  return "migration " + std::to_string(number) + " of " + plugin;
}

Error migration_changed(const std::string& plugin, std::size_t number) {
  return invalid(migration_name(plugin, number) + " has changed since it ran",
                 "add a new one at the end instead");
}

}  // namespace host::sql
