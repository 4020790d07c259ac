#include "tests/bench/database.h"

#include <algorithm>
#include <future>

#include "host/core/partition.h"
#include "tests/bench/work.h"

namespace host::bench {
namespace {

constexpr std::size_t kStatesACommit = 10'000;

double bytes_of(const std::filesystem::path& file) {
  std::error_code missing;
  const std::uintmax_t size = std::filesystem::file_size(file, missing);
  return missing ? 0 : static_cast<double>(size);
}

/// Waits for the one answer of a port.
template <class T>
T wait_for(std::future<T>& answer) {
  if (answer.wait_for(std::chrono::minutes(5)) != std::future_status::ready) {
    give_up("the store does not answer");
  }
  return answer.get();
}

ports::ShardImage claim(BenchHost& host, const ShardRef& shard) {
  std::promise<Result<ports::ShardImage>> promise;
  auto answer = promise.get_future();
  host.store().claim(shard, host.feeding(),
                     [&](Result<ports::ShardImage> image) { promise.set_value(std::move(image)); });
  Result<ports::ShardImage> image = wait_for(answer);
  if (!image) give_up(image.error().to_string());
  return std::move(*image);
}

bool has_state(BenchHost& host, const ShardRef& shard, const std::string& key) {
  std::promise<Result<ports::StateRow>> promise;
  auto answer = promise.get_future();
  host.store().read_state(shard, key, host.feeding(),
                          [&](Result<ports::StateRow> row) { promise.set_value(std::move(row)); });
  Result<ports::StateRow> row = wait_for(answer);
  if (!row) give_up(row.error().to_string());
  return row->bytes.has_value();
}

void commit(BenchHost& host, const std::shared_ptr<const ports::ShardCommit>& commit) {
  std::promise<ports::CommitResult> promise;
  auto answer = promise.get_future();
  host.store().commit(commit, host.feeding(),
                      [&](ports::CommitResult result) { promise.set_value(std::move(result)); });
  const ports::CommitResult result = wait_for(answer);
  if (result.status != ports::CommitResult::Status::committed) {
    give_up("the states cannot be stored: " + result.error.to_string());
  }
}

void prefill_shard(BenchHost& host, const ShardRef& shard, std::vector<std::size_t> numbers) {
  // In the order of the table, so that its pages fill one after the other.
  std::sort(numbers.begin(), numbers.end(),
            [](std::size_t a, std::size_t b) { return key_of(a) < key_of(b); });
  const ports::ShardImage image = claim(host, shard);
  std::int64_t commit_no = image.commit_no;
  for (std::size_t first = 0; first < numbers.size(); first += kStatesACommit) {
    auto states = std::make_shared<ports::ShardCommit>();
    states->shard = shard;
    states->epoch = image.epoch;
    states->commit_no = commit_no++;
    states->seq = image.seq;
    const std::size_t end = std::min(first + kStatesACommit, numbers.size());
    for (std::size_t i = first; i < end; ++i) {
      states->states.emplace_back(key_of(numbers[i]),
                                  ports::StateRow{.bytes = state_of(numbers[i]), .version = 1});
    }
    commit(host, states);
  }
}

}  // namespace

void BenchHost::open_folder() {
  auto database = sqlite::Database::open({.dir = dir_, .clock = clock_, .logger = &logger_});
  if (!database) give_up(database.error().to_string());
  database_ = std::move(*database);
  log_ = database_.get();
  store_ = database_.get();
}

void BenchHost::meet_servers(const Options& options) {
  auto log = kafka::KafkaLog::make({.brokers = options.text("brokers"), .logger = &logger_});
  if (!log) give_up(log.error().to_string());
  kafka_ = std::move(*log);
  auto store = postgres::PostgresStore::make(
      {.url = options.text("store"), .clock = clock_, .logger = &logger_});
  if (!store) give_up(store.error().to_string());
  postgres_ = std::move(*store);
  log_ = kafka_.get();
  store_ = postgres_.get();
}

BenchHost::BenchHost(const Options& options, const std::vector<std::string>& topics,
                     const Wrap& wrap)
    : dir_(options.text("dir", "")),
      prefix_(options.text("prefix", "")),
      watchdog_({}, logger_),
      feeding_(1'000) {
  dir_.empty() ? meet_servers(options) : open_folder();
  auto revision = load(options.text("plugin"), logger_, meter_);
  plugin_ = revision->manifest().name;
  Result<ports::Store::Identity> identity = store_->open_deployment(kPartitions);
  if (!identity) give_up(identity.error().to_string());
  auto settings = topics_of(plugin_, topics);
  for (ports::TopicSettings& each : settings) each.name = prefix_ + each.name;
  if (Result<void> made = log_->ensure_topics(settings); !made) {
    give_up(made.error().to_string());
  }
  runtime_ = std::make_unique<runtime::Runtime>(
      runtime::Environment{.log = *log_,
                           .store = *store_,
                           .clock = clock_,
                           .chance = chance_,
                           .metrics = meter_,
                           .logger = logger_,
                           .asks = asks_,
                           .identity = std::move(*identity),
                           .topic_prefix = prefix_,
                           .limits = {}},
      runtime::Runtime::Settings{.lanes = static_cast<int>(options.number("lanes", 2)),
                                 .ready = [] { return HttpResponse{}; }});
  if (wrap) revision = wrap(std::move(revision));
  if (Result<void> added = runtime_->add(std::move(revision)); !added) {
    give_up(added.error().to_string());
  }
  feeding_.start();
}

BenchHost::~BenchHost() {
  runtime_->stop(std::chrono::seconds(10));
  if (kafka_) kafka_->stop();
  if (postgres_) postgres_->stop();
  if (database_) database_->stop();
  feeding_.stop();
}

void BenchHost::add_file_sizes(Figures& figures) const {
  figures.add("file_mb", bytes_of(dir_ / "host.db") / 1e6);
  figures.add("wal_mb", bytes_of(dir_ / "host.db-wal") / 1e6);
}

void prefill(BenchHost& host, std::size_t keys) {
  const std::string last = key_of(keys - 1);
  if (has_state(host, {host.plugin(), partition_of(last, kPartitions)}, last)) return;
  std::vector<std::vector<std::size_t>> shards(kPartitions);
  for (std::size_t i = 0; i < keys; ++i) {
    shards[static_cast<std::size_t>(partition_of(key_of(i), kPartitions))].push_back(i);
  }
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    prefill_shard(host, {host.plugin(), p}, std::move(shards[static_cast<std::size_t>(p)]));
  }
}

}  // namespace host::bench
