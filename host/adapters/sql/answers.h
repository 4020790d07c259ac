#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/core/unit_of_work.h"

namespace host::sql {

// What every store says alike to the author of a statement.

Error not_given(std::string_view parameter);
Error no_such_parameter(std::string_view parameter);
Error a_query_only_reads();
Error took_longer_than(Duration limit);

/// Parameters that the statement does not name. `names`: those that it has. Errors: invalid.
Result<void> check_given(const std::vector<std::string>& names, const SqlParameters& parameters);

/// The rows of a short answer; bounded.
class ShortAnswer {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;

  void columns(std::vector<std::string> names) { rows_.columns = std::move(names); }
  /// Errors: exhausted.
  Result<void> add(std::vector<SqlValue> row);
  SqlRows take() && { return std::move(rows_); }

 private:
  SqlRows rows_;
  std::size_t bytes_ = 0;
};

}  // namespace host::sql
