#include "host/adapters/sqlite/writer.h"

#include <chrono>
#include <cmath>
#include <set>
#include <utility>

namespace host::sqlite {
namespace {

constexpr std::size_t kRoundJobs = 2000;
constexpr std::size_t kRoundBytes = std::size_t{8} << 20;
constexpr std::size_t kQueueBytes = std::size_t{256} << 20;
constexpr int kLongWalPages = (64 << 20) / 4096;  // a start after a kill reads all of it
constexpr auto kWaitForReaders = std::chrono::milliseconds(20);
constexpr auto kWaitStep = std::chrono::microseconds(200);
constexpr auto kProbeEvery = std::chrono::seconds(1);
constexpr auto kTellSlowEvery = std::chrono::seconds(10);

/// Of sqlite3_busy_handler; SQLite's own sleeps get long.
int wait_a_little(void* until, int) {
  if (Stopwatch::Clock::now() >= *static_cast<Stopwatch::Clock::time_point*>(until)) return 0;
  std::this_thread::sleep_for(kWaitStep);
  return 1;
}

std::string in_ms(double seconds) { return std::to_string(std::lround(seconds * 1e3)); }

}  // namespace

Writer::Writer(std::unique_ptr<Connection> db, LogIndex& index, Settings settings)
    : db_(std::move(db)),
      index_(index),
      settings_(std::move(settings)),
      meters_(settings_.meters == nullptr ? none_ : *settings_.meters) {
  if (!settings_.threaded) return;
  sqlite3_wal_hook(
      db_->native(),
      [](void* self, sqlite3*, const char*, int pages) {
        auto* writer = static_cast<Writer*>(self);
        const std::lock_guard lock(writer->mutex_);
        writer->wal_pages_ = pages;
        ++writer->written_;
        return SQLITE_OK;
      },
      this);
  thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() { stop(); }

void Writer::submit(std::unique_ptr<WriteJob> job) {
  Error refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      refused = retryable_error(Error::Code::unavailable, "the store is stopped");
    } else if (queued_bytes_ + job->bytes() > kQueueBytes) {
      refused = retryable_error(Error::Code::exhausted, "too much waits to be written",
                                "the disk is slower than what comes in");
    } else if (settings_.threaded) {
      queued_bytes_ += job->bytes();
      job->submitted = Stopwatch::Clock::now();
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  if (!refused.message.empty()) {
    job->finish({.kind = Ending::Kind::rolled_back, .error = std::move(refused)});
    return;
  }
  Jobs jobs;
  jobs.push_back(std::move(job));
  run(std::move(jobs));
}

void Writer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::string Writer::health() const {
  const std::lock_guard lock(mutex_);
  if (stopped_) return "the store is stopped";
  return damage_.empty() ? problem_ : damage_;
}

int Writer::wal_pages() const {
  const std::lock_guard lock(mutex_);
  return wal_pages_;
}

std::uint64_t Writer::written() const {
  const std::lock_guard lock(mutex_);
  return written_;
}

void Writer::loop() {
  for (Jobs jobs; take(jobs); jobs = Jobs()) {
    if (jobs.empty()) {
      probe();
    } else {
      run(std::move(jobs));
    }
    if (wal_should_start_over()) shorten_wal();
  }
}

/// False: stopped, and nothing is left. True without jobs: it is time to try whether the disk is
/// well again.
bool Writer::take(Jobs& jobs) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return stopped_ || !queue_.empty(); };
  if (problem_.empty()) {
    wake_.wait(lock, ready);
  } else if (!wake_.wait_for(lock, kProbeEvery, ready)) {
    return true;
  }
  std::size_t bytes = 0;
  std::set<ShardRef> shards;
  while (!queue_.empty() && jobs.size() < kRoundJobs && bytes < kRoundBytes) {
    const ShardRef* shard = queue_.front()->shard();
    if (shard != nullptr && !shards.insert(*shard).second) break;
    bytes += queue_.front()->bytes();
    jobs.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_bytes_ -= bytes;
  return !jobs.empty();
}

void Writer::run(Jobs jobs) {
  std::vector<Ending> endings;
  {
    const std::lock_guard lock(db_mutex_);
    const Time now = settings_.clock->now();
    RoundLog log(index_, now);
    bool committing = false;
    const std::uint64_t written_before = written();
    measure_queue(jobs);
    try {
      endings = transaction(jobs, log, now, committing);
      // A round that changed nothing says nothing about the disk.
      if (!settings_.threaded || written() != written_before) set_health({});
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        if (endings[i].kind == Ending::Kind::committed) jobs[i]->committed();
      }
      log.publish();  // before another round asks where partitions end
    } catch (const SqlFailure& failure) {
      db_->rollback();
      if (meters_.failures != nullptr) meters_.failures->add(1);
      const bool unknown = committing && leaves_commit_unknown(failure);
      const Error error = to_error(failure, "writing " + settings_.path);
      set_health(error.to_string());
      endings.assign(
          jobs.size(),
          {.kind = unknown ? Ending::Kind::unknown : Ending::Kind::rolled_back, .error = error});
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i]->finish(std::move(endings[i]));
}

std::vector<Ending> Writer::transaction(Jobs& jobs, RoundLog& log, Time now, bool& committing) {
  const Stopwatch whole_round;
  Round round{.db = *db_, .log = log, .now = now};
  std::vector<Ending> endings(jobs.size());
  std::vector<bool> left_out(jobs.size());
  for (bool whole = false; !whole;) {
    log.back_to(0);
    db_->run("begin immediate");
    whole = true;
    for (std::size_t i = 0; i < jobs.size() && whole; ++i) {
      if (left_out[i]) continue;
      whole = apply(*jobs[i], round, endings[i]);
      left_out[i] = !whole && !jobs[i]->repeats();
    }
  }
  log.write(*db_);
  committing = true;
  const Stopwatch sync;
  db_->run("commit");
  const double sync_seconds = sync.seconds();
  const double seconds = whole_round.seconds();
  Meters::observe(meters_.sync, sync_seconds);
  Meters::observe(meters_.transaction, seconds);
  Meters::observe(meters_.jobs, static_cast<double>(jobs.size()));
  if (seconds >= std::chrono::duration<double>(settings_.slow).count()) {
    note_slow(seconds, sync_seconds, jobs.size());
  }
  return endings;
}

void Writer::measure_queue(const Jobs& jobs) const {
  if (meters_.queue == nullptr || !settings_.threaded) return;
  const auto now = Stopwatch::Clock::now();
  std::vector<double> waits;
  waits.reserve(jobs.size());
  for (const auto& job : jobs) {
    waits.push_back(std::chrono::duration<double>(now - job->submitted).count());
  }
  meters_.queue->observe_all(waits);
}

/// A slow disk makes all of them slow: one line in a while says it.
void Writer::note_slow(double seconds, double sync_seconds, std::size_t jobs) {
  if (settings_.logger == nullptr) return;
  ++slow_since_;
  const Time now = settings_.clock->now();
  if (slow_told_ && now - *slow_told_ < kTellSlowEvery) return;
  slow_told_ = now;
  settings_.logger->log(
      ports::LogLevel::warn,
      "a commit took long: if most of it was the sync, the disk of the data folder is slow or "
      "busy with others; if not, look at the SQL of the plugins (host_sql_seconds)",
      {{"ms", in_ms(seconds)},
       {"sync_ms", in_ms(sync_seconds)},
       {"jobs", std::to_string(jobs)},
       {"slow_ones", std::to_string(std::exchange(slow_since_, 0))}});
}

bool Writer::apply(WriteJob& job, Round& round, Ending& ending) {
  const std::size_t mark = round.log.mark();
  db_->run("savepoint job");
  ending = {};
  try {
    if (const Result<void> done = job.apply(round); !done) {
      ending = {.kind = Ending::Kind::refused, .error = done.error()};
    }
  } catch (const SqlFailure& failure) {
    if (is_environment(failure)) throw;
    ending = {.kind = Ending::Kind::refused, .error = to_error(failure, settings_.path)};
    if (ending.error.code == Error::Code::corrupt) note_damage(ending.error);
  }
  // A statement of a plugin can end the whole transaction (stopped by its step limit, "or
  // rollback"). The job has noted which it was and leaves it out the next time.
  if (!db_->in_transaction()) return false;
  if (ending.kind != Ending::Kind::committed) {
    db_->run("rollback to job");
    round.log.back_to(mark);
  }
  db_->run("release job");
  return true;
}

void Writer::set_health(std::string problem) {
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    if (problem_ == problem) return;
    before = std::exchange(problem_, problem);
  }
  if (settings_.logger == nullptr) return;
  if (problem.empty()) {
    settings_.logger->log(ports::LogLevel::info, "the data file can be written again");
  } else {
    settings_.logger->log(ports::LogLevel::error, problem);
  }
}

void Writer::note_damage(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!damage_.empty()) return;
    damage_ = error.to_string();
  }
  if (settings_.logger != nullptr) {
    settings_.logger->log(ports::LogLevel::error, error.to_string());
  }
}

/// A write that nobody asked for, to find out that the disk has room again.
void Writer::probe() {
  const std::lock_guard lock(db_mutex_);
  try {
    db_->run("begin immediate");
    db_->run("insert or replace into host_meta (name, value) values ('probe', zeroblob(16384))");
    db_->run("commit");
    set_health({});
  } catch (const SqlFailure& failure) {
    db_->rollback();
    set_health(to_error(failure, "writing " + settings_.path).to_string());
  }
}

void Writer::carrying() {
  const std::lock_guard lock(mutex_);
  carrying_ = true;
}

void Writer::carried() {
  const std::lock_guard lock(mutex_);
  carrying_ = false;
}

/// Not while the housekeeper is at it: commits would wait for what it can do beside them.
bool Writer::wal_should_start_over() const {
  const std::lock_guard lock(mutex_);
  return wal_pages_ > kLongWalPages && !carrying_;
}

/// Carries over what is left, so that the file starts over. A reader that holds on makes it give up
/// and try after the next round.
void Writer::shorten_wal() {
  const std::lock_guard lock(db_mutex_);
  const Measured measured(meters_.restart);
  auto until = Stopwatch::Clock::now() + kWaitForReaders;
  sqlite3_busy_handler(db_->native(), wait_a_little, &until);
  const int code =
      sqlite3_wal_checkpoint_v2(db_->native(), "main", SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
  sqlite3_busy_timeout(db_->native(), 5000);
  if (code == SQLITE_OK) {
    const std::lock_guard guard(mutex_);
    wal_pages_ = 0;
  }
}

}  // namespace host::sqlite
