// The contract suite of the log on its fake: as part of the store, and with Kafka's manners.

#include "tests/fakes/fake_log.h"

#include "tests/contract/contract_support.h"

namespace host::contract {
namespace {

struct FakeLogFixture {
  explicit FakeLogFixture(fakes::FakeLog::Manners manners)
      : fake(scheduler.clock(), manners, 7), lane(scheduler) {}

  ports::Log& log() { return fake; }
  Executor& executor() { return lane; }
  fakes::ManualClock& clock() { return scheduler.clock(); }
  bool pump(const std::function<bool()>& until) { return scheduler.run_until(until); }
  void reopen() { fake.restart(); }
  void stop() { fake.stop(); }
  bool shares_store() { return fake.shares_store(); }
  void truncate(const std::string& topic, PartitionNumber partition, Offset before) {
    fake.truncate(topic, partition, before);
  }
  void add_gap(const std::string& topic, PartitionNumber partition) {
    fake.add_gap(topic, partition);
  }

  fakes::Scheduler scheduler;
  fakes::FakeLog fake;
  fakes::ManualExecutor lane;
};

struct EmbeddedLog : FakeLogFixture {
  EmbeddedLog() : FakeLogFixture({.shares_store = true}) {}
};
struct LateLog : FakeLogFixture {
  LateLog() : FakeLogFixture({.delay = std::chrono::milliseconds(20), .fetch_records = 3}) {}
};
struct KafkaLog : FakeLogFixture {
  KafkaLog()
      : FakeLogFixture({.gap = 0.4,
                        .repeat = 0.4,
                        .delay = std::chrono::milliseconds(20),
                        .fetch_records = 5}) {}
};

}  // namespace
using LogFixtures = std::tuple<EmbeddedLog, LateLog, KafkaLog>;
}  // namespace host::contract

#include "tests/contract/log_contract.h"
