// Shards and scripts on the real log and store, fed as fast as they take it.
#include <thread>

#include "tests/bench/benches.h"
#include "tests/bench/database.h"
#include "tests/bench/work.h"

namespace host::bench {
namespace {

constexpr std::size_t kAppendedAtOnce = 500;
constexpr std::size_t kAppendsInFlight = 4;
constexpr std::size_t kAhead = 20'000;  // messages in the log that nobody handled yet

/// Appends messages so that the shards never run out of them.
class Feeder {
 public:
  Feeder(BenchHost& host, std::size_t keys)
      : host_(host), messages_(keys, static_cast<std::uint64_t>(seconds_now() * 1e6)) {}

  /// For so long. Returns the CPU time that making the messages took.
  double feed(double seconds) {
    const double end = seconds_now() + seconds, cpu = thread_cpu_seconds();
    while (seconds_now() < end) {
      if (in_flight_ < kAppendsInFlight && appended_ < host_.meter().handled() + kAhead) {
        append();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    }
    return thread_cpu_seconds() - cpu;
  }
  void wait_until_answered() const {
    while (in_flight_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  void append() {
    std::vector<ports::Append> records;
    for (std::size_t i = 0; i < kAppendedAtOnce; ++i) records.push_back(messages_.next());
    appended_ += records.size();
    ++in_flight_;
    host_.log().append(std::move(records), host_.feeding(), [this](auto result) {
      if (!result) give_up(result.error().to_string());
      --in_flight_;
    });
  }

  BenchHost& host_;
  Messages messages_;
  std::size_t appended_ = 0;
  std::atomic<std::size_t> in_flight_{0};
};

}  // namespace

int embedded(const Options& options) {
  const std::size_t keys = options.number("keys", 100'000);
  const auto seconds = static_cast<double>(options.number("seconds", 5));
  BenchHost host(options, {kInput, kOutput});
  prefill(host, keys);
  Feeder feeder(host, keys);
  host.start();
  (void)feeder.feed(1.0);
  host.meter().restart();
  const double began = seconds_now(), cpu = process_cpu_seconds();
  const std::size_t before = host.meter().handled();
  const double feeding = feeder.feed(seconds);
  const auto messages = static_cast<double>(host.meter().handled() - before);
  const double took = seconds_now() - began, used = process_cpu_seconds() - cpu - feeding;
  const Meter::Commits commits = host.meter().commits();
  feeder.wait_until_answered();
  if (messages == 0) give_up("no message was handled");

  Figures figures;
  figures.add("messages_per_s", messages / took);
  figures.add("cpu_us", used / messages * 1e6);
  figures.add("commit_messages", mean(commits.messages));
  figures.add_quantiles("commit", commits.seconds);
  host.add_file_sizes(figures);
  figures.print();
  return 0;
}

}  // namespace host::bench
