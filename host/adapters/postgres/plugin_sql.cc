#include "host/adapters/postgres/plugin_sql.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "host/adapters/postgres/plugin_values.h"
#include "host/adapters/postgres/values.h"
#include "host/adapters/postgres/wall.h"
#include "host/adapters/sql/answers.h"
#include "host/base/check.h"

namespace host::postgres {
namespace {

/// Types that do not fit, or that the server cannot tell: another try may help.
bool is_about_types(const Failure& failure) {
  static constexpr std::array kStates{
      "42883",  // no such function or operator (for these types)
      "42725",  // more than one such function
      "42804",  // a datatype that does not fit
      "42846",  // no such cast
      "42P08",  // one parameter, several types
      "42P18",  // a parameter without type
      "22P02",  // a constant that is none of the type it is compared with
      "42P38",  // indeterminate collation or type
  };
  return std::any_of(kStates.begin(), kStates.end(),
                     [&](const char* state) { return failure.is(state); });
}

constexpr const char* kGrouping = "42803";  // a column is neither grouped nor aggregated

/// The parameter that the server names: "could not determine data type of parameter $1".
std::size_t named_parameter(const Failure& failure) {
  if (!failure.is("42P18") && !failure.is("42P08")) return 0;
  const std::string text = failure.what();
  const std::size_t at = text.find('$');
  return at == std::string::npos ? 0 : std::strtoul(text.c_str() + at + 1, nullptr, 10);
}

std::vector<std::string> names_of(const sql::Tokens& tokens) {
  std::vector<std::string> names;
  for (const sql::Token& token : tokens) {
    if (token.kind == sql::Token::Kind::parameter) names.push_back(token.text);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// The cache's key: the same text may want other types for other kinds of values.
std::string key_of(const SqlStatement& statement) {
  std::string key = statement.text;
  key += '\0';
  for (const auto& [name, value] : statement.parameters) {
    key += "ndix"[value.index() == 0 ? 0 : value.index() == 2 ? 1 : value.index() == 1 ? 2 : 3];
  }
  return key;
}

/// What the server infers comes first where a column takes the value: a number with a fraction is
/// then refused by a bigint instead of rounded.
std::vector<Oid> types_by_value(const sql::Numbered& statement, const SqlParameters& parameters,
                                bool stored_too) {
  std::vector<Oid> types;
  for (const auto& parameter : statement.parameters) {
    const auto given = parameters.find(parameter.name);
    const bool known = given != parameters.end() && (stored_too || !parameter.stored);
    types.push_back(known ? type_of(given->second) : 0);
  }
  return types;
}

}  // namespace

Result<PluginSql::Values> PluginSql::Values::of(const Prepared& made,
                                                const SqlParameters& parameters) {
  if (auto fine = sql::check_given(made.names, parameters); !fine) return fine.error();
  Values values;
  values.texts.reserve(made.statement.parameters.size());
  for (const auto& parameter : made.statement.parameters) {
    const SqlValue& given = parameters.find(parameter.name)->second;
    if (std::holds_alternative<std::monostate>(given)) {
      values.pointers.push_back(nullptr);
      continue;
    }
    Result<std::string> text = text_of(given, parameter.name);
    if (!text) return text.error();
    values.texts.push_back(std::move(*text));
    values.pointers.push_back(values.texts.back().c_str());
  }
  return values;
}

PluginSql& PluginSql::of(Connection& db, const std::string& plugin) {
  if (!db.plugin_sql) db.plugin_sql = std::make_shared<PluginSql>(db, plugin);
  auto& sql = *static_cast<PluginSql*>(db.plugin_sql.get());
  HOST_CHECK(sql.plugin_ == plugin, "a connection runs SQL of one plugin");
  return sql;
}

PluginSql::PluginSql(Connection& db, std::string plugin) : db_(db), plugin_(std::move(plugin)) {}

void PluginSql::cannot_send() {
  throw Failure::lost(std::string("nothing can be sent: ") + PQerrorMessage(db_.native()));
}

std::optional<Failure> PluginSql::try_prepare(const Prepared& made, const Types& types) {
  if (PQsendPrepare(db_.native(), made.name.c_str(), made.statement.text.c_str(),
                    static_cast<int>(types.size()), types.data()) == 0) {
    cannot_send();
  }
  std::optional<Failure> failure;
  const auto until = db_.deadline();
  while (const ResultHolder result = db_.next_result(until)) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) failure = failure_of(result.get());
  }
  if (failure && failure->lost()) throw *failure;
  return failure;
}

/// Prepares with these types; what has none and needs one gets that of its value, or text.
std::optional<Failure> PluginSql::declare(const Prepared& made, Types& types,
                                          const Types& fallback) {
  while (true) {
    std::optional<Failure> failure = try_prepare(made, types);
    const std::size_t named = failure ? named_parameter(*failure) : 0;
    if (named == 0 || named > types.size() || types[named - 1] != 0) return failure;
    types[named - 1] = fallback[named - 1] != 0 ? fallback[named - 1] : kText;
  }
}

Result<PluginSql::Prepared> PluginSql::resolve(const std::string& text, const sql::Tokens& tokens,
                                               const SqlParameters& parameters) {
  std::optional<Failure> first;
  for (const auto numbering : {sql::Numbering::each_place, sql::Numbering::each_name}) {
    Prepared made{.name = "plugin" + std::to_string(made_ + 1),
                  .statement = sql::number_parameters(text, tokens, numbering),
                  .names = {}};
    const Types fallback = types_by_value(made.statement, parameters, true);
    Types types = types_by_value(made.statement, parameters, false);
    std::optional<Failure> failure = declare(made, types, fallback);
    if (failure && !first) first = failure;
    if (failure && is_about_types(*failure)) {
      types.assign(types.size(), 0);
      failure = declare(made, types, fallback);
    }
    if (!failure) {
      ++made_;
      return made;
    }
    if (!first->is(kGrouping) && !failure->is(kGrouping)) break;
  }
  return explain_to_author(*first, text, db_.limits().statement);
}

Result<PluginSql::Prepared*> PluginSql::prepared(const SqlStatement& statement) {
  std::string key = key_of(statement);
  const auto known = statements_.find(key);
  if (known != statements_.end()) return &known->second;
  const Result<sql::Tokens> tokens = sql::cut_statement(statement.text);
  if (!tokens) return tokens.error();
  if (auto fine = check_wall(*tokens, plugin_); !fine) return fine.error();
  const std::vector<std::string> names = names_of(*tokens);
  if (auto fine = sql::check_given(names, statement.parameters); !fine) return fine.error();
  Result<Prepared> made = resolve(statement.text, *tokens, statement.parameters);
  if (!made) return made.error();
  made->names = names;
  return &statements_.emplace(std::move(key), std::move(*made)).first->second;
}

/// Not one by one: those of a commit that is being made must stay until they are sent.
void PluginSql::forget_all() {
  std::string all;
  for (const auto& [key, made] : statements_) all += "deallocate " + made.name + ";";
  statements_.clear();
  if (PQsendQuery(db_.native(), all.c_str()) == 0) cannot_send();
  const auto until = db_.deadline();
  while (const ResultHolder result = db_.next_result(until)) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) throw failure_of(result.get());
  }
}

Result<void> PluginSql::prepare(const SqlStatement& statement) {
  if (outdated_ || (sent_ && statements_.size() > kKeptStatements)) forget_all();
  sent_ = outdated_ = false;
  const Result<Prepared*> made = prepared(statement);
  if (!made) return made.error();
  return {};
}

bool PluginSql::put(const Prepared& made, const Values& values) {
  return PQsendQueryPrepared(db_.native(), made.name.c_str(),
                             static_cast<int>(values.pointers.size()), values.pointers.data(),
                             nullptr, nullptr, 0) != 0;
}

Result<void> PluginSql::send(const SqlStatement& statement) {
  sent_ = true;
  const auto made = statements_.find(key_of(statement));
  if (made == statements_.end()) {
    return make_error(Error::Code::internal, "a statement was sent that was not prepared");
  }
  const Result<Values> values = Values::of(made->second, statement.parameters);
  if (!values) return values.error();
  if (!put(made->second, *values)) cannot_send();
  return {};
}

Error PluginSql::explain(const Failure& failure, const SqlStatement& statement) {
  if (failure.is("0A000") && statements_.contains(key_of(statement))) {
    // "select *", and the table has got a column. Nobody's fault: the commit is repeated.
    outdated_ = true;
    throw Failure("40001", "a table has changed under a statement");
  }
  return explain_to_author(failure, statement.text, kUnitLimit);
}

Result<void> PluginSql::check(const std::string& text) {
  const Result<sql::Tokens> tokens = sql::cut_statement(text);
  if (!tokens) return tokens.error();
  if (auto fine = check_wall(*tokens, plugin_); !fine) return fine.error();
  std::optional<Failure> first;
  for (const auto numbering : {sql::Numbering::each_place, sql::Numbering::each_name}) {
    // Which values it will be given is not known: one kind that fits is enough.
    const Prepared made{
        .name = "", .statement = sql::number_parameters(text, *tokens, numbering), .names = {}};
    for (const Oid type : {Oid{0}, kInt8, kText}) {
      Types types(made.statement.parameters.size(), type);
      const std::optional<Failure> failure = declare(made, types, types);
      if (!failure) return {};
      if (!first) first = failure;
      if (!is_about_types(*failure)) break;
    }
  }
  return explain_to_author(*first, text, db_.limits().statement);
}

}  // namespace host::postgres
