// Answers that may be long: found at once, kept, and handed over as slowly as they are taken.
#include "host/adapters/sqlite/parts.h"
#include "host/adapters/sqlite/row_spool.h"

namespace host::sqlite {
namespace {

// No read transaction is longer: it would keep the write-ahead log from being reset.
constexpr Duration kLongestFind = std::chrono::seconds(5);
constexpr int kMostWaiting = 16;

/// What a cursor and its page under way share: the cursor may go while a page is read.
struct Spooled {
  explicit Spooled(std::unique_ptr<RowSpool> s) : spool(std::move(s)) {}
  std::unique_ptr<RowSpool> spool;  // on the thread that reads pages
  bool gone = false;                // the cursor is; on the executor
};

class Cursor final : public ports::RowCursor {
 public:
  Cursor(Reader& pages, Executor& executor, std::unique_ptr<RowSpool> spool)
      : pages_(pages), executor_(executor), state_(std::make_shared<Spooled>(std::move(spool))) {}
  ~Cursor() override { state_->gone = true; }

  void next(std::size_t max_bytes,
            UniqueFunction<void(Result<ports::RowsPage>)> callback) override {
    pages_.submit([state = state_, max_bytes, &executor = executor_,
                   callback = std::move(callback)](Connection* db) mutable {
      Result<ports::RowsPage> page = db == nullptr
                                         ? Result<ports::RowsPage>(retryable_error(
                                               Error::Code::unavailable, "the store is stopped"))
                                         : state->spool->next(max_bytes);
      executor.post([state = std::move(state), page = std::move(page),
                     callback = std::move(callback)]() mutable {
        if (!state->gone) callback(std::move(page));
      });
    });
  }

 private:
  Reader& pages_;
  Executor& executor_;
  std::shared_ptr<Spooled> state_;
};

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
    auto spool = std::make_unique<RowSpool>(folder, parts.spooled);
    Result<void> found = parts.finding_sql().each_row(
        plugin, statement, kLongestFind,
        [&spool](std::vector<std::string> columns) { spool->columns(std::move(columns)); },
        [&spool](std::vector<SqlValue> row) { return spool->add(row); });
    if (found) found = spool->close();
    if (found)
      return std::unique_ptr<ports::RowCursor>(
          std::make_unique<Cursor>(*parts.queries, executor, std::move(spool)));
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
