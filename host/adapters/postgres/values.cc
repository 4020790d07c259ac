#include "host/adapters/postgres/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "host/adapters/postgres/params.h"

namespace host::postgres {
namespace {

// Types as the server numbers them (pg_type.h); they never change.
constexpr Oid kInt2 = 21, kOid = 26, kFloat4 = 700, kFloat8 = 701, kTimestampTz = 1184,
              kNumeric = 1700;

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Error unreadable(const std::string& column, std::string_view text) {
  return make_error(Error::Code::internal,
                    "column " + column + ": the database answered \"" + std::string(text) + "\"");
}

Result<SqlValue> number(std::string_view text, const std::string& column) {
  if (text == "NaN") return SqlValue{};
  if (text == "Infinity") return SqlValue{std::numeric_limits<double>::infinity()};
  if (text == "-Infinity") return SqlValue{-std::numeric_limits<double>::infinity()};
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return unreadable(column, text);
  if (problem == std::errc::result_out_of_range) {
    const bool tiny = text.starts_with("0.") || text.starts_with("-0.");
    value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
    if (text.front() == '-') value = -value;
  }
  return SqlValue{value};
}

/// What sum(), avg() and round() give. Its text has a fraction as long as its scale, also of zeros.
Result<SqlValue> numeric(std::string_view text, const std::string& column) {
  const std::size_t point = text.find('.');
  const std::string_view before = text.substr(0, point);
  const bool integral =
      point == std::string_view::npos || text.find_first_not_of('0', point + 1) == text.npos;
  if (!integral || before == "NaN" || before.ends_with("Infinity")) return number(text, column);
  if (const auto value = whole(before)) return SqlValue{*value};
  return make_error(Error::Code::invalid,
                    "column " + column + " has a number of " + std::to_string(before.size()) +
                        " digits, which is beyond an integer of 64 bits",
                    "cast it: to double precision, or to text");
}

/// "2026-11-21 22:10:02.5+00" as "2026-11-21T22:10:02.500000Z". Sessions have the time zone UTC.
/// What has no such form (infinity, years beyond 9999, BC) stays as it is.
std::string utc_text(std::string_view text) {
  static constexpr std::string_view kShape = "dddd-dd-dd dd:dd:dd";
  const auto fits = [&](std::size_t i) {
    return kShape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == kShape[i];
  };
  bool known = text.size() > kShape.size() && text.ends_with("+00");
  for (std::size_t i = 0; known && i < kShape.size(); ++i) known = fits(i);
  if (!known) return std::string(text);
  std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 3);
  if (!fraction.empty()) fraction.remove_prefix(1);
  std::string out(text.substr(0, kShape.size()));
  out[10] = 'T';
  out += '.';
  out += fraction;
  out.append(6 - std::min<std::size_t>(fraction.size(), 6), '0');
  return out += 'Z';
}

}  // namespace

Result<SqlValue> value_of(Oid type, std::string_view text, const std::string& column) {
  switch (type) {
    case kBool:
      return SqlValue{std::int64_t{text == "t" ? 1 : 0}};
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid:
      if (const auto value = whole(text)) return SqlValue{*value};
      return unreadable(column, text);
    case kFloat4:
    case kFloat8:
      return number(text, column);
    case kNumeric:
      return numeric(text, column);
    case kTimestampTz:
      return SqlValue{utc_text(text)};
    case kBytea:
      return make_error(Error::Code::invalid,
                        "column " + column + " is a bytea (a blob), which is no value",
                        "use text, bigint or double precision");
    default:
      return SqlValue{std::string(text)};
  }
}

Result<std::string> text_of(const SqlValue& value, const std::string& parameter) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) {
    if (std::isnan(*real)) return std::string("NaN");
    if (std::isinf(*real)) return std::string(*real > 0 ? "Infinity" : "-Infinity");
    char digits[32];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), *real).ptr;
    return std::string(digits, static_cast<std::size_t>(end - digits));
  }
  const auto& text = std::get<std::string>(value);
  if (text.find('\0') != std::string::npos) {
    return make_error(Error::Code::invalid,
                      "parameter :" + parameter + " holds a NUL, which PostgreSQL does not keep",
                      "store bytes as hex digits or base64");
  }
  return text;
}

Oid type_of(const SqlValue& value) {
  if (std::holds_alternative<std::int64_t>(value)) return kInt8;
  if (std::holds_alternative<double>(value)) return kFloat8;
  return std::holds_alternative<std::string>(value) ? kText : 0;
}

}  // namespace host::postgres
