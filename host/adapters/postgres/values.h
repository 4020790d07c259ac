#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

#include "host/base/result.h"
#include "host/core/unit_of_work.h"

namespace host::postgres {

/// A column's value in the server's text format, as the same value would come from SQLite: bool is
/// 1 or 0, numeric without fraction an exact integer, timestamptz 27 characters of UTC text, NaN is
/// absent. Types that are no value of ours (json, uuid, date, ...) stay text.
/// Errors: invalid (bytea; an integer beyond 64 bits), naming the column.
Result<SqlValue> value_of(Oid type, std::string_view text, const std::string& column);

/// A parameter in the server's text format; not for NULL. Errors: invalid (a text with NUL).
Result<std::string> text_of(const SqlValue& value, const std::string& parameter);

/// The type that a value has by itself; 0 for NULL, which has none.
Oid type_of(const SqlValue& value);

}  // namespace host::postgres
