#include "host/adapters/sql/parameters.h"

#include <algorithm>
#include <array>

namespace host::sql {
namespace {

/// Finds the places whose parameter becomes a column's value as it is: `values (:a, :b)` of an
/// insert and `set a = :a`.
class StoredPlaces {
 public:
  explicit StoredPlaces(const Tokens& tokens) : tokens_(tokens) {}

  bool at(std::size_t i) const { return in_values(i) || in_set(i); }

 private:
  bool sign(std::size_t i, std::string_view what) const {
    return i < tokens_.size() && tokens_[i].is_sign(what);
  }
  bool word(std::size_t i, std::string_view what) const {
    return i < tokens_.size() && tokens_[i].is(what);
  }

  bool in_values(std::size_t i) const {
    if (i < 2 || !(sign(i - 1, "(") || sign(i - 1, ","))) return false;
    if (!(sign(i + 1, ",") || sign(i + 1, ")"))) return false;
    const std::size_t open = opening(i);
    if (open == kNone || open == 0) return false;
    // Back over the rows before: values (...), (...
    std::size_t before = open - 1;
    while (before > 1 && sign(before, ",") && sign(before - 1, ")")) {
      const std::size_t row = opening(before - 1);
      if (row == kNone || row == 0) return false;
      before = row - 1;
    }
    return word(before, "values") && depth(before) == 0 && word(0, "insert");
  }

  bool in_set(std::size_t i) const {
    static constexpr std::array kAfter{"where", "from", "returning"};
    if (i < 3 || !sign(i - 1, "=") || depth(i) != 0) return false;
    if (!word(i - 3, "set") && !sign(i - 3, ",")) return false;
    if (!word(i - 3, "set") && !in_set_list(i - 3)) return false;
    return i + 1 >= tokens_.size() || sign(i + 1, ",") ||
           std::any_of(kAfter.begin(), kAfter.end(),
                       [&](const char* after) { return word(i + 1, after); });
  }
  /// The comma at `i` parts assignments: behind `set`, before what ends them.
  bool in_set_list(std::size_t i) const {
    while (i-- > 0) {
      if (word(i, "set")) return true;
      if (word(i, "where") || word(i, "from") || word(i, "returning")) return false;
    }
    return false;
  }

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  /// The bracket that is open at `i`.
  std::size_t opening(std::size_t i) const {
    int closed = 0;
    while (i-- > 0) {
      if (sign(i, ")")) ++closed;
      if (sign(i, "(") && closed-- == 0) return i;
    }
    return kNone;
  }
  int depth(std::size_t i) const {
    int open = 0;
    for (std::size_t j = 0; j < i; ++j) open += sign(j, "(") ? 1 : sign(j, ")") ? -1 : 0;
    return open;
  }

  const Tokens& tokens_;
};

}  // namespace

std::size_t Numbered::original(std::size_t at) const {
  std::ptrdiff_t by = 0;
  for (const Shift& shift : shifts) {
    if (shift.from <= at) by = shift.by;
  }
  return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at) + by);
}

Numbered number_parameters(std::string_view named, const Tokens& tokens, Numbering numbering) {
  Numbered out;
  const StoredPlaces stored(tokens);
  std::size_t copied = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.kind != Token::Kind::parameter) continue;
    auto found = out.parameters.end();
    if (numbering == Numbering::each_name) {
      found = std::find_if(out.parameters.begin(), out.parameters.end(),
                           [&](const auto& p) { return p.name == token.text; });
      if (found != out.parameters.end()) found->stored = false;  // it has other places
    }
    if (found == out.parameters.end()) {
      found = out.parameters.insert(found, {token.text, stored.at(i)});
    }
    out.text += named.substr(copied, token.at - copied);
    out.text += "$" + std::to_string(found - out.parameters.begin() + 1);
    copied = token.at + token.size;
    out.shifts.push_back({out.text.size(), static_cast<std::ptrdiff_t>(copied) -
                                               static_cast<std::ptrdiff_t>(out.text.size())});
  }
  out.text += named.substr(copied);
  return out;
}

}  // namespace host::sql
