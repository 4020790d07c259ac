#pragma once

#include <string>
#include <vector>

#include "host/adapters/sql/text.h"

namespace host::sql {

/// A statement whose named parameters have become numbered ones, as PostgreSQL takes them.
struct Numbered {
  struct Parameter {
    std::string name;
    bool stored = false;  // it stands alone where a column takes it: its type is the column's
  };
  std::string text;
  std::vector<Parameter> parameters;  // [0] is $1

  /// The byte of `named` that byte `at` of `text` stands for.
  std::size_t original(std::size_t at) const;

  struct Shift {
    std::size_t from = 0;   // in `text`, from here on
    std::ptrdiff_t by = 0;  // bytes to add
  };
  std::vector<Shift> shifts;
};

enum class Numbering {
  each_place,  // a number wherever a name stands: each is typed where it stands
  each_name,   // one number a name, for what must be recognised as the same expression
};

/// `tokens` are those of `named`. Never fails: cut() has looked at the text.
Numbered number_parameters(std::string_view named, const Tokens& tokens, Numbering numbering);

}  // namespace host::sql
