#include "host/adapters/sql/text.h"

#include <algorithm>
#include <array>

namespace host::sql {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/// Reads a text from left to right; what it refuses is remembered.
class Cutter {
 public:
  explicit Cutter(std::string_view text) : text_(text) {}

  Result<Tokens> all() {
    while (skip_blank() && at_ < text_.size()) {
      if (!next()) break;
    }
    if (!why_.empty()) {
      return make_error(Error::Code::invalid, why_ + " (" + place(text_, at_) + ")", hint_);
    }
    return std::move(tokens_);
  }

 private:
  bool refuse(std::string why, std::string hint) {
    why_ = std::move(why);
    hint_ = std::move(hint);
    return false;
  }
  bool begins(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  char peek(std::size_t ahead) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  bool skip_blank() {
    while (at_ < text_.size()) {
      if (is_space(text_[at_])) {
        ++at_;
      } else if (begins("--")) {
        at_ = std::min(text_.find_first_of("\n\r", at_), text_.size());
      } else if (begins("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return refuse("a comment has no end", "write */");
        if (text_.substr(at_ + 2, end - at_ - 2).find("/*") != std::string_view::npos) {
          return refuse("a comment inside of a comment", "databases differ on where it ends");
        }
        at_ = end + 2;
      } else {
        break;
      }
    }
    return true;
  }

  void add(Token::Kind kind, std::string text, std::size_t size) {
    tokens_.push_back({kind, std::move(text), at_, size});
    at_ += size;
  }

  bool next() {
    const char c = text_[at_];
    if (is_letter(c)) return word();
    if (is_digit(c)) {
      std::size_t size = 1;
      while (is_digit(peek(size))) ++size;
      add(Token::Kind::number, std::string(text_.substr(at_, size)), size);
      return true;
    }
    if (c == '\'' || c == '"') return quoted(c);
    if (c == ':') return colon();
    if (c == '\0') return refuse("the statement contains a NUL", "give values as parameters");
    if (c == '`') return refuse("a name in ` `", "write it in \" \", or without quotes");
    if (c == '$' || c == '?' || (c == '@' && is_letter(peek(1)))) {
      std::size_t size = 1;
      while (is_letter(peek(size)) || is_digit(peek(size))) ++size;
      return refuse("parameter " + std::string(text_.substr(at_, size)) + " has no name",
                    "write :name; a text stands in ' '");
    }
    add(Token::Kind::sign, std::string(1, c), 1);
    return true;
  }

  bool word() {
    std::size_t size = 1;
    while (is_letter(peek(size)) || is_digit(peek(size))) ++size;
    std::string small = lower(text_.substr(at_, size));
    const bool unicode = small == "u" && peek(1) == '&' && (peek(2) == '\'' || peek(2) == '"');
    if (unicode || (small == "e" && peek(1) == '\'')) {
      return refuse("a text with escapes", "write it in plain ' ', or as a parameter");
    }
    add(Token::Kind::word, std::move(small), size);
    return true;
  }

  /// A doubled quote inside stands for one.
  bool quoted(char quote) {
    std::string inside;
    std::size_t end = 1;
    for (;; ++end) {
      if (at_ + end >= text_.size()) return refuse(std::string("a ") + quote + " has no end", "");
      const char c = text_[at_ + end];
      if (c == '\0') return refuse("the statement contains a NUL", "give values as parameters");
      if (c == quote && peek(end + 1) != quote) break;
      if (c == quote) ++end;
      inside += c;
    }
    const std::size_t size = end + 1;
    if (quote == '"') {
      add(Token::Kind::quoted, std::move(inside), size);
    } else {
      add(Token::Kind::text, std::string(text_.substr(at_, size)), size);
    }
    return true;
  }

  bool colon() {
    if (peek(1) == ':') {
      add(Token::Kind::sign, "::", 2);
      return true;
    }
    if (!is_letter(peek(1))) {
      return refuse("parameter : has no name", "write :name");
    }
    std::size_t size = 2;
    while (is_letter(peek(size)) || is_digit(peek(size))) ++size;
    add(Token::Kind::parameter, std::string(text_.substr(at_ + 1, size - 1)), size);
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Tokens tokens_;
  std::string why_, hint_;
};

}  // namespace

Result<Tokens> cut(std::string_view text) { return Cutter(text).all(); }

Result<Tokens> cut_statement(std::string_view text) {
  static constexpr std::array kWords{"select", "insert", "update", "delete", "with"};
  Result<Tokens> tokens = cut(text);
  if (!tokens) return tokens;
  while (!tokens->empty() && tokens->back().is_sign(";")) tokens->pop_back();
  const auto is_first = [&](const char* word) {
    return !tokens->empty() && tokens->front().is(word);
  };
  if (std::none_of(kWords.begin(), kWords.end(), is_first)) {
    return make_error(Error::Code::invalid,
                      "a statement begins with SELECT, INSERT, UPDATE, DELETE or WITH" +
                          (tokens->empty() ? "" : ", not with " + tokens->front().text));
  }
  for (const Token& token : *tokens) {
    if (!token.is_sign(";")) continue;
    return make_error(Error::Code::invalid, "more than one statement", "give each its own call");
  }
  return tokens;
}

std::string place(std::string_view text, std::size_t at) {
  std::size_t line = 1, column = 1;
  for (const char c : text.substr(0, at)) {
    if (c == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++column;  // the bytes of a character count once
    }
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace host::sql
