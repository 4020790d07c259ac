#include "host/adapters/postgres/schema.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <random>

#include "host/adapters/postgres/names.h"

namespace host::postgres {
namespace {

using Identity = ports::Store::Identity;

// Schemas are made and changed by one process at a time.
constexpr const char* kTakeLock = "select pg_advisory_xact_lock(7598807)";  // "host" in a way

// Times are microseconds since 1970. What a script, a foreign producer or an error may have put
// together is bytea: text takes neither NUL nor what is no UTF-8, and a commit that the server does
// not take would stop its shard for good. host.readable() shows it. Such values have no bound
// either, and an entry of an index has: the indexes hold their digests.
constexpr std::array kCommonTables{
    "create schema if not exists host",
    "create table host.meta (name text primary key, value bytea not null)",
    "create table host.plugin (name text collate \"C\" primary key, version bigint not null)",
    "create table host.good_sources (plugin text primary key, revision text not null,"
    " files bytea not null)",
    // Processes, for one life each, and who should work on what (ports/members.h). `former`: whose
    // the lease was before it was taken.
    "create table host.member (id text collate \"C\" primary key, plugins text not null,"
    " admin text not null, leaving boolean not null, heartbeat bigint not null,"
    " gone boolean not null) with (fillfactor = 50)",
    "create table host.lease (plugin text collate \"C\", number integer, owner text not null,"
    " turn bigint not null, former text not null, primary key (plugin, number))"
    " with (fillfactor = 50)",
    // The deployment's clock: epochs are made by it.
    "create function host.clock_ms() returns bigint language sql volatile as"
    " 'select (extract(epoch from clock_timestamp()) * 1000)::bigint'",
    "create function host.readable(bytes bytea) returns text language plpgsql immutable strict as"
    " $$begin return convert_from(bytes, 'UTF8');"
    " exception when others then return encode(bytes, 'escape'); end$$",
    "create function host.at(us bigint) returns timestamptz language sql immutable strict as"
    " $$select timestamptz '1970-01-01 00:00:00+00' + us * interval '1 microsecond'$$",
};

constexpr std::array kPluginTables{
    // A row a shard that changes with every commit: room for its versions in its page.
    "create table ~host_shard (number integer primary key, epoch bigint not null,"
    " commit_no bigint not null, seq bigint not null, acked_seq bigint not null,"
    " state_version integer not null, claims integer not null) with (fillfactor = 10)",
    "create table ~host_shard_offset (shard integer, topic text collate \"C\","
    " next bigint not null, primary key (shard, topic))",

    // Compressed by us: the server need not try.
    "create table ~host_journal (shard integer, commit_no bigint, data bytea not null,"
    " primary key (shard, commit_no))",
    "alter table ~host_journal alter column data set storage external",
    // What waits to be acknowledged by the log, a row a commit. Not in the journal: it goes sooner.
    "create table ~host_outbox (shard integer, commit_no bigint, last_seq bigint not null,"
    " data bytea not null, primary key (shard, commit_no))",
    "alter table ~host_outbox alter column data set storage external",

    "create table ~host_state (shard integer, key text collate \"C\", bytes bytea,"
    " version integer not null, quiet_until bigint, primary key (shard, key))"
    " with (fillfactor = 70)",
    "create index on ~host_state (quiet_until) where bytes is null",
    "create table ~host_pending (shard integer, id bigint, key bytea, kind integer not null,"
    " message_id bytea not null, topic bytea not null, payload bytea not null,"
    " headers bytea not null, time bigint not null, attempt integer not null, due bigint,"
    " stopped boolean not null, last_error bytea not null, primary key (shard, id))",
    "create table ~host_timer (shard integer not null, id bytea not null, name bytea not null,"
    " key bytea not null, due bigint not null, payload bytea not null, headers bytea not null)",
    "create unique index on ~host_timer (shard, sha256(id))",
    "create index on ~host_timer (shard, due)",
    "create index on ~host_timer (shard, sha256(key))",
    "create table ~host_mark (shard integer not null, topic text collate \"C\" not null,"
    " partition integer not null, stream bytea not null, epoch bigint not null,"
    " seq bigint not null)",
    "create unique index on ~host_mark (shard, topic, partition, sha256(stream))",
    "create table ~host_once_seen (shard integer not null, id bytea not null,"
    " until bigint not null)",
    "create unique index on ~host_once_seen (shard, sha256(id))",
    "create index on ~host_once_seen (until)",
    "create table ~host_every_next (shard integer, name bytea, due bigint not null,"
    " primary key (shard, name))",

    "create table ~host_dead_letter (n bigint generated always as identity primary key,"
    " id bytea not null, shard integer not null, kind integer not null, topic bytea not null,"
    " key bytea, payload bytea not null, headers bytea not null, time bigint not null,"
    " attempt integer not null, reason bytea not null, error_code integer not null,"
    " error bytea not null, hint bytea not null, file bytea not null, line integer not null,"
    " revision bytea not null, at bigint not null)",
    "create unique index on ~host_dead_letter (sha256(id))",
    "create index on ~host_dead_letter (at, n)",
    "create table ~host_reply (ask_id bytea not null, payload bytea not null,"
    " until bigint not null)",
    "create unique index on ~host_reply (sha256(ask_id))",
    "create index on ~host_reply (until)",
    // Of requests with an Idempotency-Key.
    "create table ~host_answer (scope bytea not null, request bytea not null,"
    " status integer not null, headers bytea not null, body bytea not null,"
    " whole boolean not null, until bigint not null)",
    "create unique index on ~host_answer (sha256(scope))",
    "create index on ~host_answer (until)",

    // For people.
    "create view ~host_states as select shard, key, host.readable(bytes) as state, version,"
    " host.at(quiet_until) as quiet_until from ~host_state",
    "create view ~host_dead_letters as select host.readable(id) as id, shard,"
    " host.readable(topic) as topic, host.readable(key) as key,"
    " host.readable(payload) as payload, attempt, host.readable(reason) as reason,"
    " host.readable(error) as error, host.readable(revision) as revision, host.at(at) as at"
    " from ~host_dead_letter",
};

std::string in_schema(std::string_view sql, const Schema& schema) {
  std::string out;
  for (const char c : sql) c == '~' ? out += schema + "." : out += c;
  return out;
}

std::string random_bytes(std::size_t count) {
  std::random_device chance;  // the kernel's
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(chance() & 0xff));
  return bytes;
}

std::string random_uuid() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned char>(bytes[i]));
    text += hex.data();
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

std::optional<std::string> meta(Connection& db, const char* name) {
  const Rows rows = db.run("host", "select value from ~meta where name = $1", Params(name));
  return rows.empty() ? std::nullopt : std::optional(rows.bytes(0, 0));
}

void set_meta(Connection& db, const char* name, const std::string& value) {
  db.run("host", "insert into ~meta (name, value) values ($1, $2)", Params(name, Bytes{value}));
}

/// Of a value of ours; -1: it is not there, or somebody else's.
std::int64_t number(const std::optional<std::string>& text) {
  std::int64_t value = -1;
  if (!text) return value;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), value);
  return read.ec == std::errc{} ? value : -1;
}

Error newer(const std::string& what, std::int64_t version, std::int64_t known) {
  return make_error(Error::Code::unsupported,
                    what + " was made by a newer version of host (format " +
                        std::to_string(version) + "; this one knows " + std::to_string(known) + ")",
                    "run the newer version");
}

}  // namespace

Result<void> open_common_schema(Connection& db) {
  const std::string encoding = Rows(db.run_once("show server_encoding")).bytes(0, 0);
  if (encoding != "UTF8") {
    return make_error(Error::Code::unsupported, "the database has the encoding " + encoding,
                      "keys are any UTF-8: create it with encoding 'UTF8', from template0");
  }
  Transaction transaction(db);
  db.run_once(kTakeLock);
  const bool is_new = db.run("",
                             "select 1 from pg_tables where schemaname = 'host'"
                             " and tablename = 'meta'")
                          .empty();
  if (is_new) {
    for (const char* table : kCommonTables) db.execute(table);
    set_meta(db, "schema_version", std::to_string(kCommonVersion));
  }
  const std::int64_t version = number(meta(db, "schema_version"));
  if (version > kCommonVersion) {
    return newer("the database's schema \"host\"", version, kCommonVersion);
  }
  transaction.commit();
  return {};
}

Result<Identity> open_identity(Connection& db, PartitionNumber partitions) {
  Transaction transaction(db);
  db.run_once(kTakeLock);
  if (!meta(db, "database")) {
    if (partitions < 1) {
      return make_error(Error::Code::invalid, "a deployment has at least one partition");
    }
    set_meta(db, "database", random_uuid());
    set_meta(db, "secret", random_bytes(32));
    set_meta(db, "partitions", std::to_string(partitions));
  }
  const Identity identity{
      .database = meta(db, "database").value_or(""),
      .secret = meta(db, "secret").value_or(""),
      .partitions = static_cast<PartitionNumber>(number(meta(db, "partitions")))};
  transaction.commit();
  if (identity.partitions == partitions) return identity;
  return make_error(
      Error::Code::invalid,
      "the database was made with " + std::to_string(identity.partitions) + " partitions, not " +
          std::to_string(partitions),
      "use --partitions " + std::to_string(identity.partitions) + ", or another database");
}

Result<void> open_plugin_schema(Connection& db, const std::string& plugin) {
  const Schema schema = schema_of(plugin);
  Transaction transaction(db);
  db.run_once(kTakeLock);
  const Rows known = db.run("host", "select version from ~plugin where name = $1", Params(plugin));
  if (known.empty()) {
    db.execute("create schema if not exists " + schema);
    for (const char* table : kPluginTables) db.execute(in_schema(table, schema));
    db.run("host", "insert into ~plugin (name, version) values ($1, $2)",
           Params(plugin, kPluginVersion));
  } else if (known.integer(0, 0) > kPluginVersion) {
    return newer("the database's schema " + schema, known.integer(0, 0), kPluginVersion);
  }
  transaction.commit();
  return {};
}

}  // namespace host::postgres
