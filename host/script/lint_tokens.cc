#include "host/script/lint_tokens.h"

#include <algorithm>
#include <cctype>

namespace host::script {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    if (source_.starts_with("#")) skip_line();
    while (at_ < source_.size()) step();
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  void skip_line() { at_ = std::min(source_.find('\n', at_), source_.size()); }

  void step() {
    const char c = peek();
    if (c == '\n') ++line_;
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++at_;
    } else if (c == '-' && peek(1) == '-') {
      at_ += 2;
      if (!long_bracket(false)) skip_line();
    } else if (c == '"' || c == '\'') {
      quoted(c);
    } else if (c == '[' && long_bracket(true)) {
      return;
    } else if (is_word(c)) {
      word();
    } else {
      symbol();
    }
  }

  /// At "[[" or "[==[": reads it whole.
  bool long_bracket(bool keep) {
    if (peek() != '[') return false;
    std::size_t level = 0;
    while (peek(1 + level) == '=') ++level;
    if (peek(1 + level) != '[') return false;
    const std::string close = "]" + std::string(level, '=') + "]";
    const std::size_t begin = at_ + level + 2;
    const std::size_t end = std::min(source_.find(close, begin), source_.size());
    const std::string_view text = source_.substr(begin, end - begin);
    if (keep) tokens_.push_back({Token::Kind::text, std::string(text), line_});
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    at_ = std::min(end + close.size(), source_.size());
    return true;
  }

  void quoted(char quote) {
    Token token{Token::Kind::text, {}, line_};
    for (++at_; at_ < source_.size() && peek() != quote && peek() != '\n'; ++at_) {
      if (peek() == '\\' && at_ + 1 < source_.size()) {
        ++at_;
        if (peek() == '\n') ++line_;
        if (peek() != quote && peek() != '\\') token.text += '\\';
      }
      token.text += peek();
    }
    ++at_;
    tokens_.push_back(std::move(token));
  }

  void word() {
    const std::size_t begin = at_;
    const bool number = std::isdigit(static_cast<unsigned char>(peek()));
    while (is_word(peek()) || (number && peek() == '.' && peek(1) != '.')) ++at_;
    tokens_.push_back({number ? Token::Kind::symbol : Token::Kind::name,
                       std::string(source_.substr(begin, at_ - begin)), line_});
  }

  void symbol() {
    std::size_t size = 1;
    for (const std::string_view two : {"==", "~=", "<=", ">=", ".."}) {
      if (source_.substr(at_, 2) == two) size = 2;
    }
    tokens_.push_back({Token::Kind::symbol, std::string(source_.substr(at_, size)), line_});
    at_ += size;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Tokenizer(source).run(); }

}  // namespace host::script
