#include "host/adapters/sqlite/database.h"

#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/parts.h"
#include "host/adapters/sqlite/retention.h"
#include "host/adapters/sqlite/schema.h"

namespace host::sqlite {
namespace {

/// The host's own tables are in the registry under a name that no plugin can have.
constexpr const char* kHostOwner = "the host";

void load_topics(Connection& db, LogIndex& index) {
  std::vector<std::pair<std::int64_t, ports::TopicSettings>> topics;
  {
    Statement rows = db.query("select id, name, partitions, keep_us, max_bytes from host_topic");
    while (rows.step()) {
      topics.emplace_back(
          rows.integer(0),
          ports::TopicSettings{.name = rows.bytes(1),
                               .partitions = static_cast<PartitionNumber>(rows.integer(2)),
                               .keep = Duration{rows.integer(3)},
                               .max_bytes = static_cast<std::uint64_t>(rows.integer(4))});
    }
  }
  for (const auto& [id, settings] : topics) {
    std::vector<std::pair<Offset, Offset>> partitions;
    Statement rows = db.query(
        "select start, next from host_topic_partition where topic = ? order by partition", id);
    while (rows.step()) partitions.emplace_back(rows.integer(0), rows.integer(1));
    if (partitions.size() != static_cast<std::size_t>(settings.partitions)) {
      throw SqlFailure(SQLITE_CORRUPT, "topic " + settings.name + " lacks partitions");
    }
    index.set_topic(id, settings, partitions);
  }
}

void load_host_tables(Connection& db, PluginTables& tables) {
  Statement rows =
      db.query("select name from sqlite_master where name like 'host\\_%' escape '\\'");
  while (rows.step()) tables.add(rows.bytes(0), kHostOwner);
}

bool can_be_opened(const std::string& path) { return path.find('"') == std::string::npos; }

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const Options& options) {
  const std::filesystem::path file = options.in_memory ? ":memory:" : options.dir / "host.db";
  if (options.in_memory && options.threads) {
    return make_error(Error::Code::unsupported, "a database in memory has no threads");
  }
  if (!can_be_opened(file.string())) {
    return make_error(Error::Code::invalid,
                      "the data folder " + options.dir.string() + " has a \" in its name",
                      "choose another one with --data");
  }
  auto parts = std::make_unique<Parts>(options);
  if (!options.in_memory) {
    Result<LockFile> lock = LockFile::take(options.dir, options.admin);
    if (!lock) return lock.error();
    parts->lock = std::move(*lock);
    if (Result<void> writable = check_file(file); !writable) return writable.error();
  }
  try {
    auto db = std::make_unique<Connection>(file.string());
    if (Result<void> known = open_schema(*db, file); !known) return known.error();
    configure_writer(*db, {.full = options.threads,
                           .own_checkpoints = options.threads,
                           .max_file_bytes = options.max_file_bytes});
    load_topics(*db, *parts->index);
    parts->overlays.load(*db);
    load_host_tables(*db, parts->tables);
    parts->tables.load(*db);
    parts->writer_sql = std::make_unique<PluginSql>(*db, parts->tables, parts->meters);
    parts->start(std::move(db), file.string());
  } catch (const SqlFailure& failure) {
    return to_error(failure, "opening " + file.string());
  }
  return std::unique_ptr<Database>(new Database(std::move(parts)));
}

void Database::Parts::start(std::unique_ptr<Connection> db, const std::string& path) {
  const auto connect = [&] {
    auto other = std::make_unique<Connection>(path);
    configure_reader(*other, true);
    return other;
  };
  writer = std::make_unique<Writer>(std::move(db), *index,
                                    Writer::Settings{.threaded = options.threads,
                                                     .path = path,
                                                     .clock = &options.clock,
                                                     .logger = options.logger,
                                                     .meters = &meters,
                                                     .slow = options.slow_commit});
  if (!options.threads) {
    reader = std::make_unique<Reader>(writer->connection(), writer->connection_mutex());
    queries = std::make_unique<Reader>(writer->connection(), writer->connection_mutex());
    finder = std::make_unique<Reader>(writer->connection(), writer->connection_mutex());
    return;
  }
  reader = std::make_unique<Reader>(connect());
  auto query_db = connect();
  query_sql = std::make_unique<PluginSql>(*query_db, tables, meters);
  queries = std::make_unique<Reader>(std::move(query_db));
  auto finder_db = connect();
  finder_sql = std::make_unique<PluginSql>(*finder_db, tables, meters);
  finder = std::make_unique<Reader>(std::move(finder_db));
  auto housekeeping_db = std::make_unique<Connection>(path);
  housekeeping_db->session().run("pragma wal_autocheckpoint = 0");
  // A connection that has read nothing does not know that there is a write-ahead log.
  housekeeping_db->session().number("pragma user_version");
  housekeeper = std::make_unique<Housekeeper>(std::move(housekeeping_db), *writer, *index, overlays,
                                              options, meters);
}

void Database::Parts::stop() {
  const std::lock_guard one_at_a_time(stopping);
  if (housekeeper) housekeeper->stop();
  if (writer) writer->stop();
  if (reader) reader->stop();
  if (finder) finder->stop();
  if (queries) queries->stop();
  index->stop();
}

Database::Parts::~Parts() {
  stop();
  finder_sql.reset();
  query_sql.reset();  // before the connections that they hold to
  writer_sql.reset();
}

Database::Database(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Database::~Database() { stop(); }

void Database::stop() { parts_->stop(); }
void Database::set_admin(const std::string& address) { parts_->lock.describe(address); }
Result<void> Database::retain_once() {
  return retain(*parts_->writer, *parts_->index, parts_->overlays);
}
std::string Database::health() const { return parts_->writer->health(); }

}  // namespace host::sqlite
