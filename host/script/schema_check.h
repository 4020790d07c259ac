#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/script/pattern.h"
#include "host/script/schema.h"

namespace host::script {

// Why a scalar does not fit its schema, without the value itself; "" when it fits. The same words
// for JSON, Lua values and text. They know no Lua state and never raise.

/// `budget` is for all texts of one value, or a long list would take any time.
std::string check_string(const Schema& schema, std::string_view text, PatternBudget& budget);
std::string check_number(const Schema& schema, double value);
std::string check_money(const Schema& schema, std::int64_t minor);
std::string check_time(const Schema& schema, Time time);
std::string check_seconds(const Schema& schema, double seconds);
std::string check_count(const Schema& schema, std::size_t count);
std::string check_one_of(const Schema& schema, const Scalar& value);

/// "is text, not a whole number".
std::string wrong_type(const Schema& schema, std::string_view found);
/// Of `name` in `names`: the nearest by edit distance, or "" when none is near.
std::string nearest(std::string_view name, const std::vector<std::string_view>& names);
/// "is not a field here; did you mean \"pace\"?".
std::string unknown_field(const Schema& record, std::string_view name);

/// One step of the path to a value; lives on the C++ stack and becomes text only when needed.
struct PathStep {
  const PathStep* up = nullptr;
  std::string_view name = {};
  std::size_t index = 0;        // 1-based, when name is empty
  const void* table = nullptr;  // the Lua table there, to find cycles
};
std::string to_string(const PathStep* path);

/// Collects violations up to the limit.
class Report {
 public:
  explicit Report(Violations& out) : out_(out) {}
  void add(const PathStep* path, std::string message);
  bool full() const { return out_.size() >= kLimit; }
  bool clean() const { return found_ == 0; }

 private:
  static constexpr std::size_t kLimit = 100;
  Violations& out_;
  std::size_t found_ = 0;
};

inline constexpr int kMaxDepth = 128;

}  // namespace host::script
