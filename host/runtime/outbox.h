#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "host/runtime/environment.h"

namespace host::runtime {

/// Brings committed messages to the log in the order of their seq, from memory, and tells how far
/// the log has acknowledged them; that watermark rides on the next commit. Where log and store are
/// one it has nothing to do. A row is sent again, after pauses that grow, until the log took it or
/// refused it for good (then it is handed to `refused`, which makes a dead letter of it): receivers
/// know a repeat by its (epoch, seq). Only on its lane.
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
  /// Unacknowledged ones.
  std::size_t rows() const {
    return waiting_.size() + (under_way_ ? under_way_->records.size() : 0);
  }
  bool full() const;
  /// Why the log has not taken what it was asked for; empty: it has, or has not answered yet.
  const std::string& why() const { return why_; }

 private:
  /// Rows that the log was asked for, until it has answered: their (epoch, seq), and their
  /// records.
  struct UnderWay {
    std::vector<std::pair<std::int64_t, std::int64_t>> numbers;
    ports::Appends records;
  };

  void send();
  void ask();
  void answered(Result<std::vector<Result<Offset>>> result);
  void again(const Error& why);

  const Environment& env_;
  Executor& lane_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::optional<UnderWay> under_way_;
  std::deque<ports::OutgoingRow> waiting_;  // behind those, by seq
  std::size_t bytes_ = 0;                   // of all of them
  std::int64_t acked_ = 0;
  Duration pause_{};  // before the log is asked again; zero: it took what it was asked for last
  std::string why_;
  Progress progress_;
  Refused refused_;
};

}  // namespace host::runtime
