#include "host/runtime/outbox.h"

#include <algorithm>

#include "host/runtime/sabotage.h"

namespace host::runtime {
namespace {

constexpr std::size_t kRowsASend = 500;
constexpr Duration kFirstPause = std::chrono::milliseconds(200);
constexpr Duration kLongestPause = std::chrono::seconds(5);

std::size_t size_of(const ports::Append& record) { return record.payload.size() + 200; }

}  // namespace

Outbox::Outbox(const Environment& environment, Executor& lane) : env_(environment), lane_(lane) {}

void Outbox::on_progress(Progress progress, Refused refused) {
  progress_ = std::move(progress);
  refused_ = std::move(refused);
}

void Outbox::clear() {
  alive_ = std::make_shared<int>();
  under_way_.reset();
  waiting_.clear();
  bytes_ = 0;
  pause_ = {};
  why_.clear();
}

void Outbox::adopt(std::int64_t acked, std::vector<ports::OutgoingRow> rows) {
  clear();
  acked_ = acked;
  add(std::move(rows));
}

void Outbox::add(std::vector<ports::OutgoingRow> rows) {
  for (ports::OutgoingRow& row : rows) {
    bytes_ += size_of(row.record);
    waiting_.push_back(std::move(row));
  }
  send();
}

bool Outbox::full() const {
  return rows() >= env_.limits.outbox_rows || bytes_ >= env_.limits.outbox_bytes;
}

void Outbox::send() {
  if (under_way_ || waiting_.empty()) return;
  const std::size_t count = std::min(kRowsASend, waiting_.size());
  std::vector<std::pair<std::int64_t, std::int64_t>> numbers;
  std::vector<ports::Append> records;
  numbers.reserve(count);
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    ports::OutgoingRow& row = waiting_.front();
    numbers.emplace_back(row.epoch, row.seq);
    records.push_back(std::move(row.record));
    waiting_.pop_front();
  }
  if (sabotage::kAcknowledgeEarly) acked_ = numbers.back().second;
  under_way_.emplace(UnderWay{std::move(numbers), std::move(records)});
  ask();
}

void Outbox::ask() {
  env_.log.append(under_way_->records, lane_,
                  [this, alive = std::weak_ptr<int>(alive_)](auto result) {
                    if (!alive.expired()) answered(std::move(result));
                  });
}

void Outbox::answered(Result<std::vector<Result<Offset>>> result) {
  if (!result) return again(result.error());
  const UnderWay asked = *std::exchange(under_way_, std::nullopt);
  std::vector<std::pair<std::int64_t, std::int64_t>> numbers;
  std::vector<ports::Append> records;
  std::optional<Error> why;
  for (std::size_t i = 0; i < asked.records.size(); ++i) {
    const Result<Offset>& answer = (*result)[i];
    // The log has nothing behind the first one in its partition, so they keep their order. A
    // refusal waits with it: its dead letter must not be committed before the watermark passes it.
    if (!answer && (why || answer.error().retryable)) {
      if (!why) why = answer.error();
      numbers.push_back(asked.numbers[i]);
      records.push_back(asked.records[i]);
      continue;
    }
    const auto& [epoch, seq] = asked.numbers[i];
    bytes_ -= size_of(asked.records[i]);
    if (!why) acked_ = seq;
    if (!answer) refused_({epoch, seq, asked.records[i]}, answer.error());
  }
  const bool some = records.size() < asked.records.size();
  if (some) pause_ = {};
  if (why) {
    under_way_.emplace(UnderWay{std::move(numbers), std::move(records)});
    again(*why);
  } else {
    why_.clear();
    send();
  }
  if (some) progress_();
}

/// Receivers drop what the log has already.
void Outbox::again(const Error& why) {
  if (std::string text = why.to_string(); text != why_) {
    why_ = std::move(text);
    env_.logger.log(ports::LogLevel::warn, "the log does not take what is sent",
                    {{"why", why_}, {"rows", std::to_string(rows())}});
  }
  pause_ = std::clamp(2 * pause_, kFirstPause, kLongestPause);
  lane_.post_after(pause_, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) ask();
  });
}

}  // namespace host::runtime
