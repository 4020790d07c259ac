#include "host/adapters/postgres/pipeline.h"

#include <map>
#include <string_view>

namespace host::postgres {
namespace {

/// Who waits for a lock learns it as that, before the statement's time is over: it is not its
/// fault.
constexpr const char* kUnitTime =
    "select set_config('statement_timeout', '1000', true), set_config('lock_timeout', '900', true)";
static_assert(kUnitLimit == std::chrono::seconds(1));
/// So often the server sends what it has answered: many statements may take long, and each answer
/// shows that it works.
constexpr std::size_t kStatementsAnAnswer = 16;
constexpr const char* kUsualTime = "set local statement_timeout to default";

void must_send(Connection& db, int sent) {
  if (sent == 0) throw Failure::lost(PQerrorMessage(db.native()));
}

void send_prepared(Connection& db, const char* name, const Params& params) {
  must_send(db, PQsendQueryPrepared(db.native(), name, params.count(), params.values(),
                                    params.lengths(), params.formats(), 1));
}

/// Pipeline mode while it lives; what is left of it goes with the connection.
class PipelineMode {
 public:
  explicit PipelineMode(Connection& db) : db_(db) {
    must_send(db_, PQenterPipelineMode(db_.native()));
  }
  ~PipelineMode() {
    if (PQexitPipelineMode(db_.native()) == 0) db_.give_up();
  }
  PipelineMode(const PipelineMode&) = delete;
  PipelineMode& operator=(const PipelineMode&) = delete;

 private:
  Connection& db_;
};

/// A statement that was sent.
struct Place {
  Step::Place place = Step::Place::ours;
  std::size_t unit = 0;
};

class Pipeline {
 public:
  Pipeline(Connection& db, const Schema& schema, const Steps& steps, const UnitsSql* units)
      : db_(db), schema_(schema), steps_(steps), units_(units) {}

  PipelineEnd run() {
    prepare();
    if (end_) return std::move(*end_);
    {
      const PipelineMode mode(db_);
      send();
      try {
        drain();
      } catch (const Failure& lost) {
        if (!end_) end_ = {.kind = PipelineEnd::Kind::unknown, .failure = lost};
      }
    }
    return std::move(*end_);
  }

 private:
  void refuse(Failure failure, Place at) {
    if (end_) return;
    end_ = {.kind = PipelineEnd::Kind::refused,
            .failure = std::move(failure),
            .place = at.place,
            .unit = at.unit};
  }

  /// What a pipeline cannot do within itself.
  void prepare() {
    begin_ = db_.prepared("", "begin", {});
    commit_ = db_.prepared("", "commit", {});
    if (units_ != nullptr) {
      unit_time_ = db_.prepared("", kUnitTime, {});
      usual_time_ = db_.prepared("", kUsualTime, {});
    }
    for (const Step& step : steps_) {
      names_.push_back(db_.prepared(schema_, step.sql, step.params));
    }
    each_statement([&](std::size_t unit, const SqlStatement& statement) {
      if (end_) return;
      const Result<void> fine = units_->sql.prepare(db_, units_->commit.shard.plugin, statement);
      if (!fine) refuse(Failure("42601", fine.error().message), {Step::Place::unit, unit});
    });
  }

  template <class Work>
  void each_statement(Work work) {
    if (units_ == nullptr) return;
    for (std::size_t i = 0; i < units_->commit.units.size(); ++i) {
      for (const SqlStatement& statement : units_->commit.units[i].sql) work(i, statement);
    }
  }

  void send() {
    send_prepared(db_, begin_.c_str(), {});
    sent_.push_back({.place = Step::Place::begin});
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      send_prepared(db_, names_[i].c_str(), steps_[i].params);
      sent_.push_back({.place = steps_[i].place});
    }
    send_setting(unit_time_);
    each_statement([&](std::size_t unit, const SqlStatement& statement) {
      if (end_) return;
      const Result<void> fine = units_->sql.send(db_, units_->commit.shard.plugin, statement);
      if (fine) {
        sent_.push_back({.place = Step::Place::unit, .unit = unit});
        if (sent_.size() % kStatementsAnAnswer == 0) {
          must_send(db_, PQsendFlushRequest(db_.native()));
        }
        return;
      }
      refuse(Failure("42601", fine.error().message), {Step::Place::unit, unit});
    });
    send_setting(usual_time_);
    if (!end_) {
      send_prepared(db_, commit_.c_str(), {});
      sent_.push_back({.place = Step::Place::commit});
    }
    must_send(db_, PQpipelineSync(db_.native()));
  }

  void send_setting(const std::string& name) {
    if (units_ == nullptr) return;
    send_prepared(db_, name.c_str(), {});
    sent_.push_back({.place = Step::Place::ours});
  }

  void drain() {
    for (const Place& place : sent_) {
      const Connection::Deadline until = db_.deadline();
      const ResultHolder result = db_.next_result(until);
      if (!result) throw Failure::lost("the database gave no answer");
      judge(result.get(), place);
      while (db_.next_result(until)) {
      }
    }
    const ResultHolder sync = db_.next_result(db_.deadline());
    if (!sync || PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) {
      throw Failure::lost("the database answers out of order");
    }
  }

  void judge(const PGresult* result, Place place) {
    switch (PQresultStatus(result)) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        if (place.place == Step::Place::commit) judge_commit(result, place);
        return;
      case PGRES_PIPELINE_ABORTED:
        return;
      default:
        break;
    }
    Failure failure = failure_of(result);
    if (failure.lost()) throw failure;
    const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const bool ends_session = severity != nullptr && std::string_view(severity) != "ERROR";
    // Results come in order: what ends the session in the place of an earlier statement came before
    // COMMIT; in COMMIT's own place it may have come after it was carried out.
    if (ends_session && place.place == Step::Place::commit) throw failure;
    refuse(std::move(failure), place);
  }

  void judge_commit(const PGresult* result, Place place) {
    if (std::string_view(PQcmdStatus(const_cast<PGresult*>(result))) == "COMMIT") {
      end_ = {.kind = PipelineEnd::Kind::committed};
    } else {
      refuse(Failure("40000", "the transaction was rolled back"), place);
    }
  }

  Connection& db_;
  const Schema& schema_;
  const Steps& steps_;
  const UnitsSql* units_;
  std::string begin_;
  std::string commit_;
  std::string unit_time_, usual_time_;  // where there are units
  std::vector<std::string> names_;      // of steps_
  std::vector<Place> sent_;
  std::optional<PipelineEnd> end_;
};

/// One statement in a pipeline of its own, inside a transaction. Throws Failure.
Result<void> send_alone(Connection& db, const UnitsSql& units, const SqlStatement& statement) {
  const PipelineMode mode(db);
  Result<void> sent = units.sql.send(db, units.commit.shard.plugin, statement);
  must_send(db, PQpipelineSync(db.native()));
  const Connection::Deadline until = db.deadline();
  std::optional<Failure> failure;
  for (bool synced = false; !synced;) {
    const ResultHolder result = db.next_result(until);
    if (!result) continue;  // the end of a statement
    synced = PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC;
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR && !failure) {
      failure = failure_of(result.get());
      if (failure->lost()) break;
    }
  }
  if (failure) throw *failure;
  return sent;
}

/// One unit behind a savepoint. Nothing: it did not fail.
std::optional<Error> try_unit(Connection& db, const UnitsSql& units, std::size_t index,
                              bool& time_is_over) {
  db.run_once("savepoint unit");
  std::optional<Error> failed;
  const SqlStatement* at = nullptr;
  try {
    for (const SqlStatement& statement : units.commit.units[index].sql) {
      at = &statement;
      if (Result<void> done = send_alone(db, units, statement); !done) failed = done.error();
      if (failed) break;
    }
    if (!failed) db.run_once("set constraints all immediate");
  } catch (const Failure& failure) {
    time_is_over = failure.is(kTimeIsOver);
    if (is_environment(failure) && !time_is_over) throw;
    failed = units.sql.explain(db, units.commit.shard.plugin, failure, *at);
    // Perhaps it is the database that is slow today: so a repeat may help.
    if (time_is_over) failed->code = Error::Code::unavailable;
  }
  if (failed && at != nullptr) {
    failed->file = at->file;
    failed->line = at->line;
  }
  if (failed) db.run_once("rollback to savepoint unit");
  db.run_once("release savepoint unit");
  return failed;
}

/// What cannot even be prepared has failed without being tried.
void prepare_units(Connection& db, const UnitsSql& units, std::map<std::size_t, Error>& failed) {
  for (std::size_t i = 0; i < units.commit.units.size(); ++i) {
    for (const SqlStatement& statement : units.commit.units[i].sql) {
      const Result<void> fine = units.sql.prepare(db, units.commit.shard.plugin, statement);
      if (fine) continue;
      Error error = fine.error();
      error.file = statement.file;
      error.line = statement.line;
      failed.emplace(i, std::move(error));
      break;
    }
  }
}

}  // namespace

PipelineEnd run_pipeline(Connection& db, const Schema& schema, const Steps& steps,
                         const UnitsSql* units) {
  PipelineEnd end = Pipeline(db, schema, steps, units).run();
  db.rollback();
  return end;
}

std::vector<std::pair<std::size_t, Error>> find_failing_units(Connection& db, const Schema& schema,
                                                              const Step& fence,
                                                              const UnitsSql& units) {
  std::map<std::size_t, Error> failed;
  prepare_units(db, units, failed);
  const Transaction transaction(db);  // rolled back at the end, whatever is found
  db.run(schema, fence.sql, fence.params);
  db.run_once(kUnitTime);
  bool time_is_over = false;
  for (std::size_t i = 0; i < units.commit.units.size() && !time_is_over; ++i) {
    if (failed.contains(i)) continue;
    if (auto error = try_unit(db, units, i, time_is_over)) failed.emplace(i, std::move(*error));
  }
  return {failed.begin(), failed.end()};
}

}  // namespace host::postgres
