#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/adapters/sql/text.h"

namespace host::sql {

/// One statement of a migration: that it only adds, to what, and with which types is checked.
struct Change {
  enum class Kind { create_table, create_index, add_column };
  Kind kind = Kind::create_table;
  std::string table;
  std::string index;                // of create_index
  std::vector<std::size_t> texts;   // behind each column type `text` that has no collation
  std::size_t begin = 0, size = 0;  // where the statement is in the migration, without its ';'
};

/// The statements of one migration of a plugin. Errors: invalid: it does not only add, a name does
/// not begin with "PLUGIN_", a column is not text, bigint or double precision; or it is empty.
Result<std::vector<Change>> read_migration(std::string_view migration, const std::string& plugin);

/// What is recorded of a migration that ran, so that an edited one is noticed.
std::string migration_hash(std::string_view migration);

/// "migration 3 of owls", as every error names it.
std::string migration_name(const std::string& plugin, std::size_t number);
/// The Error of a migration whose record differs.
Error migration_changed(const std::string& plugin, std::size_t number);

}  // namespace host::sql
