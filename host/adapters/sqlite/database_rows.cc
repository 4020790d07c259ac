// Answers that may be long: found at once, kept, and handed over as slowly as they are taken.
#include "host/adapters/sql/row_cursor.h"
#include "host/adapters/sqlite/parts.h"

namespace host::sqlite {
namespace {

// No read transaction is longer: it would keep the write-ahead log from being reset.
constexpr Duration kLongestFind = std::chrono::seconds(5);
constexpr int kMostWaiting = 16;

/// Pages are read from files where short queries are run.
sql::PageReader page_reader(Reader& reader) {
  return [&reader](UniqueFunction<void(bool)> work) {
    reader.submit([work = std::move(work)](Connection* db) mutable { work(db != nullptr); });
  };
}

}  // namespace

void Database::rows(const std::string& plugin, SqlStatement statement, Executor& executor,
                    Callback<std::unique_ptr<ports::RowCursor>> callback) {
  using Answer = Result<std::unique_ptr<ports::RowCursor>>;
  Parts& parts = *parts_;
  if (parts.finding.fetch_add(1) >= kMostWaiting) {
    --parts.finding;
    executor.post([callback = std::move(callback)]() mutable {
      callback(Answer(retryable_error(Error::Code::exhausted,
                                      "too many long answers are being looked up at once")));
    });
    return;
  }
  const auto find = [&parts, plugin, statement = std::move(statement),
                     &executor](Connection&) -> Answer {
    const auto folder =
        parts.options.in_memory ? std::filesystem::temp_directory_path() : parts.options.dir;
    auto spool = std::make_unique<sql::RowSpool>(folder, parts.spooled);
    Result<void> found = parts.finding_sql().each_row(
        plugin, statement, kLongestFind,
        [&spool](std::vector<std::string> columns) { spool->columns(std::move(columns)); },
        [&spool](std::vector<SqlValue> row) { return spool->add(row); });
    if (found) found = spool->close();
    if (found) return sql::make_row_cursor(page_reader(*parts.queries), executor, std::move(spool));
    Error error = found.error();
    error.file = statement.file;
    error.line = statement.line;
    return error;
  };
  read_async<std::unique_ptr<ports::RowCursor>>(
      *parts.finder, "a query", executor,
      [&finding = parts.finding, callback = std::move(callback)](Answer answer) mutable {
        --finding;
        callback(std::move(answer));
      },
      find);
}

}  // namespace host::sqlite
