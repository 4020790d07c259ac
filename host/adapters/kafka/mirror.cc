#include "host/adapters/kafka/mirror.h"

#include "host/adapters/kafka/errors.h"

namespace host::kafka {
namespace {

constexpr auto kWriteEvery = std::chrono::seconds(5);
constexpr int kAnswerMs = 2000;

}  // namespace

Mirror::Mirror(const Options& options) : options_(options) {
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

/// Nobody joins the group: a commit needs no membership. Session and requests are short, because a
/// client that ends with a commit under way waits for it so long.
Result<void> Mirror::write(const std::string& plugin, const Offsets& offsets) {
  const std::string group = group_of(plugin);
  ClientHandle& client = clients_[plugin];
  if (!client) {
    Result<ClientHandle> made = Conf(options_, {{"group.id", group},
                                                {"enable.auto.commit", "false"},
                                                {"session.timeout.ms", "500"},
                                                {"heartbeat.interval.ms", "100"},
                                                {"socket.timeout.ms", "2000"}})
                                    .make(RD_KAFKA_CONSUMER);
    if (!made) return made.error();
    client = std::move(*made);
  }
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& [place, offset] : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), place.first.c_str(), place.second)->offset =
        offset;
  }
  const std::string doing = "writing offsets of group " + group;
  const QueueHandle queue(rd_kafka_queue_new(client.get()));
  const auto asked = rd_kafka_commit_queue(client.get(), list.get(), queue.get(), nullptr, nullptr);
  if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return to_error(asked, doing);
  const EventHandle event(rd_kafka_queue_poll(queue.get(), kAnswerMs));
  while (rd_kafka_poll(client.get(), 0) > 0) {  // what it says for itself is in the log already
  }
  if (!event) return to_error(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
  const auto code = rd_kafka_event_error(event.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return to_error(code, doing);
  return {};
}

void Mirror::write() {
  std::map<std::string, Offsets> noted;
  {
    const std::lock_guard lock(mutex_);
    noted.swap(noted_);
  }
  std::erase_if(clients_, [&](const auto& client) { return !noted.contains(client.first); });
  for (auto& [plugin, offsets] : noted) {
    const Result<void> written = write(plugin, offsets);
    if (!written && !failed_ && options_.logger != nullptr) {
      options_.logger->log(ports::LogLevel::warn, "the offsets of a consumer group are not written",
                           {{"group", group_of(plugin)}, {"why", written.error().to_string()}});
    }
    failed_ = !written;
    if (written) continue;
    clients_.erase(plugin);  // one whose broker went away may look for its coordinator for good
    const std::lock_guard lock(mutex_);  // newer ones stay
    Offsets& again = noted_[plugin];
    again.insert(offsets.begin(), offsets.end());
  }
}

}  // namespace host::kafka
