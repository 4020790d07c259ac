#include "tests/fakes/fake_log.h"

#include <algorithm>
#include <utility>

namespace host::fakes {

using ports::Append;
using ports::Fetched;

struct FakeLog::Waiter {
  Offset from = 0;
  std::size_t max_bytes = 0;
  Executor* executor = nullptr;
  FetchCallback callback;
  std::atomic<bool> cancelled{false};
};

struct FakeLog::Partition {
  std::deque<Record> records;
  Offset start = 0;
  Offset end = 0;
  std::vector<std::shared_ptr<Waiter>> waiters;
};

struct FakeLog::Content {
  std::map<std::string, std::vector<Partition>, std::less<>> topics;
};

/// An append on its way.
struct FakeLog::Operation {
  std::uint64_t id = 0;
  ports::Appends records = std::vector<Append>{};
  Executor* executor = nullptr;
  AppendCallback callback;
  std::optional<std::pair<Error, bool>> failure;  // planned; whether it is written nevertheless
  std::optional<std::vector<Result<Offset>>> written;
};

/// Why records of a partition are not acknowledged, and how many of them are written all the same.
struct FakeLog::Unacknowledged {
  Error why;
  std::size_t written = 0;
};

class FakeLog::Handle : public ports::Log::Fetch {
 public:
  explicit Handle(std::shared_ptr<Waiter> waiter) : waiter_(std::move(waiter)) {}
  ~Handle() override { waiter_->cancelled = true; }

 private:
  std::shared_ptr<Waiter> waiter_;
};

namespace {

Error stopped_error() { return retryable_error(Error::Code::unavailable, "the log is stopped"); }
Error unknown_error(const std::string& topic, PartitionNumber partition) {
  return make_error(Error::Code::not_found,
                    "the log has no partition " + topic + "/" + std::to_string(partition));
}

}  // namespace

FakeLog::FakeLog(const ManualClock& clock, Manners manners, std::uint64_t seed)
    : clock_(clock), manners_(manners), random_(seed) {}
FakeLog::~FakeLog() = default;

Result<void> FakeLog::ensure_topics(std::span<const ports::TopicSettings> topics) {
  std::lock_guard lock(mutex_);
  if (stopped_) return stopped_error();
  for (const ports::TopicSettings& topic : topics) {
    const auto known = topics_.find(topic.name);
    if (known == topics_.end()) continue;
    const auto count = static_cast<PartitionNumber>(known->second.size());
    if (count == topic.partitions) continue;
    return make_error(Error::Code::invalid, "topic " + topic.name + " has " +
                                                std::to_string(count) + " partitions, not " +
                                                std::to_string(topic.partitions));
  }
  for (const ports::TopicSettings& topic : topics) {
    topics_[topic.name].resize(static_cast<std::size_t>(topic.partitions));
  }
  return {};
}

std::unique_ptr<ports::Log::Fetch> FakeLog::fetch(const std::string& topic, PartitionNumber number,
                                                  Offset from, std::size_t max_bytes,
                                                  Executor& executor, FetchCallback callback) {
  auto waiter = std::make_shared<Waiter>();
  waiter->from = from;
  waiter->max_bytes = max_bytes;
  waiter->executor = &executor;
  waiter->callback = std::move(callback);
  auto handle = std::make_unique<Handle>(waiter);
  std::lock_guard lock(mutex_);
  Partition* partition = find(topic, number);
  if (stopped_) {
    give(waiter, stopped_error());
  } else if (!fetch_failures_.empty()) {
    give(waiter, std::move(fetch_failures_.front()));
    fetch_failures_.pop_front();
  } else if (partition == nullptr) {
    give(waiter, unknown_error(topic, number));
  } else if (unassigned_.contains({topic, number}) || draw(manners_.unassign)) {
    give(waiter, retryable_error(Error::Code::unavailable, "partition is not assigned"));
  } else if (from < partition->start) {
    give(waiter, make_error(Error::Code::exhausted,
                            "offset " + std::to_string(from) + " of " + topic + "/" +
                                std::to_string(number) + " is no longer in the log",
                            "it begins at " + std::to_string(partition->start)));
  } else if (from < partition->end) {
    give(waiter, gather(*partition, from, max_bytes));
  } else {
    partition->waiters.push_back(std::move(waiter));
  }
  return handle;
}

void FakeLog::append(ports::Appends records, Executor& executor, AppendCallback callback) {
  auto operation = std::make_shared<Operation>();
  operation->records = std::move(records);
  operation->executor = &executor;
  operation->callback = std::move(callback);
  std::lock_guard lock(mutex_);
  operation->id = ++last_operation_;
  if (stopped_) {
    executor.post([operation] { operation->callback(stopped_error()); });
    return;
  }
  if (!failures_.empty()) {
    operation->failure = std::move(failures_.front());
    failures_.pop_front();
  } else if (draw(manners_.unknown)) {
    operation->failure = {retryable_error(Error::Code::timeout, "no acknowledgement in time"),
                          draw(0.5)};
  }
  // Written when it is sent or when it is acknowledged: a process that dies between the two has
  // lost it in the second case only.
  Producer& producer = producers_[&executor];
  const bool lost = operation->failure && !operation->failure->second;
  const bool later = hold_ ? *hold_ == Hold::writes : manners_.delay > Duration{0} && draw(0.5);
  if (lost || later || producer.unwritten > 0) {
    ++producer.unwritten;
  } else {
    operation->written = write(operation->records, manners_.partly);
  }
  if (hold_) {
    held_.push_back(std::move(operation));
  } else {
    schedule(executor, [this, operation] { finish(*operation); });
  }
}

void FakeLog::finish(Operation& operation) {
  Result<std::vector<Result<Offset>>> answer = std::vector<Result<Offset>>{};
  {
    std::lock_guard lock(mutex_);
    Producer& producer = producers_[operation.executor];
    if (!operation.written) --producer.unwritten;
    const bool broken = operation.id <= producer.lost_up_to;
    const bool lost = operation.failure && !operation.failure->second;
    if (!operation.written && (stopped_ || broken || lost)) {
      // No record behind a lost one is written: what is in flight is lost with it.
      if (!broken) producer.lost_up_to = last_operation_;
      answer = operation.failure ? operation.failure->first
               : stopped_        ? stopped_error()
                          : retryable_error(Error::Code::timeout, "lost with an append before it");
    } else {
      if (!operation.written) operation.written = write(operation.records, manners_.partly);
      if (operation.failure) {
        answer = operation.failure->first;
      } else {
        answer = std::move(*operation.written);
      }
    }
  }
  operation.callback(std::move(answer));
}

void FakeLog::range(const std::string& topic, PartitionNumber number, Executor& executor,
                    UniqueFunction<void(Result<Range>)> callback) {
  std::lock_guard lock(mutex_);
  const Partition* partition = find(topic, number);
  Result<Range> result = stopped_               ? Result<Range>(stopped_error())
                         : partition == nullptr ? Result<Range>(unknown_error(topic, number))
                                                : Range{partition->start, partition->end};
  executor.post([callback = std::move(callback), result = std::move(result)]() mutable {
    callback(std::move(result));
  });
}

void FakeLog::give(const std::shared_ptr<Waiter>& waiter, Result<Fetched> result) {
  waiter->executor->post([waiter, result = std::move(result)]() mutable {
    if (waiter->cancelled) return;
    FetchCallback callback = std::move(waiter->callback);
    callback(std::move(result));
  });
}

Fetched FakeLog::gather(const Partition& partition, Offset from, std::size_t max_bytes) {
  const auto begin =
      std::lower_bound(partition.records.begin(), partition.records.end(), from,
                       [](const Record& record, Offset offset) { return record.offset < offset; });
  const std::size_t most =
      manners_.fetch_records == 0 ? SIZE_MAX : 1 + random_() % manners_.fetch_records;
  Fetched fetched;
  std::size_t bytes = 0;
  auto at = begin;
  for (std::size_t count = 0; at != partition.records.end() && count < most; ++at, ++count) {
    bytes += at->payload.size() + (at->key ? at->key->size() : 0);
    if (bytes > max_bytes && at != begin) break;
  }
  fetched.records.assign(begin, at);
  fetched.end = partition.end;
  fetched.next = at == partition.records.end() ? partition.end : fetched.records.back().offset + 1;
  return fetched;
}

std::optional<Error> FakeLog::refusal(const Append& record) const {
  if (find(record.topic, record.partition) == nullptr) {
    return unknown_error(record.topic, record.partition);
  }
  return refuse_ ? refuse_(record) : std::nullopt;
}

std::vector<Result<Offset>> FakeLog::write(const ports::Appends& records, double partly) {
  std::vector<Result<Offset>> answers;
  if (manners_.shares_store) {
    for (const Append& record : records) {
      std::optional<Error> error = refusal(record);
      if (!error) continue;
      answers.assign(records.size(), *error);
      return answers;
    }
  }
  const bool part = !manners_.shares_store && !records.empty() && draw(partly);
  const std::size_t lost_from = part ? random_() % records.size() : records.size();
  std::map<std::pair<std::string_view, PartitionNumber>, Unacknowledged> closed;
  std::vector<Partition*> touched;
  for (const Append& record : records) {
    if (std::optional<Error> error = refusal(record)) {
      answers.push_back(*std::move(error));
      continue;
    }
    const std::pair<std::string_view, PartitionNumber> place(record.topic, record.partition);
    if (answers.size() == lost_from) {
      closed.emplace(place,
                     Unacknowledged{retryable_error(Error::Code::timeout, "no acknowledgement"),
                                    random_() % (records.size() - lost_from + 1)});
    } else if (std::optional<Error> error = delay_ ? delay_(record) : std::nullopt) {
      closed.emplace(place, Unacknowledged{*std::move(error), 0});
    }
    const auto found = closed.find(place);
    const bool taken = found == closed.end();
    if (taken || found->second.written > 0) touched.push_back(&write_one(record));
    if (taken) {
      answers.push_back(touched.back()->end - 1);
    } else {
      answers.push_back(found->second.why);
      if (found->second.written > 0) --found->second.written;
    }
  }
  if (!manners_.shares_store && !records.empty() && draw(manners_.repeat)) {
    for (std::size_t i = random_() % records.size(); i < records.size(); ++i) {
      // The double of a record that was just answered.
      if (answers[i].ok()) write_one(records[i]);
    }
  }
  written_to(touched);
  return answers;
}

FakeLog::Partition& FakeLog::write_one(const Append& record) {
  Partition& partition = *find(record.topic, record.partition);
  Record written;
  if (manners_.keep != 0 && partition.records.size() >= manners_.keep) {
    written = std::move(partition.records.front());
    partition.records.pop_front();
    partition.start = written.offset + 1;
  }
  written.topic = record.topic;
  written.partition = record.partition;
  written.offset = partition.end++;
  written.time = clock_.now();
  written.key = record.key;
  written.payload = record.payload;
  written.headers = record.headers;
  partition.records.push_back(std::move(written));
  return partition;
}

void FakeLog::written_to(const std::vector<Partition*>& partitions) {
  for (Partition* partition : std::set<Partition*>(partitions.begin(), partitions.end())) {
    if (draw(manners_.gap)) partition->end += 1 + static_cast<Offset>(random_() % 3);
    wake(*partition);
  }
}

std::optional<Error> FakeLog::append_now(const std::vector<Append>& records) {
  std::lock_guard lock(mutex_);
  for (const Append& record : records) {
    if (std::optional<Error> error = refusal(record)) return error;
  }
  write(records, 0);
  return std::nullopt;
}

std::optional<Error> FakeLog::append_now(const std::vector<ports::OutgoingRow>& rows) {
  std::lock_guard lock(mutex_);
  for (const ports::OutgoingRow& row : rows) {
    if (std::optional<Error> error = refusal(row.record)) return error;
  }
  std::vector<Partition*> touched;
  for (const ports::OutgoingRow& row : rows) touched.push_back(&write_one(row.record));
  written_to(touched);
  return std::nullopt;
}

void FakeLog::wake(Partition& partition) {
  std::vector<std::shared_ptr<Waiter>> waiting;
  waiting.swap(partition.waiters);
  for (const auto& waiter : waiting) {
    if (waiter->cancelled) continue;
    if (partition.end <= waiter->from) {
      partition.waiters.push_back(waiter);
    } else {
      give(waiter, gather(partition, waiter->from, waiter->max_bytes));
    }
  }
}

void FakeLog::schedule(Executor& executor, UniqueFunction<void()> work) {
  if (manners_.delay <= Duration{0}) {
    executor.post(std::move(work));
    return;
  }
  Producer& producer = producers_[&executor];
  const Time now = clock_.now();
  const Duration delay{static_cast<std::int64_t>(
      random_() % (static_cast<std::uint64_t>(manners_.delay.count()) + 1))};
  producer.last_due = std::max(producer.last_due, now + delay);
  executor.post_after(producer.last_due - now, std::move(work));
}

bool FakeLog::draw(double chance) {
  return chance > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < chance;
}

FakeLog::Partition* FakeLog::find(const std::string& topic, PartitionNumber partition) {
  return const_cast<Partition*>(std::as_const(*this).find(topic, partition));
}

const FakeLog::Partition* FakeLog::find(const std::string& topic, PartitionNumber partition) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition < 0) return nullptr;
  const auto index = static_cast<std::size_t>(partition);
  return index < found->second.size() ? &found->second[index] : nullptr;
}

// ---- handles ----

void FakeLog::hold_appends(Hold what) {
  std::lock_guard lock(mutex_);
  hold_ = what;
}

void FakeLog::release_appends() {
  std::lock_guard lock(mutex_);
  hold_.reset();
  for (auto& operation : held_) {
    Executor& executor = *operation->executor;
    schedule(executor, [this, operation = std::move(operation)] { finish(*operation); });
  }
  held_.clear();
}

std::size_t FakeLog::held_appends() const {
  std::lock_guard lock(mutex_);
  return held_.size();
}

void FakeLog::fail_next_append(Error error, bool written) {
  std::lock_guard lock(mutex_);
  failures_.emplace_back(std::move(error), written);
}

void FakeLog::fail_next_fetch(Error error) {
  std::lock_guard lock(mutex_);
  fetch_failures_.push_back(std::move(error));
}

void FakeLog::refuse_when(std::function<std::optional<Error>(const Append&)> reason) {
  std::lock_guard lock(mutex_);
  refuse_ = std::move(reason);
}

void FakeLog::delay_when(std::function<std::optional<Error>(const Append&)> reason) {
  std::lock_guard lock(mutex_);
  delay_ = std::move(reason);
}

void FakeLog::unassign(const std::string& topic, PartitionNumber number) {
  std::lock_guard lock(mutex_);
  unassigned_.insert({topic, number});
  Partition* partition = find(topic, number);
  if (partition == nullptr) return;
  for (const auto& waiter : partition->waiters) {
    give(waiter, retryable_error(Error::Code::unavailable, "partition was taken away"));
  }
  partition->waiters.clear();
}

void FakeLog::assign(const std::string& topic, PartitionNumber partition) {
  std::lock_guard lock(mutex_);
  unassigned_.erase({topic, partition});
}

void FakeLog::add_gap(const std::string& topic, PartitionNumber number, Offset n) {
  std::lock_guard lock(mutex_);
  Partition* partition = find(topic, number);
  HOST_CHECK(partition != nullptr, "add_gap() of an unknown partition");
  partition->end += n;
  wake(*partition);
}

void FakeLog::truncate(const std::string& topic, PartitionNumber number, Offset start) {
  std::lock_guard lock(mutex_);
  Partition* partition = find(topic, number);
  HOST_CHECK(partition != nullptr, "truncate() of an unknown partition");
  partition->start = start;
  partition->end = std::max(partition->end, start);
  std::erase_if(partition->records, [&](const Record& record) { return record.offset < start; });
}

void FakeLog::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& [name, partitions] : topics_) {
    for (Partition& partition : partitions) {
      for (const auto& waiter : partition.waiters) give(waiter, stopped_error());
      partition.waiters.clear();
    }
  }
  for (auto& operation : held_) {
    Executor& executor = *operation->executor;
    executor.post([this, operation = std::move(operation)] { finish(*operation); });
  }
  held_.clear();
}

void FakeLog::restart() {
  std::lock_guard lock(mutex_);
  stopped_ = false;
}

void FakeLog::forget(const Executor& executor) {
  std::lock_guard lock(mutex_);
  for (auto& [name, partitions] : topics_) {
    for (Partition& partition : partitions) {
      std::erase_if(partition.waiters, [&](const auto& w) { return w->executor == &executor; });
    }
  }
  std::erase_if(held_, [&](const auto& operation) { return operation->executor == &executor; });
  producers_.erase(&executor);
}

std::vector<Record> FakeLog::records(const std::string& topic) const {
  std::lock_guard lock(mutex_);
  std::vector<Record> all;
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return all;
  for (const Partition& partition : found->second) {
    all.insert(all.end(), partition.records.begin(), partition.records.end());
  }
  return all;
}

std::vector<Record> FakeLog::records(const std::string& topic, PartitionNumber number) const {
  std::lock_guard lock(mutex_);
  const Partition* partition = find(topic, number);
  if (partition == nullptr) return {};
  return {partition->records.begin(), partition->records.end()};
}

std::size_t FakeLog::waiting_fetches() const {
  std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [name, partitions] : topics_) {
    for (const Partition& partition : partitions) {
      for (const auto& waiter : partition.waiters) count += waiter->cancelled ? 0 : 1;
    }
  }
  return count;
}

std::shared_ptr<const FakeLog::Content> FakeLog::backup() const {
  std::lock_guard lock(mutex_);
  auto content = std::make_shared<Content>(Content{topics_});
  for (auto& [name, partitions] : content->topics) {
    for (Partition& partition : partitions) partition.waiters.clear();
  }
  return content;
}

void FakeLog::restore(const std::shared_ptr<const Content>& content) {
  std::lock_guard lock(mutex_);
  topics_ = content->topics;
}

}  // namespace host::fakes
