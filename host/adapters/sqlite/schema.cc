#include "host/adapters/sqlite/schema.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace host::sqlite {
namespace {

constexpr std::int64_t kPageSize = 4096;
constexpr std::uintmax_t kCheckedWhole = std::uintmax_t{32} << 20;

// Times are microseconds since 1970. Keys are text with SQLite's binary collation: bytes.
// Log batches can be large, so they live in a rowid table with an index beside it; what is small
// and read by key lives in the index itself (without rowid).
// A shard's records lie together: the row id is (shard << 40) + commit number.
constexpr const char* kJournalTable =
    "create table host_journal (id integer primary key, data blob not null)";
constexpr const char* kReplyTable =
    "create table host_reply (ask_id text primary key, payload blob not null,"
    " until integer not null) without rowid";
constexpr const char* kReplyIndex = "create index host_reply_until on host_reply (until)";
// Of requests with an Idempotency-Key.
constexpr const char* kAnswerTable =
    "create table host_answer (id integer primary key, plugin text not null, scope blob not null,"
    " request blob not null, status integer not null, headers blob not null, body blob not null,"
    " whole integer not null, until integer not null, unique (plugin, scope))";
constexpr const char* kAnswerIndex = "create index host_answer_until on host_answer (until)";
constexpr std::array kTables{
    "create table host_meta (name text primary key, value blob) without rowid",

    "create table host_topic (id integer primary key, name text not null unique,"
    " partitions integer not null, keep_us integer not null, max_bytes integer not null)",
    "create table host_topic_partition (topic integer, partition integer, start integer not null,"
    " next integer not null, bytes integer not null, primary key (topic, partition)) without rowid",
    "create table host_log_batch (id integer primary key, topic integer not null,"
    " partition integer not null, base integer not null, records integer not null,"
    " last_time integer not null, data blob not null)",
    "create unique index host_log_batch_place on host_log_batch (topic, partition, base)",

    "create table host_shard (id integer primary key, plugin text not null,"
    " number integer not null, epoch integer not null, commit_no integer not null,"
    " seq integer not null, acked_seq integer not null, state_version integer not null,"
    " claims integer not null, suspect text, owner text, lease_until integer,"
    " unique (plugin, number))",
    "create table host_shard_offset (shard integer, topic text, next integer not null,"
    " primary key (shard, topic)) without rowid",
    "create table host_member (id text primary key, started integer, heartbeat integer,"
    " address text, backends text) without rowid",

    kJournalTable,

    "create table host_state (shard integer, key text, bytes blob, version integer not null,"
    " quiet_until integer, primary key (shard, key)) without rowid",
    "create index host_state_quiet on host_state (quiet_until) where bytes is null",
    "create table host_pending (shard integer, id integer, key text, kind integer not null,"
    " message_id text not null, topic text not null, payload blob not null, headers blob not null,"
    " time integer not null, attempt integer not null, due integer, stopped integer not null,"
    " last_error text not null, primary key (shard, id)) without rowid",
    "create table host_timer (shard integer, id text, name text not null, key text not null,"
    " due integer not null, payload blob not null, headers blob not null,"
    " primary key (shard, id)) without rowid",
    "create index host_timer_due on host_timer (shard, due, id)",
    "create index host_timer_key on host_timer (shard, key)",
    "create table host_mark (shard integer, topic text, partition integer, stream text,"
    " epoch integer not null, seq integer not null,"
    " primary key (shard, topic, partition, stream)) without rowid",
    "create table host_once_seen (shard integer, id blob, until integer not null,"
    " primary key (shard, id)) without rowid",
    "create index host_once_seen_until on host_once_seen (until)",
    "create table host_every_next (shard integer, name text, due integer not null,"
    " primary key (shard, name)) without rowid",

    "create table host_dead_letter (n integer primary key, plugin text not null, id text not null,"
    " shard integer not null, kind integer not null, topic text not null, key text,"
    " payload blob not null, headers blob not null, time integer not null,"
    " attempt integer not null, reason text not null, error_code integer not null,"
    " error text not null, hint text not null, file text not null, line integer not null,"
    " revision text not null, at integer not null, unique (plugin, id))",
    "create index host_dead_letter_at on host_dead_letter (at, n)",
    kReplyTable,
    kReplyIndex,
    kAnswerTable,
    kAnswerIndex,

    "create table host_migration (plugin text, number integer, hash text not null,"
    " primary key (plugin, number)) without rowid",
    "create table host_plugin_table (name text primary key, plugin text not null) without rowid",
    "create table host_good_sources (plugin text primary key, revision text not null,"
    " files blob not null) without rowid",
};

void create_schema(Connection& db) {
  Session& sql = db.session();
  // Page size and auto_vacuum only take before the first table; the rest is one transaction in
  // rollback mode, so that a process killed here leaves an empty file.
  sql.run("pragma page_size = " + std::to_string(kPageSize));
  sql.run("pragma auto_vacuum = incremental");
  sql.run("begin immediate");
  for (const char* table : kTables) sql.run(table);
  sql.run("pragma application_id = " + std::to_string(kApplicationId));
  sql.run("pragma user_version = " + std::to_string(kSchemaVersion));
  sql.run("commit");
}

/// A process was killed while it created the file: setting auto_vacuum writes the first page, the
/// transaction with everything else did not come.
bool only_begun(Connection& db) {
  Session& sql = db.session();
  return sql.number("pragma application_id") == 0 && sql.number("pragma user_version") == 0 &&
         sql.number("select count(*) from sqlite_master") == 0;
}

/// Version 1 kept every value as a row and had no journal: to it an empty one is added. Before
/// version 3 no answers were kept, and replies for an hour, by processes that asked: nobody asks
/// for those any more.
void upgrade(Connection& db) {
  Session& sql = db.session();
  const std::int64_t version = sql.number("pragma user_version");
  if (version == kSchemaVersion) return;
  sql.run("begin immediate");
  if (version < 2) sql.run(kJournalTable);
  sql.run("drop table host_reply");
  for (const char* made : {kReplyTable, kReplyIndex, kAnswerTable, kAnswerIndex}) sql.run(made);
  sql.run("pragma user_version = " + std::to_string(kSchemaVersion));
  sql.run("commit");
}

/// Whether something was committed that the data file itself does not hold yet.
bool has_log(const std::filesystem::path& file) {
  std::error_code missing;
  const std::uintmax_t size = std::filesystem::file_size(file.string() + "-wal", missing);
  return !missing && size > 0;
}

Result<void> check_identity(Connection& db, const std::string& file) {
  const std::int64_t application = db.session().number("pragma application_id");
  const std::int64_t version = db.session().number("pragma user_version");
  if (application != kApplicationId) {
    return make_error(Error::Code::invalid, file + " belongs to another application",
                      "choose another folder with --data");
  }
  if (version > kSchemaVersion) {
    return make_error(Error::Code::unsupported,
                      file + " was written by a newer version of host (format " +
                          std::to_string(version) + "; this one knows " +
                          std::to_string(kSchemaVersion) + ")",
                      "run the newer version");
  }
  if (version < 1) {
    return make_error(Error::Code::corrupt, file + " has no format version",
                      "restore the data folder from a backup");
  }
  return {};
}

Result<void> check_whole(Connection& db, const std::filesystem::path& file) {
  const auto damaged = [&](const std::string& why) {
    return make_error(Error::Code::corrupt, file.string() + " is damaged: " + why,
                      "restore the data folder from a backup");
  };
  std::error_code ignored;
  const std::uintmax_t size = std::filesystem::file_size(file, ignored);
  const auto pages = static_cast<std::uintmax_t>(db.session().number("pragma page_count"));
  const auto page = static_cast<std::uintmax_t>(db.session().number("pragma page_size"));
  if (!has_log(file) && size < pages * page) {
    return damaged("it has " + std::to_string(size) + " of " + std::to_string(pages * page) +
                   " bytes");
  }
  if (size <= kCheckedWhole) {
    const std::string verdict = db.session().text("pragma quick_check(1)");
    if (verdict != "ok") return damaged(verdict);
  }
  return {};
}

}  // namespace

Result<void> check_file(const std::filesystem::path& file) {
  if (::faccessat(AT_FDCWD, file.c_str(), F_OK, AT_EACCESS) != 0) return {};
  if (::faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) == 0) return {};
  return make_error(Error::Code::unavailable,
                    file.string() + " cannot be written: " + std::strerror(errno),
                    "make the file and its folder writable for this user");
}

Result<void> open_schema(Connection& db, const std::filesystem::path& file) {
  // Until the file is known to be ours, closing it does not carry its write-ahead log over.
  if (has_log(file)) {
    sqlite3_db_config(db.native(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  const bool in_memory = file == ":memory:";
  std::error_code missing;
  const bool is_new = in_memory || std::filesystem::file_size(file, missing) == 0 || missing;
  if (sqlite3_db_readonly(db.native(), "main") == 1) {
    return make_error(Error::Code::unavailable, file.string() + " can only be read",
                      "make the file and its folder writable for this user");
  }
  if ((!is_new || db.session().number("pragma page_count") > 0) && !only_begun(db)) {
    Result<void> known = check_identity(db, file.string());
    if (known && !in_memory) known = check_whole(db, file);
    if (!known) return known;
    upgrade(db);
  } else {
    create_schema(db);
  }
  sqlite3_db_config(db.native(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return {};
}

void configure_writer(Connection& db, const Durability& durability) {
  Session& sql = db.session();
  const std::string mode = sql.text("pragma journal_mode = wal");
  if (mode != "wal" && mode != "memory") {
    throw SqlFailure(SQLITE_IOERR_SHMMAP,
                     "its file system cannot hold a write-ahead log, which needs shared memory");
  }
  sql.run(durability.full ? "pragma synchronous = full" : "pragma synchronous = off");
  sql.run("pragma cache_size = -65536");
  sql.run("pragma temp_store = memory");
  sql.run("pragma journal_size_limit = 67108864");
  if (durability.own_checkpoints) sql.run("pragma wal_autocheckpoint = 0");
  if (durability.max_file_bytes > 0) {
    const auto pages = static_cast<std::int64_t>(durability.max_file_bytes) / kPageSize;
    sql.run("pragma max_page_count = " + std::to_string(std::max<std::int64_t>(pages, 1)));
  }
}

void configure_reader(Connection& db, bool own_checkpoints) {
  Session& sql = db.session();
  sql.run("pragma query_only = 1");
  sql.run("pragma cache_size = -16384");
  sql.run("pragma temp_store = memory");
  if (own_checkpoints) sql.run("pragma wal_autocheckpoint = 0");
}

}  // namespace host::sqlite
