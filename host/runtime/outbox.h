#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "host/runtime/environment.h"

namespace host::runtime {

/// Brings committed messages to the log in the order of their seq, from memory, and tells how far
/// the log has acknowledged them; that watermark rides on the next commit. Where log and store are
/// one it has nothing to do. A row is sent again until the log took it or refused it for good
/// (then it is handed to `refused`, which makes a dead letter of it): receivers know a repeat by
/// its (epoch, seq). Only on its lane.
class Outbox {
 public:
  using Refused = std::function<void(const ports::OutgoingRow&, const Error&)>;
  using Progress = std::function<void()>;

  Outbox(const Environment& environment, Executor& lane);

  /// Begins anew after a claim: `rows` are those above the watermark.
  void adopt(std::int64_t acked, std::vector<ports::OutgoingRow> rows);
  void add(std::vector<ports::OutgoingRow> rows);
  void clear();
  void on_progress(Progress progress, Refused refused);

  std::int64_t acked() const { return acked_; }
  std::size_t rows() const { return rows_.size(); }
  bool full() const;

 private:
  void send();
  void answered(std::size_t count, Result<std::vector<Result<Offset>>> result);

  const Environment& env_;
  Executor& lane_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::deque<ports::OutgoingRow> rows_;  // unacknowledged, by seq
  std::size_t bytes_ = 0;
  std::int64_t acked_ = 0;
  bool sending_ = false;
  Progress progress_;
  Refused refused_;
};

}  // namespace host::runtime
