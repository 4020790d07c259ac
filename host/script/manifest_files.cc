// Routes that serve files, and what clients may keep.
#include <filesystem>

#include "host/script/manifest_reader.h"
#include "host/script/values.h"

namespace host::script {
namespace {

/// Below its folder whatever links are there: no "..", not from "/".
bool stays_inside(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  for (const auto& part : std::filesystem::path(path)) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

void ManifestReader::files(int index, Manifest::Route& route, const Path& at) {
  const std::optional<std::string> folder = text(index, "files", at);
  const std::optional<std::string> fallback = text(index, "fallback", at);
  if (fallback && !folder) problem(at / "fallback", "is there, but there are no `files`");
  if (!folder) return;
  const Path here = at / "files";
  if (route.method != "GET") problem(here, "is there, but only GET routes serve files");
  if (!route.pattern.ends_with("/*")) {
    problem(here, "needs a path that ends in /*", "[\"GET /*\"] = { files = \"web\" }");
  }
  if (!stays_inside(*folder)) {
    return problem(here, "\"" + *folder + "\" is no folder beside the plugin",
                   "a name like \"web\"");
  }
  if (fallback && !stays_inside(*fallback)) {
    return problem(at / "fallback", "\"" + *fallback + "\" is no file in the folder");
  }
  const auto root = std::filesystem::path(request_.file).parent_path() / *folder;
  // Only a new revision is looked at: others are made of what was checked.
  if (request_.files.empty()) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(root, ignored)) {
      problem(here, "names a folder that is not there: " + root.string(),
              "it is looked for beside the plugin's file");
    } else if (fallback && !std::filesystem::is_regular_file(root / *fallback, ignored)) {
      problem(at / "fallback", "names a file that is not there: " + (root / *fallback).string());
    }
  }
  route.files = Manifest::Files{.folder = root.string(), .fallback = fallback.value_or("")};
}

void ManifestReader::cache(int index, Manifest::Route& route, const Path& at) {
  if (!get(index, "cache")) return;
  const auto age = to_duration(L_, lua_gettop(L_));
  lua_pop(L_, 1);
  const Path here = at / "cache";
  if (!age) {
    return problem(here, "is no duration: " + age.error().message, "cache = \"5m\"; 0: ask anew");
  }
  if (route.method != "GET") problem(here, "is there, but only answers to GET are kept");
  if (route.stream) problem(here, "is there, but a stream is not kept");
  // What needs a token is for its client alone.
  route.cache = Manifest::Cache{.max_age = *age, .shared = route.auth_none};
}

}  // namespace host::script
