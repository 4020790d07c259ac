#include "host/adapters/sql/answers.h"

#include <algorithm>

namespace host::sql {
namespace {

std::string shown(Duration limit) {
  const std::int64_t ms = limit.count() / 1000;
  return ms < 1000 ? std::to_string(ms) + " ms" : std::to_string(ms / 1000) + " s";
}

std::size_t size_of(const SqlValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return 16 + (text != nullptr ? text->size() : 0);
}

}  // namespace

Error not_given(std::string_view parameter) {
  return make_error(Error::Code::invalid, "parameter :" + std::string(parameter) + " is not given");
}

Error no_such_parameter(std::string_view parameter) {
  return make_error(Error::Code::invalid,
                    "the statement has no parameter :" + std::string(parameter));
}

Error a_query_only_reads() {
  return make_error(Error::Code::invalid, "a query only reads",
                    "writes are deferred to the commit: ctx:exec");
}

Error took_longer_than(Duration limit) {
  return make_error(Error::Code::exhausted, "the statement took longer than " + shown(limit),
                    "an index may be missing, or it does too much at once");
}

Result<void> check_given(const std::vector<std::string>& names, const SqlParameters& parameters) {
  for (const std::string& name : names) {
    if (!parameters.contains(name)) return not_given(name);
  }
  for (const auto& [name, value] : parameters) {
    if (std::find(names.begin(), names.end(), name) == names.end()) return no_such_parameter(name);
  }
  return {};
}

Result<void> ShortAnswer::add(std::vector<SqlValue> row) {
  for (const SqlValue& value : row) bytes_ += size_of(value);
  rows_.rows.push_back(std::move(row));
  if (bytes_ <= kMostBytes) return {};
  return make_error(Error::Code::exhausted, "the answer is larger than 16 MB",
                    "ask for less at once: limit");
}

}  // namespace host::sql
