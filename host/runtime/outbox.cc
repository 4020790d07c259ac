#include "host/runtime/outbox.h"

#include <algorithm>

#include "host/runtime/sabotage.h"

namespace host::runtime {
namespace {

constexpr std::size_t kRowsASend = 500;
constexpr Duration kAgainAfter = std::chrono::milliseconds(200);

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
  if (!result) {
    // What the log has of them is unknown: all are sent again, receivers drop the repeats.
    lane_.post_after(kAgainAfter, [this, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) ask();
    });
    return;
  }
  const UnderWay done = *std::exchange(under_way_, std::nullopt);
  for (std::size_t i = 0; i < done.records.size(); ++i) {
    const auto& [epoch, seq] = done.numbers[i];
    bytes_ -= size_of(done.records[i]);
    acked_ = seq;
    if (!(*result)[i]) refused_({epoch, seq, done.records[i]}, (*result)[i].error());
  }
  send();
  progress_();
}

}  // namespace host::runtime
