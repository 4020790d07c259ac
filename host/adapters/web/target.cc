#include "host/adapters/web/target.h"

#include <algorithm>

#include "host/base/utf8.h"

namespace host::web {
namespace {

Error bad(std::string message) { return make_error(Error::Code::invalid, std::move(message)); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> decode(std::string_view text, bool in_query) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return bad("the target has a broken percent-encoding");
      c = static_cast<char>(high * 16 + low);
      i += 2;
      if (!in_query && c == '/') return bad("the path has an encoded slash");
    } else if (in_query && c == '+') {
      c = ' ';
    }
    if (c == '\0') return bad("the target has a NUL");
    if (!in_query && c == '\\') return bad("the path has a backslash");
    out += c;
  }
  if (!valid_utf8(out)) return bad("the target is not UTF-8 after decoding");
  return out;
}

bool has_dot_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(segment.size());
  }
  return false;
}

Result<void> parse_query(std::string_view text, Target& into) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    Result<std::string> name = decode(pair.substr(0, equals), true);
    if (!name) return name.error();
    Result<std::string> value =
        equals == std::string_view::npos ? std::string() : decode(pair.substr(equals + 1), true);
    if (!value) return value.error();
    into.query.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

/// Cuts "http://authority" off an absolute target; the authority stands for the Host header.
Result<std::string_view> cut_authority(std::string_view target, Target& into) {
  constexpr std::string_view kScheme = "http://";
  std::string scheme(target.substr(0, kScheme.size()));
  for (char& c : scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (scheme != kScheme) return bad("the target is neither a path nor an http URL");
  target.remove_prefix(kScheme.size());
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  into.authority = std::string(target.substr(0, end));
  if (into.authority.empty()) return bad("the target has an empty authority");
  return target.substr(end);
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
  Target parsed;
  if (target.find('#') != std::string_view::npos) return bad("the target has a fragment");
  if (target.empty() || target[0] != '/') {
    Result<std::string_view> rest = cut_authority(target, parsed);
    if (!rest) return rest.error();
    target = *rest;
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  Result<std::string> path = decode(target.substr(0, mark), false);
  if (!path) return path.error();
  parsed.path = path->empty() ? "/" : std::move(*path);
  if (has_dot_segment(parsed.path)) return bad("the path has a \".\" or \"..\" segment");
  if (mark < target.size()) {
    const Result<void> query = parse_query(target.substr(mark + 1), parsed);
    if (!query) return query.error();
  }
  return parsed;
}

}  // namespace host::web
