#include "host/script/loader_sources.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "host/base/digest.h"

namespace host::script {
namespace {

bool is_module_name(std::string_view name) {
  bool begins = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = (c >= '0' && c <= '9') || c == '-';
    if (c == '.' ? begins : !(letter || (digit && !begins))) return false;
    begins = c == '.';
  }
  return !begins;
}

/// 0 or an errno. A stream's buffer throws where the file is a folder.
int read_file(const std::string& path, std::string& text) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  bool good = in.is_open();
  try {
    if (good) text.assign(std::istreambuf_iterator<char>(in), {});
  } catch (const std::ios_base::failure&) {
    good = false;
  }
  return good ? 0 : errno != 0 ? errno : EIO;
}

std::string beside(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

}  // namespace

Sources::Sources(const LoadRequest& request) : request_(request) {}

Result<Sources::Found> Sources::read_plugin() { return read("", request_.file); }

Result<Sources::Found> Sources::read_module(std::string_view name) {
  if (!is_module_name(name)) {
    return make_error(Error::Code::invalid, "\"" + std::string(name) + "\" is no name of a module",
                      "names are words with dots between them: scenarios.hogwarts.place");
  }
  std::string path(name);
  std::replace(path.begin(), path.end(), '.', '/');
  path += ".lua";
  if (name.starts_with("scenarios.") || name.starts_with("policies.")) {
    const bool here = request_.root.empty() || request_.root == ".";
    path = (here ? "" : request_.root + "/") + "scripts/" + path;
  } else {
    path = beside(request_.file) + path;
  }
  return read(std::string(name), std::move(path));
}

Result<Sources::Found> Sources::read(std::string module, std::string path) {
  for (const auto& file : files_) {
    if (file->path == path) return Found{file->path, file->text};
  }
  auto file = std::make_unique<File>();
  file->module = std::move(module);
  file->path = std::move(path);
  if (!request_.files.empty()) {
    const auto given = std::find_if(request_.files.begin(), request_.files.end(),
                                    [&](const auto& entry) { return entry.first == file->path; });
    if (given == request_.files.end()) {
      return make_error(Error::Code::not_found, file->path + " does not belong to this revision");
    }
    file->text = given->second;
  } else {
    if (const int why = read_file(file->path, file->text); why != 0) {
      return make_error(Error::Code::not_found,
                        "cannot read " + file->path + ": " + std::strerror(why));
    }
  }
  files_.push_back(std::move(file));
  return Found{files_.back()->path, files_.back()->text};
}

std::string Sources::path_of(std::string_view module) const {
  for (const auto& file : files_) {
    if (file->module == module) return file->path;
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> Sources::files() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& file : files_) out.emplace_back(file->path, file->text);
  return out;
}

std::string Sources::revision() const {
  std::vector<const File*> sorted;
  for (const auto& file : files_) sorted.push_back(file.get());
  std::sort(sorted.begin(), sorted.end(),
            [](const File* a, const File* b) { return a->module < b->module; });
  std::string all;
  for (const File* file : sorted) {
    all += std::to_string(file->module.size()) + ":" + file->module;
    all += std::to_string(file->text.size()) + ":" + file->text;
  }
  return to_hex(sha256(all).data(), 6);
}

}  // namespace host::script
