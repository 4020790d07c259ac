#include "host/script/schema_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "host/script/values.h"

namespace host::script {
namespace {

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string number_text(double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

/// A limit in the words of its kind.
std::string limit_text(const Schema& schema, double limit) {
  switch (schema.kind()) {
    case Schema::Kind::money:
      return format_money(static_cast<std::int64_t>(limit));
    case Schema::Kind::time:
      return format_time(from_micros(static_cast<std::int64_t>(limit)));
    case Schema::Kind::duration:
      return format_duration(Duration{std::llround(limit * 1e6)});
    default:
      return number_text(limit);
  }
}

std::string check_range(const Schema& schema, double value) {
  const auto& [min, max] = std::pair(schema.parts().min, schema.parts().max);
  if (min && value < *min) return "is less than " + limit_text(schema, *min);
  if (max && value > *max) return "is more than " + limit_text(schema, *max);
  return {};
}

std::string counted(double n, const char* one, const char* many) {
  return number_text(n) + " " + (n == 1 ? one : many);
}

std::string check_size(const Schema& schema, std::size_t size, const char* one, const char* many) {
  const auto n = static_cast<double>(size);
  const auto& [min, max] = std::pair(schema.parts().min, schema.parts().max);
  if (min && n < *min) return "has fewer than " + counted(*min, one, many);
  if (max && n > *max) return "has more than " + counted(*max, one, many);
  return {};
}

std::string check_pattern(const std::string& pattern, std::string_view text,
                          PatternBudget& budget) {
  const bool anchored = !pattern.empty() && pattern.front() == '^';
  PatternMatch match(text, std::string_view(pattern).substr(anchored ? 1 : 0), budget);
  const char* place = text.data();
  const char* const end = text.data() + text.size();
  for (;;) {
    if (match.at(place)) return {};
    if (match.error() != PatternMatch::Error::none) {
      return std::string("cannot be matched with the pattern ") + pattern + ": " +
             to_string(match.error());
    }
    if (anchored || place == end) return "does not match the pattern " + pattern;
    ++place;
  }
}

std::string check_url(std::string_view text) {
  std::size_t host = 0;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.starts_with(scheme)) host = scheme.size();
  }
  if (host == 0) return "is no URL: it begins with http:// or https://";
  const bool blank = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>' || c == 127;
  });
  if (blank) return "is no URL: it holds a blank or a quote";
  const std::string_view rest = text.substr(host);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::string_view name =
      authority.substr(authority.find('@') == std::string_view::npos ? 0 : authority.find('@') + 1);
  if (name.empty() || name.front() == ':') return "is no URL: it names no host";
  return {};
}

std::string scalar_text(const Scalar& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const double* number = std::get_if<double>(&value)) return number_text(*number);
  return "\"" + std::get<std::string>(value) + "\"";
}

/// Edit distance in which two letters that swapped places count as one edit.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last.back();
}

}  // namespace

std::string check_string(const Schema& schema, std::string_view text, PatternBudget& budget) {
  const Schema::Parts& parts = schema.parts();
  if (schema.kind() == Schema::Kind::url) return check_url(text);
  // There are no more characters than bytes: mostly nobody has to count them.
  const bool may_be_long = parts.max && static_cast<double>(text.size()) > *parts.max;
  if (parts.min || may_be_long) {
    std::string why = check_size(schema, characters(text), "character", "characters");
    if (!why.empty()) return why;
  }
  return parts.pattern.empty() ? std::string() : check_pattern(parts.pattern, text, budget);
}

std::string check_number(const Schema& schema, double value) {
  if (!std::isfinite(value)) return "is not a finite number";
  if (schema.kind() == Schema::Kind::integer && std::floor(value) != value) {
    return "is not a whole number";
  }
  return check_range(schema, value);
}

std::string check_money(const Schema& schema, std::int64_t minor) {
  return check_range(schema, static_cast<double>(minor));
}
std::string check_time(const Schema& schema, Time time) {
  return check_range(schema, static_cast<double>(to_micros(time)));
}
std::string check_seconds(const Schema& schema, double seconds) {
  return check_range(schema, seconds);
}
std::string check_count(const Schema& schema, std::size_t count) {
  switch (schema.kind()) {
    case Schema::Kind::map:
      return check_size(schema, count, "entry", "entries");
    case Schema::Kind::lines:
      return check_size(schema, count, "line", "lines");
    default:
      return check_size(schema, count, "item", "items");
  }
}

std::string check_one_of(const Schema& schema, const Scalar& value) {
  const std::vector<Scalar>& values = schema.parts().values;
  if (std::find(values.begin(), values.end(), value) != values.end()) return {};
  if (values.size() == 1) return "is not " + scalar_text(values.front());
  std::string out = "is not one of ";
  constexpr std::size_t kShown = 12;
  for (std::size_t i = 0; i < values.size() && i < kShown; ++i) {
    out += (i ? ", " : "") + scalar_text(values[i]);
  }
  if (values.size() > kShown) out += " and " + std::to_string(values.size() - kShown) + " others";
  return out;
}

std::string wrong_type(const Schema& schema, std::string_view found) {
  return "is " + std::string(found) + ", not " + schema.describe();
}

std::string nearest(std::string_view name, const std::vector<std::string_view>& names) {
  std::string_view best;
  std::size_t best_distance = name.size() < 2 ? 1 : name.size() < 4 ? 2 : 1 + name.size() / 3;
  for (const std::string_view candidate : names) {
    if (candidate.size() > 64 || name.size() > 64) continue;
    const std::size_t d = distance(name, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return std::string(best);
}

std::string unknown_field(const Schema& record, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Schema::Field& field : record.fields()) names.push_back(field.name);
  const std::string near = nearest(name, names);
  return near.empty() ? "is not a field here"
                      : "is not a field here; did you mean \"" + near + "\"?";
}

std::string to_string(const PathStep* path) {
  if (!path) return {};
  std::string out = to_string(path->up);
  if (path->name.data() == nullptr) {
    if (path->index > 0) out += "[" + std::to_string(path->index) + "]";
    return out;
  }
  if (!out.empty()) out += ".";
  return out.append(path->name);
}

void Report::add(const PathStep* path, std::string message) {
  ++found_;
  if (!full()) out_.push_back({to_string(path), std::move(message)});
}

std::string to_string(const Violations& violations) {
  std::string out;
  for (const Violation& violation : violations) {
    if (!out.empty()) out += "; ";
    out += violation.at.empty() ? violation.message : violation.at + ": " + violation.message;
  }
  return out;
}

}  // namespace host::script
