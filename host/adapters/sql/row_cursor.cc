#include "host/adapters/sql/row_cursor.h"

#include <utility>

namespace host::sql {
namespace {

/// What a cursor and its page under way share: the cursor may go while a page is read.
struct Spooled {
  explicit Spooled(std::unique_ptr<RowSpool> s) : spool(std::move(s)) {}
  std::unique_ptr<RowSpool> spool;  // on the thread that reads pages
  bool gone = false;                // the cursor is; on the executor
};

class Cursor final : public ports::RowCursor {
 public:
  Cursor(PageReader reader, Executor& executor, std::unique_ptr<RowSpool> spool)
      : reader_(std::move(reader)),
        executor_(executor),
        state_(std::make_shared<Spooled>(std::move(spool))) {}
  ~Cursor() override { state_->gone = true; }

  void next(std::size_t max_bytes,
            UniqueFunction<void(Result<ports::RowsPage>)> callback) override {
    reader_([state = state_, max_bytes, &executor = executor_,
             callback = std::move(callback)](bool running) mutable {
      Result<ports::RowsPage> page = running
                                         ? state->spool->next(max_bytes)
                                         : Result<ports::RowsPage>(retryable_error(
                                               Error::Code::unavailable, "the store is stopped"));
      executor.post([state = std::move(state), page = std::move(page),
                     callback = std::move(callback)]() mutable {
        if (!state->gone) callback(std::move(page));
      });
    });
  }

 private:
  const PageReader reader_;
  Executor& executor_;
  const std::shared_ptr<Spooled> state_;
};

}  // namespace

std::unique_ptr<ports::RowCursor> make_row_cursor(PageReader reader, Executor& executor,
                                                  std::unique_ptr<RowSpool> spool) {
  return std::make_unique<Cursor>(std::move(reader), executor, std::move(spool));
}

}  // namespace host::sql
