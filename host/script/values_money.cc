// Amounts of money as text and as numbers; no Lua.
#include <cmath>

#include "host/script/values.h"

namespace host::script {

std::string format_money(std::int64_t minor) {
  const std::uint64_t size =
      minor < 0 ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor);
  std::string cents = std::to_string(size % 100);
  if (cents.size() < 2) cents.insert(0, "0");
  return (minor < 0 ? "-" : "") + std::to_string(size / 100) + "." + cents;
}

Result<std::int64_t> parse_money(std::string_view text) {
  const auto bad = [&](const char* why) {
    return make_error(Error::Code::invalid,
                      "\"" + std::string(text.substr(0, 40)) + "\" is no money: " + why,
                      "write it like \"2.50\"");
  };
  std::string_view digits = text;
  const bool negative = !digits.empty() && digits.front() == '-';
  if (negative) digits.remove_prefix(1);
  const std::size_t point = digits.find('.');
  const std::string_view whole = digits.substr(0, point);
  const std::string_view cents =
      point == std::string_view::npos ? std::string_view() : digits.substr(point + 1);
  if (whole.empty() || whole.size() > 14 || (point != std::string_view::npos && cents.empty())) {
    return bad("it is not a decimal number");
  }
  if (cents.size() > 2) return bad("it has more than two decimals");
  std::int64_t minor = 0;
  for (const char c : whole) {
    if (c < '0' || c > '9') return bad("it is not a decimal number");
    minor = minor * 10 + (c - '0');
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const char c = i < cents.size() ? cents[i] : '0';
    if (c < '0' || c > '9') return bad("it is not a decimal number");
    minor = minor * 10 + (c - '0');
  }
  if (minor > kMaxMoney) return bad("it is beyond 70 trillion");
  return negative ? -minor : minor;
}

Result<std::int64_t> money_of_number(double value) {
  constexpr auto kMost = static_cast<double>(kMaxMoney);
  const double near = std::round(value * 100);
  if (!(std::abs(near) <= kMost + 1)) {
    return make_error(Error::Code::invalid, "is no amount of money up to 70 trillion");
  }
  // From 35 trillion on the product can be one off; the quotient never is.
  for (const double minor : {near, near - 1, near + 1}) {
    if (minor / 100 != value) continue;
    if (std::abs(minor) <= kMost) return static_cast<std::int64_t>(minor);
    return make_error(Error::Code::invalid, "is no amount of money up to 70 trillion");
  }
  return make_error(Error::Code::invalid, "has more than two decimals");
}

}  // namespace host::script
