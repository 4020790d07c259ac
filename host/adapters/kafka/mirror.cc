#include "host/adapters/kafka/mirror.h"

namespace host::kafka {
namespace {

constexpr auto kWriteEvery = std::chrono::seconds(5);

}  // namespace

Mirror::Mirror(const Options& options, Topics& topics) : options_(options), topics_(topics) {
  thread_ = std::thread([this] { run(); });
}

Mirror::~Mirror() { stop(); }

void Mirror::note(const std::string& plugin, const std::string& topic, PartitionNumber partition,
                  Offset next) {
  const std::lock_guard lock(mutex_);
  noted_[plugin][{topic, partition}] = next;
}

void Mirror::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Mirror::run() {
  for (bool stopped = false; !stopped;) {
    {
      std::unique_lock lock(mutex_);
      stopped = wake_.wait_for(lock, kWriteEvery, [this] { return stopped_; });
    }
    if (!stopped || !failed_) write();
  }
}

void Mirror::write() {
  std::map<std::string, Offsets> noted;
  {
    const std::lock_guard lock(mutex_);
    noted.swap(noted_);
  }
  for (auto& [plugin, offsets] : noted) {
    const std::string group = options_.group + "." + plugin;
    const Result<void> written = topics_.set_offsets(group, offsets);
    if (!written && !failed_ && options_.logger != nullptr) {
      options_.logger->log(ports::LogLevel::warn, "the offsets of a consumer group are not written",
                           {{"group", group}, {"why", written.error().to_string()}});
    }
    failed_ = !written;
    if (written) continue;
    const std::lock_guard lock(mutex_);  // newer ones stay
    Offsets& again = noted_[plugin];
    again.insert(offsets.begin(), offsets.end());
  }
}

}  // namespace host::kafka
