// Beside the messages: is the database well, idle shards' tables, and what is not kept any more.
#include <chrono>
#include <condition_variable>

#include "host/adapters/postgres/parts.h"

namespace host::postgres {
namespace {

constexpr std::size_t kSliceEntries = 1000;
constexpr std::int64_t kSweptAtOnce = 500;

/// The outcome of a job for a thread that waits for it.
class Waiting {
 public:
  void set(Result<void> result) {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
    changed_.notify_one();
  }
  Result<void> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return result_.has_value(); });
    return std::move(*result_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<void>> result_;
};

template <class Work>
Result<void> run_now(Worker& worker, const char* what, Work work) {
  Waiting done;
  worker.submit(
      [&](Connection* db, const Error* why) { done.set(guarded<void>(db, why, what, work)); });
  return done.wait();
}

/// Rows that somebody else works on are left for the next time: nobody waits for a sweep.
void sweep_table(Connection& db, const Schema& schema, const char* sql, Time now) {
  while (db.run(schema, sql, Params(now, kSweptAtOnce)).touched() == kSweptAtOnce) {
  }
}

void sweep_plugin(Connection& db, const Schema& schema, Time now) {
  for (const char* sql :
       {"delete from ~host_reply where ctid in (select ctid from ~host_reply where until <= $1"
        " limit $2 for update skip locked)",
        "delete from ~host_answer where ctid in (select ctid from ~host_answer where until <= $1"
        " limit $2 for update skip locked)",
        "delete from ~host_once_seen where ctid in (select ctid from ~host_once_seen"
        " where until <= $1 limit $2 for update skip locked)",
        "delete from ~host_state where ctid in (select ctid from ~host_state where bytes is null"
        " and quiet_until <= $1 limit $2 for update skip locked)"}) {
    sweep_table(db, schema, sql, now);
  }
}

/// `write`: whether what could not be written can be written again.
Result<void> probe(Connection& db, bool write) {
  if (db.run("", "select pg_is_in_recovery()").flag(0, 0)) {
    return retryable_error(Error::Code::unavailable,
                           "the database is a standby: it can only be read",
                           "name all servers, with target_session_attrs=read-write");
  }
  if (!write) return {};
  db.run(kCommonSchema,
         "insert into ~meta (name, value) values ('probe', sha256(''))"
         " on conflict (name) do update set value = sha256(meta.value)");
  return {};
}

}  // namespace

void PostgresStore::Parts::keep_house() {
  using Steady = std::chrono::steady_clock;
  Steady::time_point swept = Steady::now();
  while (true) {
    {
      std::unique_lock lock(house_mutex);
      if (house_wake.wait_for(lock, options.look_every, [this] { return house_stopped; })) return;
    }
    look();
    carry_over_aged();
    if (options.retain_every == kForever || Steady::now() - swept < options.retain_every) continue;
    swept = Steady::now();
    const Result<void> done = sweep();
    if (!done && options.logger != nullptr) {
      options.logger->log(
          ports::LogLevel::warn,
          "dropping what is not kept any more did not get through: " + done.error().to_string());
    }
  }
}

void PostgresStore::Parts::look() {
  const bool write = health.unwritten();
  const Result<void> well =
      run_now(*keeper, "looking at the database", [&](Connection& db) { return probe(db, write); });
  health.set_reachable(well ? "" : well.error().to_string());
  if (well && write) health.set_written("");
}

Result<void> PostgresStore::Parts::sweep() {
  return run_now(*keeper, "dropping what is not kept any more", [this](Connection& db) {
    // A host whose clock is ahead must not drop what others still keep.
    const Time there{
        std::chrono::milliseconds(db.run(kCommonSchema, "select ~clock_ms()").integer(0, 0))};
    const Time now = std::min(options.clock.now(), there);
    for (const std::string& plugin : schemas.all()) sweep_plugin(db, schema_of(plugin), now);
    return Result<void>();
  });
}

void PostgresStore::Parts::carry_over_aged() {
  const Time now = options.clock.now();
  for (const auto& [shard, image] : images.all()) {
    const std::optional<Time> oldest = image->overlay.oldest();
    if (oldest && now - *oldest > options.bounds.age) carry_on(shard, image);
  }
}

/// A slice after the other, with what else the worker has to do in between.
void PostgresStore::Parts::carry_on(const ShardRef& shard, ImagePointer image) {
  if (image->carrying.exchange(true)) return;
  on_commit_worker(shard, [this, shard, image](Connection* db, const Error* why) {
    auto work = [&](Connection& c) -> Result<void> {
      carry_over(c, shard, images, kSliceEntries);
      return {};
    };
    const Result<void> done = guarded<void>(db, why, "bringing tables up to date", work);
    image->carrying = false;
    const std::optional<Time> oldest = image->overlay.oldest();
    const bool more = oldest && options.clock.now() - *oldest > options.bounds.age;
    if (done && more && images.find(shard) == image) return carry_on(shard, image);
    if (!done && options.logger != nullptr) {
      options.logger->log(ports::LogLevel::warn, done.error().to_string());
    }
  });
}

Result<void> PostgresStore::carry_over_all() {
  Parts& parts = *parts_;
  for (const auto& [shard, image] : parts.images.all()) {
    Waiting done;
    parts.on_commit_worker(shard, [&](Connection* db, const Error* why) {
      auto work = [&](Connection& c) -> Result<void> {
        while (carry_over(c, shard, parts.images, kSliceEntries)) {
        }
        return {};
      };
      done.set(guarded<void>(db, why, "bringing tables up to date", work));
    });
    if (Result<void> written = done.wait(); !written) return written;
  }
  return {};
}

Result<void> PostgresStore::retain_once() { return parts_->sweep(); }

}  // namespace host::postgres
