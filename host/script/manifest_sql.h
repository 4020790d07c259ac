#pragma once

#include <string>
#include <string_view>

namespace host::script {

/// What is wrong with one migration of a plugin's `tables`, or "": it adds a table, an index or a
/// column, names begin with "PLUGIN_", column types are text, bigint, double precision. The store
/// checks it again when it runs.
std::string migration_problem(std::string_view sql, std::string_view plugin);

}  // namespace host::script
