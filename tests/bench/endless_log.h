#pragma once

#include <string>
#include <vector>

#include "tests/bench/work.h"
#include "tests/fakes/fake_log.h"

namespace host::bench {

/// The fake log, with an input topic that never ends: its records are made when they are fetched,
/// from the same payloads that the codec is measured with, so that no log of hundreds of megabytes
/// goes through the processor's caches beside the work. Of what is appended the last few records a
/// partition are kept. Thread-safe.
class EndlessLog final : public fakes::FakeLog {
 public:
  /// `keys` distinct keys, at random but the same for every run.
  EndlessLog(const fakes::ManualClock& clock, std::size_t keys);

  [[nodiscard]] std::unique_ptr<Fetch> fetch(const std::string& topic, PartitionNumber partition,
                                             Offset from, std::size_t max_bytes, Executor& executor,
                                             FetchCallback callback) override;

 private:
  Record record(PartitionNumber partition, Offset offset) const;

  std::vector<std::string> payloads_;
  std::vector<std::vector<std::string>> keys_;  // by partition
};

}  // namespace host::bench
