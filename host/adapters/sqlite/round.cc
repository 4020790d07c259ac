#include "host/adapters/sqlite/round.h"

#include "host/adapters/sqlite/record_batch.h"
#include "host/base/check.h"

namespace host::sqlite {
namespace {

constexpr std::size_t kLargestRow = std::size_t{8} << 20;

void write_row(Connection& db, std::int64_t topic, PartitionNumber partition, const Record* records,
               std::size_t count) {
  const std::string data = encode_batch(records, count);
  const Offset base = records[0].offset;
  db.run(
      "insert into host_log_batch (topic, partition, base, records, last_time, data)"
      " values (?, ?, ?, ?, ?, ?)",
      topic, partition, base, count, records[count - 1].time, Blob{data});
  const int known = db.run(
      "update host_topic_partition set next = ?, bytes = bytes + ?"
      " where topic = ? and partition = ? and next = ?",
      base + static_cast<Offset>(count), data.size(), topic, partition, base);
  if (known != 1) throw SqlFailure(SQLITE_CORRUPT, "the end of a partition is not where it was");
}

}  // namespace

Result<void> RoundLog::check(const ports::Append& record) const {
  if (!index_.find(record.topic, record.partition)) {
    return no_such_partition(record.topic, record.partition);
  }
  std::size_t size = record.payload.size() + (record.key ? record.key->size() : 0);
  for (const auto& [name, value] : record.headers) size += name.size() + value.size();
  if (size > kLargestRow) {
    return make_error(Error::Code::invalid, "a record of " + std::to_string(size) +
                                                " bytes is too large for topic " + record.topic +
                                                " (at most 8 MB)");
  }
  return {};
}

Offset RoundLog::append(const ports::Append& record) {
  const auto [at, is_new] = batches_.try_emplace({record.topic, record.partition});
  Batch& batch = at->second;
  if (is_new) {
    const auto place = index_.find(record.topic, record.partition);
    HOST_CHECK(place.has_value(), "append() of a record that check() refuses");
    batch.topic = place->topic;
    batch.base = place->end;
  }
  const Offset offset = batch.base + static_cast<Offset>(batch.records.size());
  batch.records.push_back(Record{.topic = record.topic,
                                 .partition = record.partition,
                                 .offset = offset,
                                 .time = now_,
                                 .key = record.key,
                                 .payload = record.payload,
                                 .headers = record.headers});
  order_.push_back(&batch);
  return offset;
}

void RoundLog::back_to(std::size_t mark) {
  while (order_.size() > mark) {
    order_.back()->records.pop_back();
    order_.pop_back();
  }
}

void RoundLog::write(Connection& db) {
  for (const auto& [place, batch] : batches_) {
    const std::vector<Record>& records = batch.records;
    std::size_t first = 0, bytes = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::size_t size = size_of(records[i]);
      if (i > first && bytes + size > kLargestRow) {
        write_row(db, batch.topic, place.second, &records[first], i - first);
        first = i;
        bytes = 0;
      }
      bytes += size;
    }
    if (first < records.size()) {
      write_row(db, batch.topic, place.second, &records[first], records.size() - first);
    }
  }
}

void RoundLog::publish() {
  for (auto& [place, batch] : batches_) {
    if (batch.records.empty()) continue;
    index_.published(place.first, place.second,
                     std::make_shared<const std::vector<Record>>(std::move(batch.records)));
  }
}

}  // namespace host::sqlite
