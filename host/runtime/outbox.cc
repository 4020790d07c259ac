#include "host/runtime/outbox.h"

#include <algorithm>

#include "host/runtime/sabotage.h"

namespace host::runtime {
namespace {

constexpr std::size_t kRowsASend = 500;
constexpr Duration kAgainAfter = std::chrono::milliseconds(200);

std::size_t size_of(const ports::OutgoingRow& row) { return row.record.payload.size() + 200; }

}  // namespace

Outbox::Outbox(const Environment& environment, Executor& lane) : env_(environment), lane_(lane) {}

void Outbox::on_progress(Progress progress, Refused refused) {
  progress_ = std::move(progress);
  refused_ = std::move(refused);
}

void Outbox::clear() {
  alive_ = std::make_shared<int>();
  rows_.clear();
  bytes_ = 0;
  sending_ = false;
}

void Outbox::adopt(std::int64_t acked, std::vector<ports::OutgoingRow> rows) {
  clear();
  acked_ = acked;
  add(std::move(rows));
}

void Outbox::add(std::vector<ports::OutgoingRow> rows) {
  for (ports::OutgoingRow& row : rows) {
    bytes_ += size_of(row);
    rows_.push_back(std::move(row));
  }
  send();
}

bool Outbox::full() const {
  return rows_.size() >= env_.limits.outbox_rows || bytes_ >= env_.limits.outbox_bytes;
}

void Outbox::send() {
  if (sending_ || rows_.empty()) return;
  sending_ = true;
  const std::size_t count = std::min(kRowsASend, rows_.size());
  std::vector<ports::Append> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) records.push_back(rows_[i].record);
  if (sabotage::kAcknowledgeEarly) acked_ = rows_[count - 1].seq;
  env_.log.append(std::move(records), lane_,
                  [this, count, alive = std::weak_ptr<int>(alive_)](auto result) {
                    if (!alive.expired()) answered(count, std::move(result));
                  });
}

void Outbox::answered(std::size_t count, Result<std::vector<Result<Offset>>> result) {
  sending_ = false;
  if (!result) {
    // What the log has of them is unknown: all are sent again, receivers drop the repeats.
    sending_ = true;
    lane_.post_after(kAgainAfter, [this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      sending_ = false;
      send();
    });
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    ports::OutgoingRow row = std::move(rows_.front());
    rows_.pop_front();
    bytes_ -= size_of(row);
    acked_ = row.seq;
    if (!(*result)[i]) refused_(row, (*result)[i].error());
  }
  send();
  progress_();
}

}  // namespace host::runtime
