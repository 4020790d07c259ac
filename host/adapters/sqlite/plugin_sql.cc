#include "host/adapters/sqlite/plugin_sql.h"

#include <algorithm>
#include <ctime>

#include "host/adapters/sql/answers.h"
#include "host/adapters/sql/text.h"
#include "host/adapters/sqlite/schema.h"

namespace host::sqlite {
namespace {

constexpr Duration kStepLimit = std::chrono::milliseconds(50);
constexpr int kOpsBetweenLooks = 2000;
constexpr std::size_t kCachedStatements = 256;  // a plugin and connection

/// Time that this thread has run: waiting for the processor is nobody's statement's fault.
std::int64_t thread_micros() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

using sql::lower;

Error invalid(std::string message, std::string hint = {}) {
  return make_error(Error::Code::invalid, std::move(message), std::move(hint));
}

Result<SqlValue> value_at(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return SqlValue{};
    case SQLITE_INTEGER:
      return SqlValue{std::int64_t{sqlite3_column_int64(statement, column)}};
    case SQLITE_FLOAT:
      return SqlValue{sqlite3_column_double(statement, column)};
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      const int size = sqlite3_column_bytes(statement, column);
      return SqlValue{std::string(text, static_cast<std::size_t>(size))};
    }
    default:
      return invalid(std::string("column ") + sqlite3_column_name(statement, column) +
                         " is a blob, which is no value",
                     "use text, bigint or double precision");
  }
}

/// Gives a statement of the cache back however it ended.
struct ResetAtEnd {
  sqlite3_stmt* statement;
  ~ResetAtEnd() {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
};

}  // namespace

std::string PluginTables::owner(std::string_view table) const {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(lower(table));
  return found == owners_.end() ? "" : found->second;
}

void PluginTables::add(const std::string& table, const std::string& plugin) {
  const std::lock_guard lock(mutex_);
  owners_[lower(table)] = plugin;
}

void PluginTables::load(Connection& db) {
  Statement rows = db.query("select name, plugin from host_plugin_table");
  while (rows.step()) add(rows.bytes(0), rows.bytes(1));
}

/// While it lives the connection works for a plugin.
class PluginSql::Scope {
 public:
  Scope(PluginSql& sql, Mode mode, const std::string& plugin, Duration limit = kStepLimit,
        std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max())
      : sql_(sql) {
    sql_.mode_ = mode;
    sql_.plugin_ = plugin;
    sql_.denied_.clear();
    sql_.limit_ = limit;
    sql_.stop_at_ = thread_micros() + limit.count();
    sql_.until_ = until;
    sqlite3_progress_handler(
        sql_.db_.native(), kOpsBetweenLooks,
        [](void* self) {
          const auto& sql_of = *static_cast<const PluginSql*>(self);
          return thread_micros() > sql_of.stop_at_ ||
                         std::chrono::steady_clock::now() > sql_of.until_
                     ? 1
                     : 0;
        },
        &sql_);
  }
  ~Scope() {
    sqlite3_progress_handler(sql_.db_.native(), 0, nullptr, nullptr);
    sql_.mode_ = Mode::host;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  PluginSql& sql_;
};

PluginSql::PluginSql(Connection& db, const PluginTables& tables, const Meters& meters)
    : db_(db), tables_(tables), meters_(meters) {
  sqlite3_set_authorizer(db_.native(), &PluginSql::authorize, this);
}

PluginSql::~PluginSql() { sqlite3_set_authorizer(db_.native(), nullptr, nullptr); }

int PluginSql::authorize(void* self, int action, const char* a, const char* b, const char*,
                         const char*) {
  auto* sql = static_cast<PluginSql*>(self);
  switch (sql->mode_) {
    case Mode::host:
      return SQLITE_OK;
    case Mode::statement:
      return sql->authorize_statement(action, a, b);
    case Mode::migration:
      return sql->authorize_migration(action, a, b);
  }
  return SQLITE_DENY;
}

int PluginSql::deny(std::string why) {
  if (denied_.empty()) denied_ = std::move(why);
  return SQLITE_DENY;
}

int PluginSql::authorize_statement(int action, const char* table, const char* column) {
  const std::string name = table != nullptr ? table : "";
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION: {
      const std::string function = lower(column != nullptr ? column : "");
      if (function == "load_extension") return deny("function load_extension is not allowed");
      return SQLITE_OK;
    }
    case SQLITE_READ:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
      break;
    default:
      return deny("only SELECT, INSERT, UPDATE, DELETE and WITH are allowed");
  }
  if (tables_.owner(name) == plugin_) return SQLITE_OK;
  // `select count(*) from x` names x without a column, and x may be a WITH of the statement. All
  // real tables that a plugin can reach are registered; what SQLite brings itself has its names.
  const std::string small = lower(name);
  const bool built_in = small.starts_with("sqlite_") || small.starts_with("pragma_") ||
                        small.starts_with("json_") || small.starts_with("dbstat") ||
                        small.starts_with("fts") || small.starts_with("rtree") ||
                        small == "bytecode" || small == "tables_used";
  const bool may_be_with = action == SQLITE_READ && (column == nullptr || *column == '\0') &&
                           tables_.owner(name).empty() && !small.starts_with(kHostPrefix);
  if (may_be_with && !built_in) return SQLITE_OK;
  return deny("table " + name + " does not belong to plugin " + plugin_);
}

int PluginSql::authorize_migration(int action, const char* a, const char* b) {
  const auto own = [&](const char* name) {
    const std::string text = name != nullptr ? name : "";
    if (lower(text).starts_with(plugin_ + "_") || text.starts_with("sqlite_autoindex_")) {
      return SQLITE_OK;
    }
    return deny("the name " + text + " does not begin with " + plugin_ + "_");
  };
  switch (action) {
    case SQLITE_CREATE_TABLE:
      return own(a);
    case SQLITE_CREATE_INDEX:
      return own(a) == SQLITE_OK ? own(b) : SQLITE_DENY;
    case SQLITE_ALTER_TABLE:
      return own(b);
    // What SQLite itself does on the way.
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_READ:
    case SQLITE_SELECT:
    case SQLITE_FUNCTION:
    case SQLITE_REINDEX:
      return SQLITE_OK;
    default:
      return deny("a migration only adds: create table, create index, alter table add");
  }
}

Error PluginSql::failure() {
  const SqlFailure last = last_failure(db_.native());
  if (last.primary() == SQLITE_INTERRUPT) {
    return sql::took_longer_than(limit_);
  }
  if (is_environment(last)) throw last;
  if (last.primary() == SQLITE_AUTH && !denied_.empty()) return invalid(denied_);
  return invalid(last.what());
}

Result<StatementHolder> PluginSql::compile(const std::string& plugin, const std::string& text) {
  if (const Result<sql::Tokens> tokens = sql::cut_statement(text); !tokens) return tokens.error();
  const Scope scope(*this, Mode::statement, plugin);
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(db_.native(), text.data(), static_cast<int>(text.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, &tail);
  StatementHolder statement(raw);
  if (code != SQLITE_OK) return failure();
  // A quote inside of [a name] is none for SQLite alone: it may see an end where cut() saw none.
  const Result<sql::Tokens> rest =
      sql::cut(std::string_view(text).substr(static_cast<std::size_t>(tail - text.data())));
  const auto is_end = [](const sql::Token& token) { return token.is_sign(";"); };
  if (!rest || !std::all_of(rest->begin(), rest->end(), is_end)) {
    return invalid("more than one statement", "give each its own call");
  }
  for (int i = 1; i <= sqlite3_bind_parameter_count(raw); ++i) {
    const char* name = sqlite3_bind_parameter_name(raw, i);
    if (name == nullptr || name[0] != ':') {
      return invalid(std::string("parameter ") + (name == nullptr ? "?" : name) + " has no name",
                     "write :name");
    }
  }
  return statement;
}

Result<sqlite3_stmt*> PluginSql::prepared(const std::string& plugin, const std::string& sql) {
  Cache& cache = cache_[plugin];
  const auto found = cache.find(sql);
  if (found != cache.end()) return found->second.get();
  Result<StatementHolder> made = compile(plugin, sql);
  if (!made) return made.error();
  if (cache.size() >= kCachedStatements) cache.clear();
  return cache.emplace(sql, std::move(*made)).first->second.get();
}

Result<void> PluginSql::bind(sqlite3_stmt* statement, const SqlParameters& parameters) {
  for (int i = 1; i <= sqlite3_bind_parameter_count(statement); ++i) {
    const std::string_view name = sqlite3_bind_parameter_name(statement, i) + 1;
    const auto given = parameters.find(name);
    if (given == parameters.end()) {
      return sql::not_given(name);
    }
    const auto bind_one = [&](const auto& value) {
      using V = std::decay_t<decltype(value)>;
      if constexpr (std::is_same_v<V, std::int64_t>) {
        return sqlite3_bind_int64(statement, i, value);
      } else if constexpr (std::is_same_v<V, double>) {
        return sqlite3_bind_double(statement, i, value);
      } else if constexpr (std::is_same_v<V, std::string>) {
        return sqlite3_bind_text64(statement, i, value.data(), value.size(), SQLITE_STATIC,
                                   SQLITE_UTF8);
      } else {
        return sqlite3_bind_null(statement, i);
      }
    };
    if (std::visit(bind_one, given->second) != SQLITE_OK) return failure();
  }
  for (const auto& [name, value] : parameters) {
    if (sqlite3_bind_parameter_index(statement, (":" + name).c_str()) == 0) {
      return sql::no_such_parameter(name);
    }
  }
  return {};
}

Result<bool> PluginSql::step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure();
}

ports::Histogram* PluginSql::meter_of(const std::string& plugin, bool writes) {
  if (meters_.metrics == nullptr) return nullptr;
  const auto [at, is_new] = (writes ? writes_ : queries_).try_emplace(plugin);
  if (is_new) {
    at->second = &meters_.metrics->histogram(
        "host_sql_seconds", {{"plugin", plugin}, {"kind", writes ? "write" : "query"}});
  }
  return at->second;
}

Result<void> PluginSql::exec(const std::string& plugin, const SqlStatement& statement) {
  const Measured measured(meter_of(plugin, true));
  const Result<sqlite3_stmt*> made = prepared(plugin, statement.text);
  if (!made) return made.error();
  const ResetAtEnd reset{*made};
  if (Result<void> bound = bind(*made, statement.parameters); !bound) return bound;
  // The schema may have changed since: then this step compiles again, and asks again whose it is.
  const Scope scope(*this, Mode::statement, plugin);
  while (true) {
    const Result<bool> row = step(*made);
    if (!row) return row.error();
    if (!*row) return {};
  }
}

Result<SqlRows> PluginSql::query(const std::string& plugin, const SqlStatement& statement) {
  sql::ShortAnswer answer;
  Result<void> read = each_row(
      plugin, statement, kStepLimit,
      [&answer](std::vector<std::string> names) { answer.columns(std::move(names)); },
      [&answer](std::vector<SqlValue> row) { return answer.add(std::move(row)); });
  if (!read) return read.error();
  return std::move(answer).take();
}

Result<void> PluginSql::each_row(const std::string& plugin, const SqlStatement& statement,
                                 Duration limit,
                                 const std::function<void(std::vector<std::string>)>& columns,
                                 const std::function<Result<void>(std::vector<SqlValue>)>& row) {
  const Measured measured(meter_of(plugin, false));
  const Result<sqlite3_stmt*> made = prepared(plugin, statement.text);
  if (!made) return made.error();
  if (sqlite3_stmt_readonly(*made) == 0) {
    return sql::a_query_only_reads();
  }
  const ResetAtEnd reset{*made};
  if (Result<void> bound = bind(*made, statement.parameters); !bound) return bound.error();
  // A short limit is of processor time alone: waiting for it is nobody's statement's fault.
  const auto until = limit > kStepLimit ? std::chrono::steady_clock::now() + limit
                                        : std::chrono::steady_clock::time_point::max();
  const Scope scope(*this, Mode::statement, plugin, limit, until);
  for (bool first = true;; first = false) {
    const Result<bool> more = step(*made);
    if (!more) return more.error();
    if (first) {
      std::vector<std::string> names;
      for (int i = 0; i < sqlite3_column_count(*made); ++i) {
        names.emplace_back(sqlite3_column_name(*made, i));
      }
      columns(std::move(names));
    }
    if (!*more) return {};
    std::vector<SqlValue> values;
    for (int i = 0; i < sqlite3_column_count(*made); ++i) {
      Result<SqlValue> value = value_at(*made, i);
      if (!value) return value.error();
      values.push_back(std::move(*value));
    }
    if (Result<void> kept = row(std::move(values)); !kept) return kept;
    if (std::chrono::steady_clock::now() > until) {
      return sql::took_longer_than(limit);
    }
  }
}

Result<void> PluginSql::check(const std::string& plugin, const std::string& sql) {
  const Result<StatementHolder> made = compile(plugin, sql);
  if (!made) return made.error();
  return {};
}

Result<void> PluginSql::migrate(const std::string& plugin, std::string_view text) {
  const Scope scope(*this, Mode::migration, plugin);
  stop_at_ = INT64_MAX;  // an index over many rows takes its time
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v2(db_.native(), text.data(), static_cast<int>(text.size()), &raw, nullptr);
  const StatementHolder statement(raw);
  if (code != SQLITE_OK) return failure();
  while (true) {
    const Result<bool> row = step(raw);
    if (!row) return row.error();
    if (!*row) return {};
  }
}

}  // namespace host::sqlite
