#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace host::script {

/// One token of Lua source, good enough to find places in it; numbers and operators are symbols.
struct Token {
  enum class Kind { name, text, symbol };
  Kind kind = Kind::symbol;
  std::string text;  // of a text: its value, escapes other than quotes left as they are
  int line = 0;      // 1-based

  bool is(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == Kind::name && text == name; }
};

/// Never fails: what is no Lua gives odd tokens. Comments are left out.
std::vector<Token> tokenize(std::string_view source);

}  // namespace host::script
