// Shards and scripts on the fake log and store: what the host costs without a disk.
#include <thread>

#include "host/runtime/asks.h"
#include "host/runtime/runtime.h"
#include "host/script/watchdog.h"
#include "tests/bench/benches.h"
#include "tests/bench/endless_log.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/seeded_chance.h"

namespace host::bench {
namespace {

constexpr double kAtMost = 120;  // seconds

void wait_for(const Meter& meter, std::size_t handled) {
  const double deadline = seconds_now() + kAtMost;
  while (meter.handled() < handled) {
    if (seconds_now() > deadline) give_up("the fake log's messages are not handled in time");
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace

int engine(const Options& options) {
  const std::size_t count = options.number("messages", 200'000);
  StderrLogger logger;
  Meter meter;
  const script::Watchdog watchdog({}, logger);
  const auto revision = load(options.text("plugin"), logger, meter);
  fakes::ManualClock clock;
  EndlessLog log(clock, options.number("keys", 20'000));
  fakes::FakeStore store(clock, log, {});
  const auto topics = topics_of(revision->manifest().name, {kInput, kOutput});
  if (Result<void> made = log.ensure_topics(topics); !made) give_up(made.error().to_string());

  Result<ports::Store::Identity> identity = store.open_deployment(kPartitions);
  if (!identity) give_up(identity.error().to_string());
  SystemClock wall;
  fakes::SeededChance chance;
  runtime::Asks asks;
  runtime::Runtime runtime(
      {log, store, wall, chance, meter, logger, asks, std::move(*identity), "", {}},
      {.lanes = static_cast<int>(options.number("lanes", 2)),
       .ready = [] { return HttpResponse{}; }});
  if (Result<void> added = runtime.add(revision); !added) give_up(added.error().to_string());
  runtime.start();

  wait_for(meter, count / 5);  // traces are compiled, states are there
  const double began = seconds_now(), cpu = process_cpu_seconds();
  const std::size_t before = meter.handled();
  wait_for(meter, count);
  const auto messages = static_cast<double>(meter.handled() - before);
  Figures figures;
  figures.add("messages_per_s", messages / (seconds_now() - began));
  figures.add("cpu_us", (process_cpu_seconds() - cpu) / messages * 1e6);
  figures.add("commit_messages", mean(meter.commits().messages));
  figures.print();
  runtime.stop(std::chrono::seconds(5));
  return 0;
}

}  // namespace host::bench
