#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "host/adapters/sqlite/database.h"
#include "tests/contract/contract_support.h"
#include "tests/fakes/recorders.h"

namespace host::sqlite_tests {

using contract::Answer;
using contract::await;
using contract::must;
using ports::CommitResult;
using ports::ShardCommit;
using Status = ports::CommitResult::Status;

/// A folder under the system's temporary one that goes with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "host-sqlite-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file() const { return path_ / "host.db"; }

 private:
  std::filesystem::path path_;
};

/// One deployment on the disk, with the vocabulary of these tests: every call awaited.
class Deployment {
 public:
  explicit Deployment(const std::filesystem::path& dir, bool threads = true,
                      const journal::Bounds& bounds = {}, Duration retain_every = kForever)
      : options_{.dir = dir,
                 .clock = scheduler_.clock(),
                 .logger = &logger_,
                 .metrics = &metrics_,
                 .threads = threads},
        lane_(scheduler_) {
    options_.retain_every = retain_every;
    options_.bounds = bounds;
    open();
  }

  void open() { database_ = must(sqlite::Database::open(options_)); }
  void close() { database_.reset(); }
  void reopen() {
    close();
    open();
  }

  sqlite::Database& log() { return *database_; }
  sqlite::Database& store() { return *database_; }
  Executor& executor() { return lane_; }
  fakes::ManualClock& clock() { return scheduler_.clock(); }
  fakes::RecordingLogger& logger() { return logger_; }
  fakes::RecordingMetrics& metrics() { return metrics_; }
  sqlite::Options& options() { return options_; }  // taken by the next reopen()
  bool pump(const std::function<bool()>& until) { return scheduler_.wait_until(until); }

  ports::ShardImage claim(const ShardRef& shard) {
    Answer<Result<ports::ShardImage>> answer;
    store().claim(shard, executor(), answer.taker());
    return must(await(*this, answer));
  }
  CommitResult commit(ShardCommit what) {
    Answer<CommitResult> answer;
    store().commit(std::make_shared<const ShardCommit>(std::move(what)), executor(),
                   answer.taker());
    return await(*this, answer);
  }
  Result<SqlRows> query(const std::string& plugin, SqlStatement statement) {
    Answer<Result<SqlRows>> answer;
    store().query(plugin, std::move(statement), executor(), answer.taker());
    return await(*this, answer);
  }
  Result<ports::Fetched> fetch(const std::string& topic, PartitionNumber partition, Offset from) {
    Answer<Result<ports::Fetched>> answer;
    const auto handle = log().fetch(topic, partition, from, 1 << 20, executor(), answer.taker());
    return await(*this, answer);
  }
  Result<std::vector<Result<Offset>>> append(std::vector<ports::Append> records) {
    Answer<Result<std::vector<Result<Offset>>>> answer;
    log().append(std::move(records), executor(), answer.taker());
    return await(*this, answer);
  }
  std::optional<std::string> state(const ShardRef& shard, const std::string& key) {
    Answer<Result<ports::StateRow>> answer;
    store().read_state(shard, key, executor(), answer.taker());
    return must(await(*this, answer)).bytes;
  }

 private:
  fakes::Scheduler scheduler_;
  fakes::RecordingLogger logger_;
  fakes::RecordingMetrics metrics_;
  sqlite::Options options_;
  fakes::ManualExecutor lane_;
  std::unique_ptr<sqlite::Database> database_;
};

/// For what no callback tells: asked again and again, at most 10 s.
inline bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// Bytes that no compression makes smaller.
inline std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random() & 0xff));
  return bytes;
}

/// The commit that the owner of `image` makes next.
inline ShardCommit next_commit(const ShardRef& shard, const ports::ShardImage& image) {
  ShardCommit commit;
  commit.shard = shard;
  commit.epoch = image.epoch;
  commit.commit_no = image.commit_no;
  commit.seq = image.seq;
  return commit;
}

inline ports::Append record(const std::string& topic, PartitionNumber partition,
                            const std::string& payload) {
  return {topic, partition, "k", payload, {}};
}

}  // namespace host::sqlite_tests
