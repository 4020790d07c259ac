#include "host/adapters/postgres/wall.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "host/adapters/postgres/names.h"

namespace host::postgres {
namespace {

using sql::Token;

// Catalogs, files, advisory locks, other backends; the host's tables in the plugin's own schema.
constexpr std::array<std::string_view, 3> kNames{"pg_", "host_", "information_schema"};

// Before a bracket. Settings of the session; large objects; other servers; texts that are run.
constexpr std::array<std::string_view, 7> kFunctionsBeginning{
    "lo_",           "dblink",        "query_to_xml",   "table_to_xml",
    "cursor_to_xml", "schema_to_xml", "database_to_xml"};
constexpr std::array<std::string_view, 8> kFunctions{"set_config", "current_setting", "loread",
                                                     "lowrite",    "ts_stat",         "ts_rewrite",
                                                     "setval",     "nextval"};
template <class List>
bool begins_with_one(std::string_view name, const List& list) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view entry) { return name.starts_with(entry); });
}

Error refused(const std::string& why, const std::string& hint = {}) {
  return make_error(Error::Code::invalid, why, hint);
}

Result<void> check_name(const std::string& name, bool called, bool qualifies,
                        const std::string& plugin) {
  if (begins_with_one(name, kNames)) {
    return refused("the name " + name + " is not a plugin's",
                   "a plugin reaches its own tables alone; names that begin with host_ or pg_ are "
                   "those of host and server");
  }
  const bool function = std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end() ||
                        begins_with_one(name, kFunctionsBeginning);
  if (called && function) return refused("function " + name + " is not allowed");
  const bool schema = name == kCommonSchema || name.starts_with(schema_name(""));
  if (qualifies && schema && name != schema_name(plugin)) {
    return refused("the schema " + name + " does not belong to plugin " + plugin,
                   "if it is an alias, give it another name");
  }
  return {};
}

}  // namespace

Result<void> check_wall(const sql::Tokens& tokens, const std::string& plugin) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.is("into") && (i == 0 || !tokens[i - 1].is("insert"))) {
      return refused("only INSERT INTO is allowed", "a table is made by a migration");
    }
    if (token.kind != Token::Kind::word && token.kind != Token::Kind::quoted) continue;
    const bool last = i + 1 == tokens.size();
    const bool called = !last && tokens[i + 1].is_sign("(");
    const bool qualifies = !last && tokens[i + 1].is_sign(".");
    if (auto fine = check_name(sql::lower(token.text), called, qualifies, plugin); !fine) {
      return fine;
    }
  }
  return {};
}

}  // namespace host::postgres
