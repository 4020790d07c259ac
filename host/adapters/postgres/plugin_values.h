#pragma once

#include <string>
#include <vector>

#include "host/adapters/postgres/plugin_sql.h"

namespace host::postgres {

/// The parameters of one execution, in the order of their numbers.
struct PluginSql::Values {
  /// Errors: invalid (not given, given for nothing, no text of PostgreSQL's).
  static Result<Values> of(const Prepared& made, const SqlParameters& parameters);

  std::vector<std::string> texts;
  std::vector<const char*> pointers;  // null: NULL
};

}  // namespace host::postgres
