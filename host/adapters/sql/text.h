#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"

namespace host::sql {

/// A piece of a statement.
struct Token {
  enum class Kind {
    word,       // a keyword or a name, small letters
    quoted,     // "a name", without its quotes
    text,       // 'a text', with its quotes
    number,     // digits
    parameter,  // :name, without its colon
    sign,       // any other character; "::" is one
  };
  Kind kind = Kind::sign;
  std::string text;
  std::size_t at = 0;    // where it begins
  std::size_t size = 0;  // bytes that it takes

  bool is(std::string_view word) const { return kind == Kind::word && text == word; }
  bool is_sign(std::string_view sign) const { return kind == Kind::sign && text == sign; }
};
using Tokens = std::vector<Token>;

/// Cuts a text as SQLite and PostgreSQL both cut it, without spaces and comments. What they would
/// cut differently (dollar quotes, e'' and u&'' quotes, comments inside of comments), NUL, a quote
/// or comment without end, and parameters other than :name are refused. Errors: invalid.
Result<Tokens> cut(std::string_view text);

/// One statement of SELECT, INSERT, UPDATE, DELETE or WITH; its pieces, without a ';' at its end.
/// Errors: invalid, for the script's author.
Result<Tokens> cut_statement(std::string_view text);

/// Where `at` is in a text, for people: "line 2, column 7". Columns count characters.
std::string place(std::string_view text, std::size_t at);

/// ASCII letters made small, as both databases do with names.
std::string lower(std::string_view text);

}  // namespace host::sql
