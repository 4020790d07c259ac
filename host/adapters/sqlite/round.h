#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/adapters/sqlite/connection.h"
#include "host/adapters/sqlite/log_index.h"

namespace host::sqlite {

/// The records that one round of the writer appends. They get their offsets at once and are
/// written together before COMMIT, one row a partition, so that many small appends make one batch.
/// On the writer only.
class RoundLog {
 public:
  RoundLog(LogIndex& index, Time now) : index_(index), now_(now) {}

  /// Errors: not_found (no such topic or partition), invalid (the record is too large): the log
  /// refuses this record for good.
  Result<void> check(const ports::Append& record) const;
  /// Of a record that check() accepts.
  Offset append(const ports::Append& record);

  /// Everything after mark() is taken back.
  std::size_t mark() const { return order_.size(); }
  void back_to(std::size_t mark);

  /// Throws SqlFailure.
  void write(Connection& db);
  /// After COMMIT.
  void publish();

 private:
  struct Batch {
    std::int64_t topic = 0;
    Offset base = 0;
    std::vector<Record> records;
  };
  using Place = std::pair<std::string, PartitionNumber>;

  LogIndex& index_;
  Time now_;
  std::map<Place, Batch> batches_;
  std::vector<Batch*> order_;  // one entry a record
};

}  // namespace host::sqlite
