// The contract suite of the store on its fake, with and without a log of its own.

#include "tests/fakes/fake_store.h"

#include "tests/contract/contract_support.h"

namespace host::contract {
namespace {

struct FakeStoreFixture {
  FakeStoreFixture(fakes::FakeLog::Manners log_manners, fakes::FakeStore::Manners manners)
      : fake_log(scheduler.clock(), log_manners, 5),
        fake(scheduler.clock(), fake_log, manners, 5),
        lane(scheduler) {}

  ports::Log& log() { return fake_log; }
  ports::Store& store() { return fake; }
  Executor& executor() { return lane; }
  fakes::ManualClock& clock() { return scheduler.clock(); }
  bool pump(const std::function<bool()>& until) { return scheduler.run_until(until); }
  void reopen() {
    fake.restart();
    fake_log.restart();
  }
  void stop() {
    fake.stop();
    fake_log.stop();
  }
  bool shares_store() { return fake_log.shares_store(); }

  fakes::Scheduler scheduler;
  fakes::FakeLog fake_log;
  fakes::FakeStore fake;
  fakes::ManualExecutor lane;
};

struct EmbeddedStore : FakeStoreFixture {
  EmbeddedStore() : FakeStoreFixture({.shares_store = true}, {}) {}
};
struct StoreBesideKafka : FakeStoreFixture {
  StoreBesideKafka() : FakeStoreFixture({}, {}) {}
};
struct LateStore : FakeStoreFixture {
  LateStore() : FakeStoreFixture({}, {.delay = std::chrono::milliseconds(20)}) {}
};

}  // namespace
using StoreFixtures = std::tuple<EmbeddedStore, StoreBesideKafka, LateStore>;
}  // namespace host::contract

#include "tests/contract/store_contract.h"
