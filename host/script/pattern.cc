#include "host/script/pattern.h"

#include <cctype>
#include <cstring>

namespace host::script {
namespace {

constexpr char kEscape = '%';
// Nested choices use the C stack; the same number as LuaJIT's.
constexpr int kMaxDepth = 200;

bool in_class(unsigned char c, unsigned char letter) {
  bool yes = false;
  switch (std::tolower(letter)) {
    case 'a':
      yes = std::isalpha(c) != 0;
      break;
    case 'c':
      yes = std::iscntrl(c) != 0;
      break;
    case 'd':
      yes = std::isdigit(c) != 0;
      break;
    case 'g':
      yes = std::isgraph(c) != 0;
      break;
    case 'l':
      yes = std::islower(c) != 0;
      break;
    case 'p':
      yes = std::ispunct(c) != 0;
      break;
    case 's':
      yes = std::isspace(c) != 0;
      break;
    case 'u':
      yes = std::isupper(c) != 0;
      break;
    case 'w':
      yes = std::isalnum(c) != 0;
      break;
    case 'x':
      yes = std::isxdigit(c) != 0;
      break;
    case 'z':
      yes = c == 0;
      break;
    default:
      return letter == c;
  }
  return std::isupper(letter) != 0 ? !yes : yes;
}

/// What it costs beyond a step to hold a character against an item: a set is read through.
std::int64_t cost_of(const char* item, const char* after) { return (after - item) / 16; }

}  // namespace

PatternMatch::PatternMatch(std::string_view text, std::string_view pattern, PatternBudget& budget)
    : text_begin_(text.data()),
      text_end_(text.data() + text.size()),
      pattern_begin_(pattern.data()),
      pattern_end_(pattern.data() + pattern.size()),
      budget_(budget) {}

const char* PatternMatch::at(const char* place) {
  captures_ = 0;
  depth_ = 0;
  return error_ == Error::none ? match(place, pattern_begin_) : nullptr;
}

const char* PatternMatch::fail(Error error) {
  if (error_ == Error::none) error_ = error;
  return nullptr;
}

bool PatternMatch::spend(std::int64_t steps) {
  budget_.steps -= steps;
  if (budget_.steps >= 0) return true;
  fail(Error::too_costly);
  return false;
}

// One item after the other; only choices (how often an item repeats, captures that may have to be
// given back) nest.
const char* PatternMatch::match(const char* s, const char* p) {
  if (++depth_ > kMaxDepth) return fail(Error::too_complex);
  const char* result = nullptr;
  while (true) {
    if (!spend()) break;
    if (p == pattern_end_) {
      result = s;
      break;
    }
    if (*p == '(') {
      const bool position = p + 1 != pattern_end_ && p[1] == ')';
      result = position ? open_capture(s, p + 2, Capture::kPosition)
                        : open_capture(s, p + 1, Capture::kOpen);
      break;
    }
    if (*p == ')') {
      result = close_capture(s, p + 1);
      break;
    }
    if (*p == '$' && p + 1 == pattern_end_) {
      result = s == text_end_ ? s : nullptr;
      break;
    }
    if (*p == kEscape && p + 1 != pattern_end_) {
      const char what = p[1];
      if (what == 'b') {
        s = balance(s, p + 2);
        if (s == nullptr) break;
        p += 4;
        continue;
      }
      if (what == 'f') {
        p += 2;
        if (p == pattern_end_ || *p != '[') {
          fail(Error::missing_frontier);
          break;
        }
        const char* after = class_end(p);
        if (after == nullptr || !spend(cost_of(p, after))) break;
        const auto before = static_cast<unsigned char>(s == text_begin_ ? '\0' : s[-1]);
        const auto here = static_cast<unsigned char>(s == text_end_ ? '\0' : *s);
        if (in_set(before, p, after - 1) || !in_set(here, p, after - 1)) break;
        p = after;
        continue;
      }
      if (std::isdigit(static_cast<unsigned char>(what)) != 0) {
        s = repeat_capture(s, static_cast<unsigned char>(what));
        if (s == nullptr) break;
        p += 2;
        continue;
      }
    }
    const char* after = class_end(p);
    if (after == nullptr || !spend(cost_of(p, after))) break;
    const char repeat = after == pattern_end_ ? '\0' : *after;
    if (repeat == '*') {
      result = match_more(s, p, after);
      break;
    }
    if (repeat == '-') {
      result = match_fewer(s, p, after);
      break;
    }
    const bool fits = single(s, p, after);
    if (repeat == '+') {
      result = fits ? match_more(s + 1, p, after) : nullptr;
      break;
    }
    if (repeat == '?') {
      if (fits) {
        result = match(s + 1, after + 1);
        if (result != nullptr || error_ != Error::none) break;
      }
      p = after + 1;
      continue;
    }
    if (!fits) break;
    ++s;
    p = after;
  }
  --depth_;
  return error_ == Error::none ? result : nullptr;
}

const char* PatternMatch::match_more(const char* s, const char* p, const char* after) {
  const std::int64_t cost = 1 + cost_of(p, after);
  const std::ptrdiff_t affordable = budget_.steps / cost + 1;
  std::ptrdiff_t count = 0;
  while (count < affordable && single(s + count, p, after)) ++count;
  if (!spend(count * cost)) return nullptr;
  for (; count >= 0; --count) {
    const char* end = match(s + count, after + 1);
    if (end != nullptr || error_ != Error::none) return end;
  }
  return nullptr;
}

const char* PatternMatch::match_fewer(const char* s, const char* p, const char* after) {
  while (true) {
    const char* end = match(s, after + 1);
    if (end != nullptr || error_ != Error::none) return end;
    if (!spend(cost_of(p, after)) || !single(s, p, after)) return nullptr;
    ++s;
  }
}

const char* PatternMatch::open_capture(const char* s, const char* p, std::ptrdiff_t length) {
  if (captures_ >= kMaxCaptures) return fail(Error::too_many_captures);
  capture_[static_cast<std::size_t>(captures_++)] = {s, length};
  const char* end = match(s, p);
  if (end == nullptr) --captures_;
  return end;
}

const char* PatternMatch::close_capture(const char* s, const char* p) {
  int open = captures_ - 1;
  while (open >= 0 && capture(open).length != Capture::kOpen) --open;
  if (open < 0) return fail(Error::bad_close);
  Capture& capture = capture_[static_cast<std::size_t>(open)];
  capture.length = s - capture.begin;
  const char* end = match(s, p);
  if (end == nullptr) capture.length = Capture::kOpen;
  return end;
}

const char* PatternMatch::balance(const char* s, const char* p) {
  if (pattern_end_ - p < 2) return fail(Error::missing_balance);
  if (s == text_end_ || *s != p[0]) return nullptr;
  int open = 1;
  for (const char* end = s + 1; end < text_end_; ++end) {
    if (!spend()) return nullptr;
    if (*end == p[1]) {
      if (--open == 0) return end + 1;
    } else if (*end == p[0]) {
      ++open;
    }
  }
  return nullptr;
}

const char* PatternMatch::repeat_capture(const char* s, unsigned char digit) {
  const int index = digit - '1';
  if (index < 0 || index >= captures_ || capture(index).length == Capture::kOpen) {
    return fail(Error::bad_capture);
  }
  // A position capture has nothing to repeat; Lua compares its length as a huge number.
  if (capture(index).length < 0) return nullptr;
  const auto length = static_cast<std::size_t>(capture(index).length);
  if (!spend(static_cast<std::int64_t>(length / 16))) return nullptr;
  if (static_cast<std::size_t>(text_end_ - s) < length) return nullptr;
  return std::memcmp(capture(index).begin, s, length) == 0 ? s + length : nullptr;
}

// Behind the single-character item that begins at p.
const char* PatternMatch::class_end(const char* p) {
  const char first = *p++;
  if (first == kEscape) {
    if (p == pattern_end_) return fail(Error::ends_with_percent);
    return p + 1;
  }
  if (first != '[') return p;
  if (p != pattern_end_ && *p == '^') ++p;
  do {  // the first character is never the closing one
    if (p == pattern_end_) return fail(Error::missing_bracket);
    if (*p++ == kEscape) {
      if (p == pattern_end_) return fail(Error::missing_bracket);
      ++p;
    }
    if (p == pattern_end_) return fail(Error::missing_bracket);
  } while (*p != ']');
  return p + 1;
}

bool PatternMatch::single(const char* s, const char* p, const char* after) const {
  if (s >= text_end_) return false;
  const auto c = static_cast<unsigned char>(*s);
  switch (*p) {
    case '.':
      return true;
    case kEscape:
      return in_class(c, static_cast<unsigned char>(p[1]));
    case '[':
      return in_set(c, p, after - 1);
    default:
      return static_cast<unsigned char>(*p) == c;
  }
}

// p is at "[", last at its "]".
bool PatternMatch::in_set(unsigned char c, const char* p, const char* last) const {
  ++p;
  const bool negated = *p == '^';
  if (negated) ++p;
  for (; p < last; ++p) {
    if (*p == kEscape) {
      ++p;
      if (in_class(c, static_cast<unsigned char>(*p))) return !negated;
    } else if (p + 2 < last && p[1] == '-') {
      if (static_cast<unsigned char>(p[0]) <= c && c <= static_cast<unsigned char>(p[2])) {
        return !negated;
      }
      p += 2;
    } else if (static_cast<unsigned char>(*p) == c) {
      return !negated;
    }
  }
  return negated;
}

const char* to_string(PatternMatch::Error error) {
  using Error = PatternMatch::Error;
  switch (error) {
    case Error::none:
      return "";
    case Error::too_costly:
      return "the pattern is too costly for this text (more than 20,000,000 steps)";
    case Error::too_complex:
      return "pattern too complex";
    case Error::too_many_captures:
      return "too many captures";
    case Error::ends_with_percent:
      return "malformed pattern (ends with '%')";
    case Error::missing_bracket:
      return "malformed pattern (missing ']')";
    case Error::missing_balance:
      return "unbalanced pattern";
    case Error::missing_frontier:
      return "missing '[' after '%f' in pattern";
    case Error::bad_capture:
      return "invalid capture index";
    case Error::bad_close:
      return "invalid pattern capture";
    case Error::unfinished_capture:
      return "unfinished capture";
  }
  return "";
}

}  // namespace host::script
