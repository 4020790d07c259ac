#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/executor.h"
#include "host/base/result.h"
#include "host/core/http.h"
#include "host/core/ids.h"
#include "host/core/unit_of_work.h"
#include "host/ports/log.h"

namespace host::ports {

/// A durable row for a message that is slow, waits for its retry, or stands behind such a one.
struct PendingRow {
  std::int64_t id = 0;           // given by the shard; ascending = order within the key
  Message message;               // payload and headers included when loaded by load_pending()
  std::optional<Time> due = {};  // not before; nothing: as soon as it is first of its key
  bool stopped = false;          // retry.last = "stop": waits until it is released
  std::string last_error = {};   // of the attempt before
};

struct TimerRow {
  std::string id;
  std::string name;
  std::string key;
  Time due{};
  std::string payload;
  Headers headers = {};
};

/// A message that will not be tried again, with all that is needed to understand and redrive it.
struct DeadLetter {
  std::string id;  // of the message; with the plugin the primary key
  std::string plugin;
  PartitionNumber shard = 0;
  Message message;
  std::string reason;  // "failed" | "dead" | "invalid" | "bad_key" | "refused"
  Error error;
  std::string revision;
  Time at{};
};

struct Mark {
  std::string topic;
  PartitionNumber partition = 0;
  std::string stream;
  StreamPosition position;
};

/// A message on its way to the log, with its place in the shard's stream.
struct OutgoingRow {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  Append record;  // headers complete
};

struct StateRow {
  std::optional<std::string> bytes;  // nothing: no such state, or forgotten
  int version = 0;
  std::optional<Time> quiet_until = {};
};

struct Reply {
  std::string ask_id;
  std::string payload;
  Time until{};  // not forgotten before
};

/// What came of a request that carried an Idempotency-Key, for those that repeat it.
struct KeptAnswer {
  std::string scope;    // bytes that stand for plugin, route, user and key: unique in the store
  std::string request;  // bytes that stand for what was asked
  HttpResponse response;
  bool whole = true;  // false: the response was too long to be kept, its body is not here
  Time until{};       // not forgotten before
};

/// What one unit of work changes, in the order of execution; its index names it in CommitResult.
struct CommitUnit {
  std::string message_id;
  std::vector<SqlStatement> sql;  // plugin SQL
};

/// The changes of one shard that become visible together. Later entries of a list win.
struct ShardCommit {
  ShardRef shard;
  std::int64_t epoch = 0;      // demanded
  std::int64_t commit_no = 0;  // demanded; the commit makes it commit_no + 1

  std::vector<std::pair<std::string, Offset>> next_offsets;  // topic -> next
  std::int64_t seq = 0;                                      // last one given
  std::int64_t acked_seq = 0;  // outgoing rows up to it are in the log and may go
  int state_version = 1;

  std::vector<std::pair<std::string, StateRow>> states;  // key; bytes nothing: forgotten
  std::vector<PendingRow> pending_put;                   // inserted, or due/attempt/stopped updated
  std::vector<std::int64_t> pending_remove;
  std::vector<std::pair<std::string, TimerChange>> timers;  // key, in order
  std::vector<std::string> timers_fired;                    // ids: finished, removed
  std::vector<std::string> forget_timers;  // keys whose timers set BEFORE this commit all go
  std::vector<std::pair<std::string, Time>> every_next;  // name -> next due
  std::vector<std::pair<std::string, Time>> once_seen;   // id, any bytes -> forget it after
  std::vector<Mark> marks;
  std::vector<OutgoingRow> outgoing;  // appended to the log by this commit where shares_store()
  std::vector<DeadLetter> dead;
  std::vector<std::string> dead_remove;  // message ids, redriven
  std::vector<Reply> replies;
  std::vector<KeptAnswer> answers;
  std::vector<CommitUnit> units;  // only those with SQL

  bool empty() const;
  std::size_t bytes() const;  // rough size, for batch limits
};

/// The answer to a commit of one shard.
struct CommitResult {
  enum class Status {
    committed,
    fenced,      // epoch or commit number differ: nothing was written, we are not the owner
    sql_failed,  // `failed` names units whose SQL failed, at least one; nothing was written
    answered,    // `failed` names answers whose scope has one already; nothing was written
    not_now,     // nothing was written, a repeat may help (full disk, lock, server away)
    unknown,     // the outcome is unknown: claim anew, read, never guess
  };
  Status status = Status::unknown;
  Error error = {};
  std::vector<std::pair<std::size_t, Error>> failed = {};  // index into units, or into answers
};

/// What a claim reads: the shard as last committed. Pending rows come without payload and headers.
struct ShardImage {
  std::int64_t epoch = 0;  // ours from now on: the greater of the old one + 1 and the clock in ms
  std::int64_t commit_no = 0;
  std::map<std::string, Offset> next_offsets;
  std::int64_t seq = 0;
  std::int64_t acked_seq = 0;
  int state_version = 0;            // of the last commit; 0: never committed
  std::vector<PendingRow> pending;  // by id
  std::vector<Mark> marks;
  std::vector<OutgoingRow> outgoing;  // seq above acked_seq, in order; none where shares_store()
  std::map<std::string, Time> every_next;
};

struct ListedState {
  std::string key;
  StateRow state;
};
struct StateList {
  std::vector<ListedState> items;   // in byte order of their keys; forgotten ones left out
  std::optional<std::string> next;  // `after` of the next page
};
/// A page of the rows that a RowCursor gives.
struct RowsPage {
  SqlRows rows;
  bool last = false;  // nothing comes after it
};
struct DeadList {
  std::vector<DeadLetter> items;  // newest first, whole; fewer than `limit` where they are large
  std::optional<std::string> next;
};

/// The rows of one statement as they were when it began, however slowly they are fetched: it holds
/// no transaction open between pages. Destroying it drops what is left, and a page that is under
/// way. Its calls are made on one thread.
class RowCursor {
 public:
  virtual ~RowCursor() = default;
  /// The next page, of about `max_bytes` and at least one row; empty only when it is the last. The
  /// callback comes on the cursor's executor, not inside the call and not after the cursor is
  /// destroyed; one page at a time. Errors: unavailable.
  virtual void next(std::size_t max_bytes, UniqueFunction<void(Result<RowsPage>)> callback) = 0;
};

/// Durable keyed state, with everything that commits together with it.
///
/// Thread-safe. Callbacks arrive on the executor that was given, each exactly once, also after a
/// stop (then with `unavailable`), never inside the call that takes them. Commits of one shard are
/// carried out in the order of their calls.
class Store {
 public:
  virtual ~Store() = default;

  template <class T>
  using Callback = UniqueFunction<void(Result<T>)>;

  /// Identifies the database; part of every stream's name. Secret: 32 bytes that key chance.
  struct Identity {
    std::string database;
    std::string secret;
    PartitionNumber partitions = 0;
  };
  /// Reads the identity; the first start of a store writes `partitions` into it. Blocks.
  /// Errors: invalid when the store was made with another partition count (both are named).
  virtual Result<Identity> open_deployment(PartitionNumber partitions) = 0;

  /// Makes the plugin's own tables and records which migrations ran. Blocks. All or nothing.
  /// Errors: invalid (not additive, a name without the plugin's prefix, a recorded migration that
  /// changed, SQL error: the message names which migration), unavailable.
  virtual Result<void> migrate(const std::string& plugin,
                               const std::vector<std::string>& tables) = 0;
  /// Checks one statement of a plugin against its tables without running it. Blocks.
  virtual Result<void> check_sql(const std::string& plugin, const std::string& sql) = 0;

  /// Takes the shard: whoever held it before is fenced from now on. Errors: unavailable, corrupt.
  virtual void claim(const ShardRef& shard, Executor& executor, Callback<ShardImage> callback) = 0;
  /// The commit is shared, not copied: a caller that is told not_now hands in the same one again.
  /// Once it is told `committed`, nobody else reads it any more.
  virtual void commit(std::shared_ptr<const ShardCommit> commit, Executor& executor,
                      UniqueFunction<void(CommitResult)> callback) = 0;

  /// One entry a key, in the order asked for; a key without a row has no bytes and version 0.
  virtual void load_states(const ShardRef& shard, std::vector<std::string> keys, Executor& executor,
                           Callback<std::vector<StateRow>> callback) = 0;
  /// Whole rows, by id; ids that are gone are left out.
  virtual void load_pending(const ShardRef& shard, std::vector<std::int64_t> ids,
                            Executor& executor, Callback<std::vector<PendingRow>> callback) = 0;
  /// Timers in order of (due, id), strictly after (`after`, `after_id`), at most `limit`.
  virtual void load_timers(const ShardRef& shard, Time after, std::string after_id,
                           std::size_t limit, Executor& executor,
                           Callback<std::vector<TimerRow>> callback) = 0;
  /// Which of `ids` (ShardCommit::once_seen) this shard has seen and not forgotten at `now`.
  virtual void once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now,
                         Executor& executor, Callback<std::vector<bool>> callback) = 0;

  /// The answer that any shard of the plugin committed for `scope`; nothing: none, or none that is
  /// kept at `now`.
  virtual void kept_answer(const std::string& plugin, std::string scope, Time now,
                           Executor& executor, Callback<std::optional<KeptAnswer>> callback) = 0;
  /// The payloads of the replies to asks, whoever committed them, in one query: an entry an id, in
  /// the order asked for; nothing: there is none yet, or it is forgotten.
  virtual void load_replies(std::vector<std::string> ask_ids, Executor& executor,
                            Callback<std::vector<std::optional<std::string>>> callback) = 0;

  /// A state of any shard of the plugin as last committed.
  virtual void read_state(const ShardRef& shard, std::string key, Executor& executor,
                          Callback<StateRow> callback) = 0;
  /// States of all shards of the plugin in byte order of keys, after `after` ("" = from the start).
  virtual void list_states(const std::string& plugin, std::string after, std::size_t limit,
                           Executor& executor, Callback<StateList> callback) = 0;
  /// A read-only statement of a plugin. Errors: invalid (its message is for the script's author),
  /// exhausted (step limit), unavailable (retryable).
  virtual void query(const std::string& plugin, SqlStatement statement, Executor& executor,
                     Callback<SqlRows> callback) = 0;

  /// A read-only statement of a plugin whose answer may be long: 1 GB at most, and 5 s to find it.
  /// Errors as query(), and exhausted (retryable) when too many of them are read at once.
  virtual void rows(const std::string& plugin, SqlStatement statement, Executor& executor,
                    Callback<std::unique_ptr<RowCursor>> callback) = 0;

  virtual void list_dead(const std::string& plugin_or_empty, std::string after, std::size_t limit,
                         Executor& executor, Callback<DeadList> callback) = 0;
  /// Errors: not_found.
  virtual void show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                         Callback<DeadLetter> callback) = 0;

  /// The last revision of a plugin that was published, with its sources. Blocks.
  struct GoodSources {
    std::string revision;
    std::vector<std::pair<std::string, std::string>> files;  // path, text
  };
  virtual Result<void> remember_good(const std::string& plugin, const GoodSources& sources) = 0;
  virtual Result<std::optional<GoodSources>> last_good(const std::string& plugin) = 0;

  /// Empty when the store can be reached and written; else what is wrong, for /readyz.
  virtual std::string health() const = 0;
};

}  // namespace host::ports
