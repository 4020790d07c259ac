#include <algorithm>

#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/parts.h"
#include "host/adapters/sqlite/record_batch.h"

// The face of the log.
namespace host::sqlite {
namespace {

using ports::Fetched;
using ports::TopicSettings;

Error missing_batch(const FetchCall& call, Offset offset) {
  return make_error(Error::Code::corrupt,
                    "the record batch of topic " + call.topic + ", partition " +
                        std::to_string(call.partition) + ", offset " + std::to_string(offset) +
                        " is missing",
                    "restore the data folder from a backup");
}

/// Appends what belongs into the answer; an Error only when there is nothing before it to return.
Result<void> add_batch(const FetchCall& call, Offset base, std::string_view data, Fetched& out,
                       std::size_t& bytes) {
  Result<std::vector<Record>> records = decode_batch(data, call.topic, call.partition, base);
  if (!records) return records.error();
  for (Record& record : *records) {
    if (record.offset < call.from) continue;
    const std::size_t size = size_of(record);
    if (!out.records.empty() && bytes + size > call.max_bytes) return {};
    bytes += size;
    out.next = record.offset + 1;
    out.records.push_back(std::move(record));
  }
  return {};
}

Result<Fetched> read_log(Connection& db, const FetchCall& call, std::int64_t topic) {
  {
    Statement place =
        db.query("select start from host_topic_partition where topic = ? and partition = ?", topic,
                 call.partition);
    if (!place.step()) return no_such_partition(call.topic, call.partition);
    if (call.from < place.integer(0)) {
      return below_start(call.topic, call.partition, call.from, place.integer(0));
    }
  }
  Fetched out{.records = {}, .next = call.from};
  std::size_t bytes = 0;
  Statement rows = db.query(
      "select base, records, data from host_log_batch where topic = ?1 and partition = ?2"
      " and base >= (select max(base) from host_log_batch where topic = ?1 and partition = ?2"
      " and base <= ?3) order by base",
      topic, call.partition, call.from);
  while (bytes < call.max_bytes || out.records.empty()) {
    if (!rows.step()) {
      if (out.records.empty()) return missing_batch(call, call.from);
      return out;
    }
    const Offset base = rows.integer(0);
    Result<void> added;
    if (base > out.next || base + rows.integer(1) <= out.next) {
      added = missing_batch(call, out.next);
    } else {
      added = add_batch(call, base, rows.view(2), out, bytes);
    }
    if (!added && out.records.empty()) return added.error();
    if (!added || out.next < base + rows.integer(1)) return out;
  }
  return out;
}

class FetchHandle final : public ports::Log::Fetch {
 public:
  FetchHandle(std::shared_ptr<LogIndex> index, std::shared_ptr<FetchCall> call)
      : index_(std::move(index)), call_(std::move(call)) {}
  ~FetchHandle() override {
    call_->callback = nullptr;
    index_->forget(call_.get());
  }

 private:
  std::shared_ptr<LogIndex> index_;
  std::shared_ptr<FetchCall> call_;
};

Result<void> check_counts(const LogIndex& index, std::span<const TopicSettings> topics) {
  const auto known = index.topics();
  for (const TopicSettings& topic : topics) {
    if (topic.partitions < 1) {
      return make_error(Error::Code::invalid, "topic " + topic.name + " needs a partition");
    }
    const auto same = [&](const auto& entry) { return entry.second.name == topic.name; };
    const auto found = std::find_if(known.begin(), known.end(), same);
    if (found == known.end() || found->second.partitions == topic.partitions) continue;
    return make_error(Error::Code::invalid,
                      "topic " + topic.name + " has " + std::to_string(found->second.partitions) +
                          " partitions, not " + std::to_string(topic.partitions),
                      "the number of partitions is fixed at the first start");
  }
  return {};
}

std::int64_t save_topic(Connection& db, const TopicSettings& topic) {
  db.run(
      "insert into host_topic (name, partitions, keep_us, max_bytes) values (?, ?, ?, ?)"
      " on conflict (name) do update set keep_us = excluded.keep_us,"
      " max_bytes = excluded.max_bytes where not ?",
      topic.name, topic.partitions, topic.keep.count(), topic.max_bytes, topic.only_new ? 1 : 0);
  std::int64_t id = 0;
  {
    Statement row = db.query("select id from host_topic where name = ?", topic.name);
    row.step();
    id = row.integer(0);
  }
  for (PartitionNumber p = 0; p < topic.partitions; ++p) {
    db.run(
        "insert or ignore into host_topic_partition (topic, partition, start, next, bytes)"
        " values (?, ?, 0, 0, 0)",
        id, p);
  }
  return id;
}

}  // namespace

Result<void> Database::ensure_topics(std::span<const TopicSettings> topics) {
  if (Result<void> fine = check_counts(*parts_->index, topics); !fine) return fine;
  std::vector<std::int64_t> ids;
  Result<void> saved = write_now(*parts_->writer, [&](Round& round) -> Result<void> {
    ids.clear();
    for (const TopicSettings& topic : topics) ids.push_back(save_topic(round.db, topic));
    return {};
  });
  if (!saved) return saved;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    parts_->index->set_topic(
        ids[i], topics[i],
        std::vector<std::pair<Offset, Offset>>(static_cast<std::size_t>(topics[i].partitions)));
  }
  return {};
}

std::unique_ptr<ports::Log::Fetch> Database::fetch(const std::string& topic,
                                                   PartitionNumber partition, Offset from,
                                                   std::size_t max_bytes, Executor& executor,
                                                   FetchCallback callback) {
  auto call = std::make_shared<FetchCall>(FetchCall{.topic = topic,
                                                    .partition = partition,
                                                    .from = from,
                                                    .max_bytes = max_bytes,
                                                    .executor = executor,
                                                    .callback = std::move(callback)});
  auto handle = std::make_unique<FetchHandle>(parts_->index, call);
  if (!parts_->index->fetch(call)) return handle;
  const std::int64_t id = parts_->index->find(topic, partition)->topic;
  parts_->reader->submit(
      [call = std::move(call), id, index = parts_->index](Connection* db) mutable {
        const auto read = [&](Connection& connection) { return read_log(connection, *call, id); };
        Result<Fetched> answer = read_in_snapshot<Fetched>(db, "reading the log", read);
        const auto place = index->find(call->topic, call->partition);
        if (answer && place) answer->end = place->end;
        FetchCall::answer(std::move(call), std::move(answer));
      });
  return handle;
}

void Database::append(ports::Appends records, Executor& executor, AppendCallback callback) {
  parts_->writer->submit(make_append_job(std::move(records), executor, std::move(callback)));
}

void Database::range(const std::string& topic, PartitionNumber partition, Executor& executor,
                     UniqueFunction<void(Result<Range>)> callback) {
  const auto place = parts_->index->find(topic, partition);
  Result<Range> answer = no_such_partition(topic, partition);
  if (parts_->index->stopped()) {
    answer = log_is_stopped();
  } else if (place) {
    answer = Range{.start = place->start, .end = place->end};
  }
  executor.post([callback = std::move(callback), answer = std::move(answer)]() mutable {
    callback(std::move(answer));
  });
}

}  // namespace host::sqlite
