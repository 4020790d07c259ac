#include "host/script/loader_sources.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

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

std::string beside(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    HOST_CHECK(context_ && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1, "no SHA-256");
  }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view text) {
    const std::string size = std::to_string(text.size()) + ":";
    EVP_DigestUpdate(context_, size.data(), size.size());
    EVP_DigestUpdate(context_, text.data(), text.size());
  }
  std::string hex(std::size_t digits) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    EVP_DigestFinal_ex(context_, digest.data(), nullptr);
    std::string out;
    for (std::size_t i = 0; i < digits; ++i) {
      out += "0123456789abcdef"[(digest[i / 2] >> (i % 2 ? 0 : 4)) & 15];
    }
    return out;
  }

 private:
  EVP_MD_CTX* context_;
};

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
    std::ifstream in(file->path, std::ios::binary);
    if (in) file->text.assign(std::istreambuf_iterator<char>(in), {});
    if (!in || in.bad()) {
      return make_error(Error::Code::not_found,
                        "cannot read " + file->path + ": " + std::strerror(errno));
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
  Sha256 hash;
  for (const File* file : sorted) {
    hash.add(file->module);
    hash.add(file->text);
  }
  return hash.hex(12);
}

}  // namespace host::script
