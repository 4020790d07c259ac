#include "host/core/http_cache.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>

namespace host {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

/// Calls `each` with the members of a list that commas part; it ends the walk by returning true.
template <class F>
bool any_member(std::string_view list, F each) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (each(trimmed(list.substr(at, end - at)))) return true;
    at = end + 1;
  }
  return false;
}

/// "q=0", "q=0.000".
bool is_refused(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return false;
  const std::string_view value = trimmed(parameters.substr(at + 2));
  return !value.empty() && value.find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  const auto strong = [](std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
  };
  return any_member(if_none_match, [&](std::string_view member) {
    return member == "*" || strong(member) == strong(etag);
  });
}

bool takes_encoding(std::string_view accept_encoding, std::string_view coding) {
  bool named = false, taken = false, others = false;
  any_member(accept_encoding, [&](std::string_view member) {
    const std::size_t semicolon = std::min(member.find(';'), member.size());
    const std::string_view name = trimmed(member.substr(0, semicolon));
    const bool yes = !is_refused(member.substr(semicolon));
    if (equal_names(name, coding)) {
      named = true;
      taken = yes;
    } else if (name == "*") {
      others = yes;
    }
    return false;
  });
  return named ? taken : others;
}

std::string etag_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char text[20];
  const auto [end, ec] = std::to_chars(text, text + sizeof text, hash, 16);
  return "\"" + std::string(text, end) + "-" + std::to_string(bytes.size()) + "\"";
}

std::string cache_control(long long max_age_seconds, bool shared) {
  if (max_age_seconds <= 0) return shared ? "no-cache" : "private, no-cache";
  return std::string(shared ? "public" : "private") +
         ", max-age=" + std::to_string(max_age_seconds);
}

void answer_if_changed(const HttpRequest& request, HttpResponse& response) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads || response.status != 200) return;
  if (find_header(response.headers, "etag") == nullptr) {
    set_header(response.headers, "etag", etag_of(response.body));
  }
  const std::string* known = find_header(request.headers, "if-none-match");
  if (known == nullptr || !names_etag(*known, *find_header(response.headers, "etag"))) return;
  response.status = 304;
  response.body.clear();
  std::erase_if(response.headers, [](const auto& header) {
    return header.first == "content-type" || header.first == "content-encoding";
  });
}

}  // namespace host
