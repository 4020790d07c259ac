#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace host::script {

/// What one call of a pattern function may use up. C code cannot be stopped from outside, so the
/// matcher stops itself.
struct PatternBudget {
  static constexpr std::int64_t kSteps = 20'000'000;    // a call; about 0.1 s
  static constexpr std::size_t kMaxSubject = 8u << 20;  // bytes
  std::int64_t steps = kSteps;
};

/// Matches one Lua 5.1 pattern against one text. Borrows both. Not thread-safe.
class PatternMatch {
 public:
  static constexpr int kMaxCaptures = 32;

  enum class Error {
    none,
    too_costly,   // the step budget is used up
    too_complex,  // too deeply nested choices
    too_many_captures,
    ends_with_percent,
    missing_bracket,   // "[" without "]"
    missing_balance,   // "%b" without its two characters
    missing_frontier,  // "%f" without "["
    bad_capture,       // %1 before its capture is closed
    bad_close,         // ")" without "("
    unfinished_capture,
  };

  struct Capture {
    static constexpr std::ptrdiff_t kOpen = -1;
    static constexpr std::ptrdiff_t kPosition = -2;
    const char* begin = nullptr;
    std::ptrdiff_t length = kOpen;
  };

  /// `pattern` without its anchor.
  PatternMatch(std::string_view text, std::string_view pattern, PatternBudget& budget);

  /// Tries at exactly this place of the text; the end of the match, or null.
  const char* at(const char* place);
  Error error() const { return error_; }
  int captures() const { return captures_; }
  const Capture& capture(int index) const { return capture_[static_cast<std::size_t>(index)]; }

 private:
  const char* match(const char* s, const char* p);
  const char* match_more(const char* s, const char* p, const char* after);
  const char* match_fewer(const char* s, const char* p, const char* after);
  const char* open_capture(const char* s, const char* p, std::ptrdiff_t length);
  const char* close_capture(const char* s, const char* p);
  const char* balance(const char* s, const char* p);
  const char* repeat_capture(const char* s, unsigned char digit);
  const char* class_end(const char* p);
  bool single(const char* s, const char* p, const char* after) const;
  bool in_set(unsigned char c, const char* p, const char* last) const;
  bool spend(std::int64_t steps = 1);
  const char* fail(Error error);

  const char* const text_begin_;
  const char* const text_end_;
  const char* const pattern_begin_;
  const char* const pattern_end_;
  PatternBudget& budget_;
  Error error_ = Error::none;
  int depth_ = 0;
  int captures_ = 0;
  std::array<Capture, kMaxCaptures> capture_;
};

/// What the error is, for the script's author.
const char* to_string(PatternMatch::Error error);

}  // namespace host::script
