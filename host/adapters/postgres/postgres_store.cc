#include "host/adapters/postgres/postgres_store.h"

#include <algorithm>

#include "host/adapters/postgres/parts.h"

namespace host::postgres {
namespace {

constexpr const char* kLockNotAvailable = "55P03";

}  // namespace

PostgresStore::Parts::Parts(Options o, const Conninfo& parsed)
    : options(std::move(o)),
      url(parsed),
      where(destination(url, options.password)),
      meters(options.metrics),
      context{.images = images,
              .clock = options.clock,
              .units = units,
              .logger = options.logger,
              .health = health,
              .meters = meters},
      tails(options.bounds) {}

PostgresStore::Parts::~Parts() { stop(); }

void PostgresStore::Parts::start() {
  const auto worker = [&] {
    return std::make_unique<Worker>(Worker::Settings{.where = where,
                                                     .limits = options.limits,
                                                     .schema = {},
                                                     .logger = options.logger,
                                                     .health = &health});
  };
  for (int i = 0; i < std::max(options.read_connections, 1); ++i) readers.push_back(worker());
  tails_worker = worker();
  keeper = worker();
  house = std::thread([this] { keep_house(); });
}

void PostgresStore::Parts::stop() {
  const std::lock_guard one_at_a_time(stopping);
  {
    const std::lock_guard lock(house_mutex);
    house_stopped = true;
    house_wake.notify_all();
  }
  health.stop();
  std::vector<Worker*> all;
  {
    const std::lock_guard lock(commit_mutex);
    stopped = true;
    for (const auto& [plugin, committer] : committers) all.push_back(&committer->worker);
    for (const auto& [plugin, workers] : sql) {
      all.push_back(workers.queries.get());
      all.push_back(workers.finder.get());
    }
  }
  for (const auto& worker : readers) all.push_back(worker.get());
  for (Worker* worker : {tails_worker.get(), keeper.get()}) {
    if (worker != nullptr) all.push_back(worker);
  }
  // Side by side: a database that does not answer costs one waiting time, not one a connection.
  std::vector<std::thread> stoppers;
  for (Worker* worker : all) stoppers.emplace_back([worker] { worker->stop(); });
  for (std::thread& stopper : stoppers) stopper.join();
  if (house.joinable()) house.join();
}

const Destination& PostgresStore::Parts::where_of(const std::string& plugin) {
  const std::lock_guard lock(destinations_mutex);
  const auto known = destinations.find(plugin);
  if (known != destinations.end()) return known->second;
  return destinations[plugin] = destination_of(plugin, url, options.login, where);
}

PostgresStore::Parts::Committer* PostgresStore::Parts::committer_of(const ShardRef& shard) {
  const std::lock_guard lock(commit_mutex);
  if (stopped) return nullptr;
  std::unique_ptr<Committer>& committer = committers[shard.plugin];
  if (!committer) {
    committer.reset(
        new Committer{.waiting = {},
                      .worker = Worker(Worker::Settings{.where = where_of(shard.plugin),
                                                        .limits = options.limits,
                                                        .schema = schema_of(shard.plugin),
                                                        .logger = options.logger,
                                                        .health = &health})});
  }
  return committer.get();
}

void PostgresStore::Parts::on_commit_worker(const ShardRef& shard, Worker::Job job) {
  if (Committer* committer = committer_of(shard)) return committer->worker.submit(std::move(job));
  const Error error = retryable_error(Error::Code::unavailable, "the store is stopped");
  job(nullptr, &error);
}

void PostgresStore::Parts::commit(WaitingCommit waiting) {
  Committer* committer = committer_of(waiting.commit->shard);
  if (committer == nullptr) {
    const Error error = retryable_error(Error::Code::unavailable, "the store is stopped");
    return waiting.answer({.status = ports::CommitResult::Status::not_now, .error = error});
  }
  committer->waiting.add(std::move(waiting));
  // One job each, so that none is done later than in its turn.
  committer->worker.submit([this, committer](Connection* db, const Error* why) {
    commit_waiting(committer->waiting, db, why);
  });
}

void PostgresStore::Parts::commit_waiting(CommitQueue& queue, Connection* db, const Error* why) {
  std::vector<WaitingCommit> taken = queue.take();
  if (taken.empty()) return;
  std::vector<const ports::ShardCommit*> commits;
  for (const WaitingCommit& waiting : taken) {
    observe(meters.queue, waiting.waited.seconds());
    commits.push_back(waiting.commit.get());
  }
  std::vector<ports::CommitResult> results;
  if (db != nullptr) {
    results = carry_out(*db, commits, context);
  } else {
    results.resize(taken.size(), {.status = ports::CommitResult::Status::not_now, .error = *why});
  }
  for (std::size_t i = 0; i < taken.size(); ++i) taken[i].answer(std::move(results[i]));
}

Result<void> PostgresStore::Parts::ensure_schema(const std::string& plugin) {
  if (schemas.has(plugin)) return {};
  Result<void> done =
      on_own_connection<void>("opening the schema of plugin " + plugin,
                              [&](Connection& db) { return open_plugin_schema(db, plugin); });
  if (done) schemas.add(plugin);
  return done;
}

Result<std::unique_ptr<PostgresStore>> PostgresStore::make(const Options& options) {
  Result<Conninfo> where = Conninfo::parse(options.url);
  if (!where) return where.error();
  auto parts = std::make_unique<Parts>(options, *where);
  parts->start();
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(parts)));
}

PostgresStore::PostgresStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PostgresStore::~PostgresStore() { stop(); }

void PostgresStore::stop() { parts_->stop(); }
std::string PostgresStore::health() const { return parts_->health.text(); }

void PostgresStore::claim(const ShardRef& shard, Executor& executor,
                          Callback<ports::ShardImage> callback) {
  parts_->on_commit_worker(
      shard, [parts = parts_.get(), shard, &executor, callback = std::move(callback)](
                 Connection* db, const Error* why) mutable {
        auto work = [&](Connection& c) -> Result<ports::ShardImage> {
          if (Result<void> there = parts->ensure_schema(shard.plugin); !there) return there.error();
          try {
            return take_shard(c, shard, parts->images, parts->options.bounds);
          } catch (const Failure& failure) {
            const auto& blocked = parts->options.claim_blocked;
            if (failure.is(kLockNotAvailable) && blocked) blocked(shard);
            throw;
          }
        };
        executor.post(
            [callback = std::move(callback),
             answer = guarded<ports::ShardImage>(db, why, "claiming " + shard.to_string(),
                                                 work)]() mutable { callback(std::move(answer)); });
      });
}

void PostgresStore::commit(std::shared_ptr<const ports::ShardCommit> commit, Executor& executor,
                           UniqueFunction<void(ports::CommitResult)> callback) {
  parts_->commit(
      {.commit = std::move(commit), .executor = executor, .callback = std::move(callback)});
}

}  // namespace host::postgres
