#include <algorithm>
#include <charconv>

#include "host/adapters/sqlite/image_tables.h"
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

/// What is newer than the tables is looked up before anything of them is read: an entry leaves the
/// overlay only when its table holds it, and the snapshot begins with the first read.
Result<std::vector<StateRow>> read_states(const Overlays& overlays, Connection& db,
                                          const ShardRef& shard,
                                          const std::vector<std::string>& keys) {
  const Result<Image> image = overlays.find(shard);
  if (!image) return image.error();
  if (image->overlay == nullptr) return std::vector<StateRow>(keys.size());
  const auto newer = image->overlay->states(keys);
  std::vector<StateRow> states;
  states.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    states.push_back(newer[i] ? *newer[i] : read_one_state(db, image->id, keys[i]));
  }
  return states;
}

std::optional<PendingRow> read_one_pending(Connection& db, std::int64_t shard, std::int64_t id) {
  Statement row = db.query(
      "select id, key, kind, message_id, topic, time, attempt, due, stopped, last_error,"
      " payload, headers from host_pending where shard = ? and id = ?",
      shard, id);
  return row.step() ? std::optional(pending_row(row, true)) : std::nullopt;
}

Result<std::vector<PendingRow>> read_pending(const Overlays& overlays, Connection& db,
                                             const ShardRef& shard, std::vector<std::int64_t> ids) {
  const Result<Image> image = overlays.find(shard);
  if (!image) return image.error();
  std::vector<PendingRow> rows;
  if (image->overlay == nullptr) return rows;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<std::optional<journal::PendingValue>> newer;
  for (const std::int64_t id : ids) newer.push_back(image->overlay->pending(id));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (newer[i] && !newer[i]->row) continue;
    std::optional<PendingRow> row;
    if (!newer[i] || !newer[i]->replaces) row = read_one_pending(db, image->id, ids[i]);
    if (newer[i] && row) journal::bring_up_to_date(*row, *newer[i]->row);
    if (newer[i] && !row) row = std::move(newer[i]->row);
    if (row) rows.push_back(std::move(*row));
  }
  return rows;
}

Result<std::vector<bool>> read_seen(const Overlays& overlays, Connection& db, const ShardRef& shard,
                                    const std::vector<std::string>& ids, Time now) {
  const Result<Image> image = overlays.find(shard);
  if (!image) return image.error();
  std::vector<bool> seen(ids.size());
  if (image->overlay == nullptr) return seen;
  const std::vector<std::optional<Time>> newer = image->overlay->once(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (newer[i]) {
      seen[i] = *newer[i] > now;
      continue;
    }
    Statement row =
        db.query("select 1 from host_once_seen where shard = ? and id = ? and until > ?", image->id,
                 Blob{ids[i]}, now);
    seen[i] = row.step();
  }
  return seen;
}

/// A page of the dead letters ends behind so many bytes of payloads, also below its limit.
constexpr std::size_t kDeadPageBytes = std::size_t{8} << 20;

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
  std::size_t bytes = 0;
  Statement rows = db.query(kAll.c_str(), place->first, place->second, plugin, limit + 1);
  while (rows.step()) {
    if (list.items.size() == limit || bytes >= kDeadPageBytes) {
      list.next = last;
      break;
    }
    list.items.push_back(dead_letter(rows));
    bytes += list.items.back().message.payload.size();
    last = cursor_of(rows);
  }
  return list;
}

}  // namespace

void Database::claim(const ShardRef& shard, Executor& executor,
                     Callback<ports::ShardImage> callback) {
  parts_->writer->submit(make_claim_job(shard, parts_->overlays, executor, std::move(callback)));
}

void Database::commit(std::shared_ptr<const ports::ShardCommit> commit, Executor& executor,
                      UniqueFunction<void(ports::CommitResult)> callback) {
  parts_->writer->submit(make_commit_job(std::move(commit), parts_->overlays, *parts_->writer_sql,
                                         executor, std::move(callback)));
}

void Database::load_states(const ShardRef& shard, std::vector<std::string> keys, Executor& executor,
                           Callback<std::vector<StateRow>> callback) {
  read_async<std::vector<StateRow>>(
      *parts_->reader, "reading states", executor, std::move(callback),
      [&overlays = parts_->overlays, shard, keys = std::move(keys)](Connection& db) {
        return read_states(overlays, db, shard, keys);
      });
}

void Database::load_pending(const ShardRef& shard, std::vector<std::int64_t> ids,
                            Executor& executor, Callback<std::vector<PendingRow>> callback) {
  read_async<std::vector<PendingRow>>(
      *parts_->reader, "reading pending messages", executor, std::move(callback),
      [&overlays = parts_->overlays, shard, ids = std::move(ids)](Connection& db) mutable {
        return read_pending(overlays, db, shard, std::move(ids));
      });
}

void Database::load_timers(const ShardRef& shard, Time after, std::string after_id,
                           std::size_t limit, Executor& executor,
                           Callback<std::vector<TimerRow>> callback) {
  read_async<std::vector<TimerRow>>(
      *parts_->reader, "reading timers", executor, std::move(callback),
      [&overlays = parts_->overlays, shard, after, after_id = std::move(after_id),
       limit](Connection& db) mutable -> Result<std::vector<TimerRow>> {
        const Result<Image> image = overlays.find(shard);
        if (!image) return image.error();
        if (image->overlay == nullptr) return std::vector<TimerRow>();
        return image->overlay->timers({after, std::move(after_id)}, limit,
                                      [&](const auto& place, std::size_t count) {
                                        return read_timers(db, image->id, place, count);
                                      });
      });
}

void Database::once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now,
                         Executor& executor, Callback<std::vector<bool>> callback) {
  read_async<std::vector<bool>>(
      *parts_->reader, "reading what was seen", executor, std::move(callback),
      [&overlays = parts_->overlays, shard, ids = std::move(ids), now](Connection& db) {
        return read_seen(overlays, db, shard, ids, now);
      });
}

void Database::kept_answer(const std::string& plugin, std::string scope, Time now,
                           Executor& executor,
                           Callback<std::optional<ports::KeptAnswer>> callback) {
  using Answer = std::optional<ports::KeptAnswer>;
  read_async<Answer>(*parts_->reader, "reading a kept answer", executor, std::move(callback),
                     [plugin, scope = std::move(scope), now](Connection& db) -> Result<Answer> {
                       return read_answer(db, plugin, scope, now);
                     });
}

void Database::load_replies(std::vector<std::string> ask_ids, Executor& executor,
                            Callback<std::vector<std::optional<std::string>>> callback) {
  using Payloads = std::vector<std::optional<std::string>>;
  read_async<Payloads>(
      *parts_->reader, "reading replies", executor, std::move(callback),
      [ids = std::move(ask_ids)](Connection& db) -> Result<Payloads> {
        Payloads payloads;
        for (const std::string& id : ids) {
          Statement row = db.query("select payload from host_reply where ask_id = ?", id);
          payloads.push_back(row.step() ? std::optional<std::string>(row.bytes(0)) : std::nullopt);
        }
        return payloads;
      });
}

void Database::read_state(const ShardRef& shard, std::string key, Executor& executor,
                          Callback<StateRow> callback) {
  read_async<StateRow>(*parts_->reader, "reading a state", executor, std::move(callback),
                       [&overlays = parts_->overlays, shard,
                        key = std::move(key)](Connection& db) -> Result<StateRow> {
                         auto rows = read_states(overlays, db, shard, {key});
                         if (!rows) return rows.error();
                         return std::move(rows->front());
                       });
}

void Database::list_states(const std::string& plugin, std::string after, std::size_t limit,
                           Executor& executor, Callback<StateList> callback) {
  read_async<StateList>(
      *parts_->reader, "listing states", executor, std::move(callback),
      [&overlays = parts_->overlays, plugin, after = std::move(after), limit](Connection& db) {
        return read_state_list(db, overlays, plugin, after, limit);
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
