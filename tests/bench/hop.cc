// How long a message is on its way from the handler that sends it to the one that handles it.
#include <thread>
#include <unordered_map>

#include "host/core/partition.h"
#include "tests/bench/benches.h"
#include "tests/bench/database.h"
#include "tests/bench/work.h"

namespace host::bench {
namespace {

constexpr const char* kFirst = "hop.first";
constexpr const char* kSecond = "hop.second";
constexpr double kWarmUp = 1.0;       // seconds
constexpr std::size_t kOwls = 5'000;  // keys; far more than are ever under way

/// When which message's handler ended, at the first place and at the second. Thread-safe.
class Times {
 public:
  void ended(const Message& message) {
    const double now = seconds_now();
    const std::lock_guard lock(mutex_);
    if (message.topic == kFirst) {
      sent_.insert_or_assign(message.key.value_or(""), now);
    } else if (const auto sent = sent_.find(message.key.value_or("")); sent != sent_.end()) {
      hops_.push_back(now - sent->second);
      sent_.erase(sent);
    }
  }
  void restart() {
    const std::lock_guard lock(mutex_);
    hops_.clear();
  }
  std::vector<double> hops() const {
    const std::lock_guard lock(mutex_);
    return hops_;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, double> sent_;  // guarded by mutex_
  std::vector<double> hops_;                      // guarded by mutex_
};

/// Notes when the turns of another engine end. Handlers of this bench never wait.
class TimedEngine final : public ports::Engine {
 public:
  TimedEngine(std::unique_ptr<ports::Engine> engine, Times& times)
      : engine_(std::move(engine)), times_(times) {}
  const Manifest& manifest() const override { return engine_->manifest(); }
  bool admits() const override { return engine_->admits(); }
  Started start(ports::Call&& call) override {
    Message message;
    message.topic = call.message->topic;
    message.key = call.message->key;
    Started started = engine_->start(std::move(call));
    times_.ended(message);
    return started;
  }
  Result<Inspected> inspect(const Manifest::Subscription& subscription,
                            const std::string& payload) override {
    return engine_->inspect(subscription, payload);
  }
  std::size_t memory_bytes() const override { return engine_->memory_bytes(); }
  bool broken() const override { return engine_->broken(); }

 private:
  std::unique_ptr<ports::Engine> engine_;
  Times& times_;
};

class TimedRevision final : public ports::Revision {
 public:
  TimedRevision(std::shared_ptr<const ports::Revision> revision, Times& times)
      : revision_(std::move(revision)), times_(times) {}
  const Manifest& manifest() const override { return revision_->manifest(); }
  const std::vector<std::pair<std::string, std::string>>& files() const override {
    return revision_->files();
  }
  Result<std::unique_ptr<ports::Engine>> make_engine() const override {
    Result<std::unique_ptr<ports::Engine>> engine = revision_->make_engine();
    if (!engine) return engine;
    return std::unique_ptr<ports::Engine>(
        std::make_unique<TimedEngine>(std::move(*engine), times_));
  }

 private:
  std::shared_ptr<const ports::Revision> revision_;
  Times& times_;
};

ports::Append owl(const std::string& prefix, std::size_t number) {
  ports::Append record;
  record.topic = prefix + kFirst;
  const std::string name = "owl-" + std::to_string(number % kOwls);
  record.key = name;
  record.partition = partition_of(*record.key, kPartitions);
  record.payload = R"({"id":")" + name + R"(","note":"a letter"})";
  return record;
}

/// At an even rate, whatever becomes of them.
void send(BenchHost& host, std::size_t& number, std::size_t rate, double seconds) {
  const double began = seconds_now();
  for (std::size_t sent = 0; seconds_now() < began + seconds;) {
    const auto due = static_cast<std::size_t>((seconds_now() - began) * static_cast<double>(rate));
    for (; sent < due; ++sent) {
      std::vector<ports::Append> records{owl(host.prefix(), number++)};
      host.log().append(std::move(records), host.feeding(), [](auto result) {
        if (!result) give_up(result.error().to_string());
      });
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

}  // namespace

int hop(const Options& options) {
  const std::size_t rate = options.number("rate", 1000);
  const auto seconds = static_cast<double>(options.number("seconds", 5));
  Times times;
  BenchHost host(options, {kFirst, kSecond}, [&times](auto revision) {
    return std::make_shared<TimedRevision>(std::move(revision), times);
  });
  host.start();
  std::size_t number = 0;
  send(host, number, rate, kWarmUp);
  times.restart();
  const double began = seconds_now(), cpu = process_cpu_seconds();
  send(host, number, rate, seconds);
  const std::vector<double> hops = times.hops();
  if (hops.empty()) give_up("no message arrived at the second place");
  Figures figures;
  figures.add("hops_per_s", static_cast<double>(hops.size()) / (seconds_now() - began));
  figures.add("cpu_us", (process_cpu_seconds() - cpu) / static_cast<double>(hops.size()) * 1e6);
  figures.add_quantiles("hop", hops);
  figures.print();
  return 0;
}

}  // namespace host::bench
