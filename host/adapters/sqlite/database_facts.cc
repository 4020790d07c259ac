#include <array>
#include <cstdio>
#include <random>

#include "host/adapters/journal/bytes.h"
#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/migrations.h"
#include "host/adapters/sqlite/parts.h"

// The store's blocking calls: identity, tables of plugins, good sources.
namespace host::sqlite {
namespace {

using Identity = ports::Store::Identity;

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

/// Empty fields when this is the first start.
Identity read_identity(Connection& db) {
  Identity identity;
  Statement rows = db.query(
      "select name, value from host_meta where name in ('database', 'secret', 'partitions')");
  while (rows.step()) {
    if (rows.view(0) == "database") identity.database = rows.bytes(1);
    if (rows.view(0) == "secret") identity.secret = rows.bytes(1);
    if (rows.view(0) == "partitions") {
      identity.partitions = static_cast<PartitionNumber>(rows.integer(1));
    }
  }
  return identity;
}

Identity make_identity(Connection& db, PartitionNumber partitions) {
  Identity identity{
      .database = random_uuid(), .secret = random_bytes(32), .partitions = partitions};
  const char* insert = "insert into host_meta (name, value) values (?, ?)";
  db.run(insert, std::string_view("database"), identity.database);
  db.run(insert, std::string_view("secret"), Blob{identity.secret});
  db.run(insert, std::string_view("partitions"), identity.partitions);
  return identity;
}

}  // namespace

Result<Identity> Database::open_deployment(PartitionNumber partitions) {
  Identity identity;
  Result<void> done = write_now(*parts_->writer, [&](Round& round) -> Result<void> {
    identity = read_identity(round.db);
    if (identity.database.empty()) {
      if (partitions < 1) {
        return make_error(Error::Code::invalid, "a deployment has at least one partition");
      }
      identity = make_identity(round.db, partitions);
    }
    if (identity.partitions == partitions) return {};
    return make_error(Error::Code::invalid,
                      "the data folder was made with " + std::to_string(identity.partitions) +
                          " partitions, not " + std::to_string(partitions),
                      "use --partitions " + std::to_string(identity.partitions) +
                          ", or another folder with --data");
  });
  if (!done) return done.error();
  return identity;
}

Result<void> Database::migrate(const std::string& plugin, const std::vector<std::string>& tables) {
  std::vector<std::string> made;
  Result<void> done = write_now(*parts_->writer, [&](Round& round) {
    return apply_migrations(round.db, *parts_->writer_sql, parts_->tables, plugin, tables, made);
  });
  if (!done) return done;
  for (const std::string& table : made) parts_->tables.add(table, plugin);
  return {};
}

Result<void> Database::check_sql(const std::string& plugin, const std::string& sql) {
  return read_now<void>(*parts_->queries, "checking a statement",
                        [&](Connection&) { return parts_->reading_sql().check(plugin, sql); });
}

Result<void> Database::remember_good(const std::string& plugin, const GoodSources& sources) {
  const std::string files = journal::encode_pairs(sources.files);
  return write_now(*parts_->writer, [&](Round& round) -> Result<void> {
    round.db.run(
        "insert or replace into host_good_sources (plugin, revision, files) values (?, ?, ?)",
        plugin, sources.revision, Blob{files});
    return {};
  });
}

Result<std::optional<ports::Store::GoodSources>> Database::last_good(const std::string& plugin) {
  using Answer = std::optional<GoodSources>;
  return read_now<Answer>(
      *parts_->reader, "reading the last good sources", [&](Connection& db) -> Result<Answer> {
        Statement row =
            db.query("select revision, files from host_good_sources where plugin = ?", plugin);
        if (!row.step()) return Answer();
        auto files = journal::decode_pairs(row.view(1));
        if (!files) return files.error();
        return Answer(GoodSources{.revision = row.bytes(0), .files = std::move(*files)});
      });
}

}  // namespace host::sqlite
