#include "host/adapters/sqlite/log_index.h"

#include <algorithm>

#include "host/adapters/sqlite/record_batch.h"

namespace host::sqlite {
namespace {

constexpr std::size_t kRememberedBytes = std::size_t{16} << 20;

std::size_t bytes_of(const std::vector<Record>& records) {
  std::size_t bytes = 0;
  for (const Record& record : records) bytes += size_of(record);
  return bytes;
}

/// The records from `from` on, out of batches that follow each other.
ports::Fetched cut(const std::deque<SharedBatch>& batches, Offset from, std::size_t max_bytes) {
  ports::Fetched out{.records = {}, .next = from};
  std::size_t bytes = 0;
  for (const SharedBatch& batch : batches) {
    if (batch->back().offset < from) continue;
    for (const Record& record : *batch) {
      if (record.offset < from) continue;
      bytes += size_of(record);
      if (!out.records.empty() && bytes > max_bytes) return out;
      out.records.push_back(record);
      out.next = record.offset + 1;
    }
  }
  return out;
}

}  // namespace

Error log_is_stopped() { return retryable_error(Error::Code::unavailable, "the log is stopped"); }

Error below_start(const std::string& topic, PartitionNumber partition, Offset from, Offset start) {
  return make_error(Error::Code::exhausted,
                    "offset " + std::to_string(from) + " of topic " + topic + ", partition " +
                        std::to_string(partition) + " is no longer kept",
                    "the log starts at offset " + std::to_string(start));
}

Error no_such_partition(const std::string& topic, PartitionNumber partition) {
  return make_error(Error::Code::not_found, "there is no topic " + topic + " with a partition " +
                                                std::to_string(partition));
}

void FetchCall::answer(std::shared_ptr<FetchCall> call, Result<ports::Fetched> answer) {
  Executor& executor = call->executor;
  executor.post([call = std::move(call), answer = std::move(answer)]() mutable {
    if (!call->callback) return;
    auto callback = std::move(call->callback);
    call->callback = nullptr;
    callback(std::move(answer));
  });
}

void LogIndex::set_topic(std::int64_t id, const ports::TopicSettings& settings,
                         const std::vector<std::pair<Offset, Offset>>& partitions) {
  const std::lock_guard lock(mutex_);
  Topic& topic = topics_[settings.name];
  const bool known = !topic.partitions.empty();
  topic.id = id;
  if (!known || !settings.only_new) topic.settings = settings;
  if (known) return;
  topic.partitions = std::vector<State>(partitions.size());
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    topic.partitions[p].topic = id;
    topic.partitions[p].start = partitions[p].first;
    topic.partitions[p].end = partitions[p].second;
  }
}

LogIndex::State* LogIndex::state(const std::string& topic, PartitionNumber partition) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition < 0 ||
      static_cast<std::size_t>(partition) >= found->second.partitions.size()) {
    return nullptr;
  }
  return &found->second.partitions[static_cast<std::size_t>(partition)];
}

const LogIndex::State* LogIndex::state(const std::string& topic, PartitionNumber partition) const {
  return const_cast<LogIndex*>(this)->state(topic, partition);
}

std::optional<LogIndex::Partition> LogIndex::find(const std::string& topic,
                                                  PartitionNumber partition) const {
  const std::lock_guard lock(mutex_);
  const State* known = state(topic, partition);
  if (known == nullptr) return std::nullopt;
  return Partition{.topic = known->topic, .start = known->start, .end = known->end};
}

std::vector<std::pair<std::int64_t, ports::TopicSettings>> LogIndex::topics() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::int64_t, ports::TopicSettings>> out;
  for (const auto& [name, topic] : topics_) out.emplace_back(topic.id, topic.settings);
  return out;
}

void LogIndex::remember(State& state, SharedBatch batch) {
  remembered_bytes_ += bytes_of(*batch);
  remembered_.emplace_back(&state, bytes_of(*batch));
  state.recent.push_back(std::move(batch));
  while (remembered_bytes_ > kRememberedBytes && remembered_.size() > 1) {
    const auto [oldest, bytes] = remembered_.front();
    remembered_.pop_front();
    remembered_bytes_ -= bytes;
    oldest->recent.pop_front();  // per partition, too, the oldest goes first
  }
}

void LogIndex::published(const std::string& topic, PartitionNumber partition, SharedBatch batch) {
  std::vector<std::pair<std::shared_ptr<FetchCall>, ports::Fetched>> answers;
  {
    const std::lock_guard lock(mutex_);
    State* known = state(topic, partition);
    HOST_CHECK(known != nullptr, "a batch was committed to a partition that is not known");
    known->end = batch->back().offset + 1;
    const std::deque<SharedBatch> newest{batch};
    for (auto at = known->waiting.begin(); at != known->waiting.end();) {
      ports::Fetched fetched = cut(newest, (*at)->from, (*at)->max_bytes);
      if (fetched.records.empty()) {  // waits for an offset that is not there yet
        ++at;
        continue;
      }
      fetched.end = known->end;
      answers.emplace_back(std::move(*at), std::move(fetched));
      at = known->waiting.erase(at);
    }
    remember(*known, std::move(batch));
  }
  for (auto& [call, fetched] : answers) FetchCall::answer(std::move(call), std::move(fetched));
}

void LogIndex::trimmed(const std::string& topic, PartitionNumber partition, Offset start) {
  const std::lock_guard lock(mutex_);
  if (State* known = state(topic, partition)) known->start = std::max(known->start, start);
}

bool LogIndex::fetch(const std::shared_ptr<FetchCall>& call) {
  std::optional<ports::Fetched> found;
  Error failed;
  {
    const std::lock_guard lock(mutex_);
    State* known = state(call->topic, call->partition);
    if (stopped_) {
      failed = log_is_stopped();
    } else if (known == nullptr) {
      failed = no_such_partition(call->topic, call->partition);
    } else if (call->from < known->start) {
      failed = below_start(call->topic, call->partition, call->from, known->start);
    } else if (call->from >= known->end) {
      known->waiting.push_back(call);
      return false;
    } else if (!known->recent.empty() && known->recent.front()->front().offset <= call->from) {
      found = cut(known->recent, call->from, call->max_bytes);
      found->end = known->end;
    } else {
      return true;
    }
  }
  if (found) {
    FetchCall::answer(call, std::move(*found));
  } else {
    FetchCall::answer(call, std::move(failed));
  }
  return false;
}

void LogIndex::forget(const FetchCall* call) {
  std::shared_ptr<FetchCall> gone;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  State* known = state(call->topic, call->partition);
  if (known == nullptr) return;
  for (auto at = known->waiting.begin(); at != known->waiting.end(); ++at) {
    if (at->get() != call) continue;
    gone = std::move(*at);
    known->waiting.erase(at);
    return;
  }
}

bool LogIndex::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void LogIndex::stop() {
  std::vector<std::shared_ptr<FetchCall>> calls;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (auto& [name, topic] : topics_) {
      for (State& partition : topic.partitions) {
        for (auto& call : partition.waiting) calls.push_back(std::move(call));
        partition.waiting.clear();
      }
    }
  }
  for (auto& call : calls) FetchCall::answer(std::move(call), log_is_stopped());
}

}  // namespace host::sqlite
