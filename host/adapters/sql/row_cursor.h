#pragma once

#include <functional>
#include <memory>

#include "host/adapters/sql/row_spool.h"
#include "host/base/executor.h"
#include "host/base/unique_function.h"

namespace host::sql {

/// Runs work once, on a thread that may read files, with true; with false where the store is
/// stopped. Works of one cursor never run at the same time.
using PageReader = std::function<void(UniqueFunction<void(bool running)>)>;

/// Hands over what a spool keeps; pages are read by `reader`, which outlives the cursor's pages.
std::unique_ptr<ports::RowCursor> make_row_cursor(PageReader reader, Executor& executor,
                                                  std::unique_ptr<RowSpool> spool);

}  // namespace host::sql
