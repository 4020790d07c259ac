// Reads from other threads while commits write the journal and slices of it move into the tables: a
// value is seen at its newest, or the one before, wherever it happens to be.

#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "host/adapters/sqlite/database.h"
#include "host/base/check.h"

namespace host::sqlite_tests {
namespace {

const ShardRef kShard{"owls", 0};
constexpr int kKeys = 6;

class WallClock final : public ports::Clock {
 public:
  Time now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

/// Runs what is posted at once, on the thread that posts it.
class AtOnce final : public Executor {
 public:
  void post(UniqueFunction<void()> work) override { work(); }
  TimerId post_after(Duration, UniqueFunction<void()>) override {
    HOST_CHECK(false, "a store sets no timers");
  }
  void cancel(TimerId) override {}
};

template <class T, class Ask>
T asked(Ask ask) {
  std::promise<T> promise;
  ask([&](T value) { promise.set_value(std::move(value)); });
  return promise.get_future().get();
}

struct World {
  explicit World(const std::filesystem::path& dir)
      : database(*sqlite::Database::open(
            {.dir = dir,
             .clock = clock,
             .bounds = {.tail_bytes = 2000, .share_percent = 30, .piece = 1}})) {}

  ports::ShardImage claim() {
    return *asked<Result<ports::ShardImage>>(
        [&](auto taker) { database->claim(kShard, executor, std::move(taker)); });
  }
  ports::CommitResult commit(ports::ShardCommit what) {
    auto shared = std::make_shared<const ports::ShardCommit>(std::move(what));
    return asked<ports::CommitResult>(
        [&](auto taker) { database->commit(shared, executor, std::move(taker)); });
  }
  std::vector<ports::TimerRow> timers() {
    return *asked<Result<std::vector<ports::TimerRow>>>([&](auto taker) {
      database->load_timers(kShard, Time::min(), "", 3, executor, std::move(taker));
    });
  }
  ports::StateList list() {
    return *asked<Result<ports::StateList>>(
        [&](auto taker) { database->list_states("owls", "", 100, executor, std::move(taker)); });
  }
  int state(const std::string& key) {
    const auto row = *asked<Result<ports::StateRow>>(
        [&](auto taker) { database->read_state(kShard, key, executor, std::move(taker)); });
    return row.bytes ? std::stoi(*row.bytes) : -1;
  }

  WallClock clock;
  AtOnce executor;
  std::unique_ptr<sqlite::Database> database;
};

std::string key(int i) { return "k" + std::to_string(i % kKeys); }

/// The state of a key counts up, and each commit sets every timer anew or ends it.
ports::ShardCommit next_commit(const ports::ShardImage& image, int n) {
  ports::ShardCommit c;
  c.shard = kShard;
  c.epoch = image.epoch;
  c.commit_no = image.commit_no;
  c.states = {{key(n), {std::to_string(n), 1, {}}}};
  const Time due = from_micros(1'000'000 + n);
  c.timers = {{"steady", TimerSet{"steady", "name", due, std::to_string(n)}}};
  if (n % 2 == 0) {
    c.timers.emplace_back("odd", TimerSet{"odd" + std::to_string(n), "name", due, ""});
  } else {
    c.timers.emplace_back("odd", TimerCancel{"name"});
  }
  return c;
}

struct Watch {
  std::atomic<int> started{0}, finished{0};  // commits, by number
  std::atomic<bool> done{false};
  std::mutex mutex;
  std::vector<std::string> wrong;

  void note(const std::string& what) {
    const std::lock_guard lock(mutex);
    if (wrong.size() < 5) wrong.push_back(what);
  }
};

void watch_states(World& world, Watch& watch) {
  while (!watch.done) {
    for (int i = 0; i < kKeys; ++i) {
      const int before = watch.finished;
      const int seen = world.state(key(i));
      const int after = watch.started;
      if (before < kKeys) continue;                                 // not all are there yet
      const int least = before - (before - i + kKeys * 2) % kKeys;  // last one of this key by then
      if (seen < least || seen > after) {
        watch.note(key(i) + " is " + std::to_string(seen) + " between " + std::to_string(least) +
                   " and " + std::to_string(after));
      }
    }
    const bool complete = watch.finished >= kKeys;
    const auto list = world.list();
    if (complete && list.items.size() != kKeys) {
      watch.note("the list has " + std::to_string(list.items.size()) + " states");
    }
  }
}

void watch_timers(World& world, Watch& watch) {
  int newest = 0;
  while (!watch.done) {
    const bool begun = watch.finished > 0;
    int steady = 0, odd = 0;
    for (const auto& row : world.timers()) {
      if (row.key == "odd") ++odd;
      if (row.key != "steady") continue;
      ++steady;
      const int n = std::stoi(row.payload);
      if (n < newest) watch.note("the timer went back to " + std::to_string(n));
      newest = n;
    }
    if (begun && steady != 1) watch.note(std::to_string(steady) + " of the one timer");
    if (odd > 1) watch.note(std::to_string(odd) + " timers of which one was alive at a time");
  }
}

TEST_CASE("reads beside commits and slices see each value at its newest or the one before") {
  std::string dir = (std::filesystem::temp_directory_path() / "host-sqlite-XXXXXX").string();
  REQUIRE(::mkdtemp(dir.data()) != nullptr);
  Watch watch;
  {
    World world(dir);
    (void)*world.database->open_deployment(1);
    ports::ShardImage image = world.claim();
    std::thread states([&] { watch_states(world, watch); });
    std::thread timers([&] { watch_timers(world, watch); });
    bool committed = true;
    for (int n = 1; n <= 1500 && committed; ++n) {
      watch.started = n;
      committed =
          world.commit(next_commit(image, n)).status == ports::CommitResult::Status::committed;
      watch.finished = n;
      ++image.commit_no;
      if (n % 250 == 0) image = world.claim();
    }
    watch.done = true;
    states.join();
    timers.join();
    CHECK(committed);
  }
  std::filesystem::remove_all(dir);
  CHECK(watch.wrong == std::vector<std::string>{});
}

/// What no compression makes smaller.
std::string noise(std::size_t size, std::uint32_t seed) {
  std::string out(size, '\0');
  for (char& byte : out) {
    seed = seed * 1'664'525 + 1'013'904'223;
    byte = static_cast<char>(seed >> 24);
  }
  return out;
}

/// Keeps the write-ahead log from starting over until it ends, as an operator's query does.
class LongRead {
 public:
  explicit LongRead(const std::filesystem::path& file) {
    REQUIRE(sqlite3_open(file.c_str(), &db_) == SQLITE_OK);
    const char* sql = "begin; select count(*) from sqlite_schema";
    REQUIRE(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  ~LongRead() { sqlite3_close(db_); }
  LongRead(const LongRead&) = delete;
  LongRead& operator=(const LongRead&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

TEST_CASE("the write-ahead log starts over while much is written") {
  const auto dir =
      std::filesystem::temp_directory_path() / ("host_wal_" + std::to_string(::getpid()));
  std::filesystem::remove_all(dir);
  {
    World world(dir);
    const ports::TopicSettings topic{.name = "owl-post", .partitions = 1, .max_bytes = 1'000'000};
    REQUIRE(world.database->ensure_topics({&topic, 1}));
    std::optional<LongRead> reader(dir / "host.db");
    std::uint64_t longest = 0;
    for (std::uint32_t i = 0; i < 400; ++i) {
      const auto appended = asked<Result<std::vector<Result<Offset>>>>([&](auto taker) {
        world.database->append({{.topic = "owl-post",
                                 .partition = 0,
                                 .key = std::nullopt,
                                 .payload = noise(800'000, i),
                                 .headers = {}}},
                               world.executor, std::move(taker));
      });
      REQUIRE(appended);
      longest = std::max(longest, world.database->account()->wal_bytes);
      if (longest > 64u << 20) reader.reset();
    }
    CHECK_FALSE(reader);
    CHECK(longest < 200u << 20);  // of 320 MB in all, however slow the housekeeper's disk is
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace host::sqlite_tests
