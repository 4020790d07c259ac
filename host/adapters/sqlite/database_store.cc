#include <algorithm>
#include <charconv>

#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/migrations.h"
#include "host/adapters/sqlite/parts.h"
#include "host/adapters/sqlite/rows.h"
#include "host/adapters/sqlite/state_list.h"

// The face of the store, but for its blocking calls (database_facts.cc).
namespace host::sqlite {

using ports::DeadLetter;
using ports::DeadList;
using ports::PendingRow;
using ports::StateList;
using ports::StateRow;
using ports::TimerRow;

namespace {

StateRow read_one_state(Connection& db, std::int64_t shard, const std::string& key) {
  Statement row = db.query(
      "select bytes, version, quiet_until from host_state where shard = ? and key = ?", shard, key);
  return row.step() ? state_row(row, 0) : StateRow{};
}

std::vector<TimerRow> read_timers(Connection& db, std::int64_t shard, Time after,
                                  const std::string& after_id, std::size_t limit) {
  std::vector<TimerRow> timers;
  Statement rows = db.query(
      "select id, name, key, due, payload, headers from host_timer"
      " where shard = ? and (due, id) > (?, ?) order by due, id limit ?",
      shard, after, after_id, limit);
  while (rows.step()) {
    timers.push_back({.id = rows.bytes(0),
                      .name = rows.bytes(1),
                      .key = rows.bytes(2),
                      .due = rows.time(3),
                      .payload = rows.bytes(4),
                      .headers = headers_of(rows.view(5))});
  }
  return timers;
}

/// A page of the dead letters ends with this: where the next one begins.
std::string cursor_of(const Statement& row) {
  return std::to_string(row.integer(17)) + "-" + std::to_string(row.integer(18));
}

Result<std::pair<std::int64_t, std::int64_t>> parse_cursor(const std::string& text) {
  std::int64_t at = INT64_MAX, n = INT64_MAX;
  if (text.empty()) return std::pair{at, n};
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, at);
  if (first.ec == std::errc{} && first.ptr != end && *first.ptr == '-') {
    const auto second = std::from_chars(first.ptr + 1, end, n);
    if (second.ec == std::errc{} && second.ptr == end) return std::pair{at, n};
  }
  return make_error(Error::Code::invalid, "\"" + text + "\" is no place in the dead letters",
                    "give back what the page before gave as next");
}

Result<DeadList> read_dead(Connection& db, const std::string& plugin, const std::string& after,
                           std::size_t limit) {
  static const std::string kAll = "select" + std::string(kDeadColumns) +
                                  "from host_dead_letter where (at, n) < (?1, ?2)"
                                  " and (?3 = '' or plugin = ?3) order by at desc, n desc limit ?4";
  const auto place = parse_cursor(after);
  if (!place) return place.error();
  DeadList list;
  std::string last;
  Statement rows = db.query(kAll.c_str(), place->first, place->second, plugin, limit + 1);
  while (rows.step()) {
    if (list.items.size() == limit) {
      list.next = last;
      break;
    }
    list.items.push_back(dead_letter(rows));
    last = cursor_of(rows);
  }
  return list;
}

}  // namespace

void Database::claim(const ShardRef& shard, Executor& executor,
                     Callback<ports::ShardImage> callback) {
  parts_->writer->submit(make_claim_job(shard, executor, std::move(callback)));
}

void Database::commit(std::shared_ptr<const ports::ShardCommit> commit, Executor& executor,
                      UniqueFunction<void(ports::CommitResult)> callback) {
  parts_->writer->submit(
      make_commit_job(std::move(commit), *parts_->writer_sql, executor, std::move(callback)));
}

void Database::load_states(const ShardRef& shard, std::vector<std::string> keys, Executor& executor,
                           Callback<std::vector<StateRow>> callback) {
  read_async<std::vector<StateRow>>(
      *parts_->reader, "reading states", executor, std::move(callback),
      [shard, keys = std::move(keys)](Connection& db) -> Result<std::vector<StateRow>> {
        const std::int64_t id = find_shard(db, shard);
        std::vector<StateRow> states;
        states.reserve(keys.size());
        for (const std::string& key : keys) states.push_back(read_one_state(db, id, key));
        return states;
      });
}

void Database::load_pending(const ShardRef& shard, std::vector<std::int64_t> ids,
                            Executor& executor, Callback<std::vector<PendingRow>> callback) {
  read_async<std::vector<PendingRow>>(
      *parts_->reader, "reading pending messages", executor, std::move(callback),
      [shard, ids = std::move(ids)](Connection& db) mutable -> Result<std::vector<PendingRow>> {
        const std::int64_t shard_id = find_shard(db, shard);
        std::sort(ids.begin(), ids.end());
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
        std::vector<PendingRow> rows;
        for (const std::int64_t id : ids) {
          Statement row = db.query(
              "select id, key, kind, message_id, topic, time, attempt, due, stopped, last_error,"
              " payload, headers from host_pending where shard = ? and id = ?",
              shard_id, id);
          if (row.step()) rows.push_back(pending_row(row, true));
        }
        return rows;
      });
}

void Database::load_timers(const ShardRef& shard, Time after, std::string after_id,
                           std::size_t limit, Executor& executor,
                           Callback<std::vector<TimerRow>> callback) {
  read_async<std::vector<TimerRow>>(
      *parts_->reader, "reading timers", executor, std::move(callback),
      [shard, after, after_id = std::move(after_id),
       limit](Connection& db) -> Result<std::vector<TimerRow>> {
        return read_timers(db, find_shard(db, shard), after, after_id, limit);
      });
}

void Database::once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now,
                         Executor& executor, Callback<std::vector<bool>> callback) {
  read_async<std::vector<bool>>(
      *parts_->reader, "reading what was seen", executor, std::move(callback),
      [shard, ids = std::move(ids), now](Connection& db) -> Result<std::vector<bool>> {
        const std::int64_t shard_id = find_shard(db, shard);
        std::vector<bool> seen;
        for (const std::string& id : ids) {
          Statement row =
              db.query("select 1 from host_once_seen where shard = ? and id = ? and until > ?",
                       shard_id, Blob{id}, now);
          seen.push_back(row.step());
        }
        return seen;
      });
}

void Database::read_state(const ShardRef& shard, std::string key, Executor& executor,
                          Callback<StateRow> callback) {
  read_async<StateRow>(*parts_->reader, "reading a state", executor, std::move(callback),
                       [shard, key = std::move(key)](Connection& db) -> Result<StateRow> {
                         return read_one_state(db, find_shard(db, shard), key);
                       });
}

void Database::list_states(const std::string& plugin, std::string after, std::size_t limit,
                           Executor& executor, Callback<StateList> callback) {
  read_async<StateList>(
      *parts_->reader, "listing states", executor, std::move(callback),
      [plugin, after = std::move(after), limit](Connection& db) -> Result<StateList> {
        return read_state_list(db, plugin, after, limit);
      });
}

void Database::query(const std::string& plugin, SqlStatement statement, Executor& executor,
                     Callback<SqlRows> callback) {
  read_async<SqlRows>(*parts_->queries, "a query", executor, std::move(callback),
                      [parts = parts_.get(), plugin,
                       statement = std::move(statement)](Connection&) -> Result<SqlRows> {
                        Result<SqlRows> rows = parts->reading_sql().query(plugin, statement);
                        if (rows) return rows;
                        Error error = rows.error();
                        error.file = statement.file;
                        error.line = statement.line;
                        return error;
                      });
}

void Database::list_dead(const std::string& plugin_or_empty, std::string after, std::size_t limit,
                         Executor& executor, Callback<DeadList> callback) {
  read_async<DeadList>(*parts_->reader, "listing dead letters", executor, std::move(callback),
                       [plugin = plugin_or_empty, after = std::move(after), limit](Connection& db) {
                         return read_dead(db, plugin, after, limit);
                       });
}

void Database::show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                         Callback<DeadLetter> callback) {
  read_async<DeadLetter>(
      *parts_->reader, "reading a dead letter", executor, std::move(callback),
      [plugin, id](Connection& db) -> Result<DeadLetter> {
        static const std::string kOne = "select" + std::string(kDeadColumns) +
                                        "from host_dead_letter where plugin = ? and id = ?";
        Statement row = db.query(kOne.c_str(), plugin, id);
        if (row.step()) return dead_letter(row);
        return make_error(Error::Code::not_found, "plugin " + plugin + " has no dead letter " + id);
      });
}

}  // namespace host::sqlite
