#include "host/app/role_passwords.h"

#include <filesystem>

#include "host/adapters/files/read_file.h"

namespace host::app {

Result<std::optional<std::string>> RolePasswords::of(const std::string& role) const {
  const auto file = std::filesystem::path(folder_) / role;
  std::error_code error;
  if (!folder_.empty() && std::filesystem::exists(file, error)) {
    Result<std::string> text = files::read_file(file.string());
    if (!text) return text.error();
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return std::optional(std::move(*text));
  }
  const auto found = variables_.find(role);
  if (found == variables_.end()) return std::optional<std::string>();
  return std::optional(found->second);
}

Result<std::string> RolePasswords::of_url(const postgres::Conninfo& where) const {
  if (where.has_password() || where.user().empty()) return std::string();
  Result<std::optional<std::string>> password = of(where.user());
  if (!password) return password.error();
  return std::move(*password).value_or("");
}

}  // namespace host::app
