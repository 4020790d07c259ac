#include "host/adapters/postgres/dead.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <vector>

#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/reads.h"
#include "host/adapters/postgres/rows.h"

namespace host::postgres {
namespace {

/// A page ends behind so many bytes of payloads, also below its limit.
constexpr std::int64_t kPageBytes = std::int64_t{8} << 20;

/// Where a page ends, and the next one begins: "AT-N-PLUGIN". In descending order.
struct Place {
  std::int64_t at = INT64_MAX;
  std::int64_t n = INT64_MAX;
  std::string plugin = {};

  std::string text() const { return std::to_string(at) + "-" + std::to_string(n) + "-" + plugin; }
};

std::optional<Place> parse(const std::string& text) {
  Place place;
  if (text.empty()) return place;
  const char* end = text.data() + text.size();
  const auto at = std::from_chars(text.data(), end, place.at);
  if (at.ec != std::errc{} || at.ptr == end || *at.ptr != '-') return std::nullopt;
  const auto n = std::from_chars(at.ptr + 1, end, place.n);
  if (n.ec != std::errc{} || n.ptr == end || *n.ptr != '-') return std::nullopt;
  place.plugin.assign(n.ptr + 1, end);
  return place;
}

constexpr const char* kColumns =
    " id, shard, kind, topic, key, payload, headers, time, attempt, reason, error_code, error,"
    " hint, file, line, revision, at ";

ports::DeadLetter letter_of(const Rows& rows, int row, const std::string& plugin) {
  ports::DeadLetter out;
  out.plugin = plugin;
  out.id = rows.bytes(row, 0);
  out.shard = static_cast<PartitionNumber>(rows.integer(row, 1));
  out.message.id = out.id;
  out.message.kind = static_cast<Message::Kind>(rows.integer(row, 2));
  out.message.topic = rows.bytes(row, 3);
  out.message.key = rows.optional_bytes(row, 4);
  out.message.payload = rows.bytes(row, 5);
  out.message.headers = headers_of(rows.view(row, 6));
  out.message.time = rows.time(row, 7);
  out.message.attempt = static_cast<int>(rows.integer(row, 8));
  out.reason = rows.bytes(row, 9);
  out.error.code = static_cast<Error::Code>(rows.integer(row, 10));
  out.error.message = rows.bytes(row, 11);
  out.error.hint = rows.bytes(row, 12);
  out.error.file = rows.bytes(row, 13);
  out.error.line = static_cast<int>(rows.integer(row, 14));
  out.revision = rows.bytes(row, 15);
  out.at = rows.time(row, 16);
  return out;
}

/// The places and sizes of the letters after a place, over all plugins that are asked for.
Rows find_places(Connection& db, const std::vector<std::string>& plugins, const Place& after,
                 std::size_t limit) {
  std::string sql;
  for (const std::string& plugin : plugins) {
    const std::string name = literal(plugin) + "::text collate \"C\"";
    sql += sql.empty() ? "" : " union all ";
    sql += "(select at, " + name + " as plugin, n, octet_length(payload)::bigint as size from " +
           schema_of(plugin) + ".host_dead_letter where at <= $1 and (at, " + name +
           ", n) < ($1, $2, $3) order by at desc, n desc limit $4)";
  }
  sql = "select * from (" + sql + ") l order by at desc, plugin desc, n desc limit $4";
  const bool first = after.at == INT64_MAX && after.plugin.empty();
  // Behind every name that a plugin can have.
  const std::string plugin = first ? "\x7f" : after.plugin;
  return db.run("", sql.c_str(), Params(after.at, plugin, after.n, limit + 1));
}

/// The letters of a page, whole, one query a plugin.
std::map<std::pair<std::string, std::int64_t>, ports::DeadLetter> read_whole(
    Connection& db, const std::vector<Place>& page) {
  std::map<std::string, std::vector<std::int64_t>> wanted;
  for (const Place& place : page) wanted[place.plugin].push_back(place.n);
  std::map<std::pair<std::string, std::int64_t>, ports::DeadLetter> letters;
  static const std::string kSql =
      std::string("select") + kColumns + ", n from ~host_dead_letter where n = any($1)";
  for (const auto& [plugin, numbers] : wanted) {
    Array asked(kInt8, numbers.size());
    for (const std::int64_t n : numbers) asked.add(n);
    const Rows rows = db.run(schema_of(plugin), kSql.c_str(), Params(std::move(asked)));
    for (int i = 0; i < rows.size(); ++i) {
      letters.emplace(std::pair{plugin, rows.integer(i, 17)}, letter_of(rows, i, plugin));
    }
  }
  return letters;
}

}  // namespace

Result<ports::DeadList> read_dead_list(Connection& db, const std::string& plugin_or_empty,
                                       const std::string& after, std::size_t limit) {
  const std::optional<Place> begin = parse(after);
  if (!begin) {
    return make_error(Error::Code::invalid, "\"" + after + "\" is no place in the dead letters",
                      "give back what the page before gave as next");
  }
  const Transaction snapshot(db, Transaction::Kind::snapshot);
  std::vector<std::string> plugins = plugins_of(db);
  if (!plugin_or_empty.empty()) {
    std::erase_if(plugins, [&](const std::string& name) { return name != plugin_or_empty; });
  }
  ports::DeadList list;
  if (plugins.empty()) return list;
  const Rows places = find_places(db, plugins, *begin, limit);
  std::vector<Place> page;
  std::int64_t bytes = 0;
  for (int i = 0; i < places.size(); ++i) {
    if (page.size() == limit || bytes >= kPageBytes) {
      list.next = page.empty() ? after : page.back().text();
      break;
    }
    page.push_back(
        {.at = places.integer(i, 0), .n = places.integer(i, 2), .plugin = places.bytes(i, 1)});
    bytes += places.integer(i, 3);
  }
  auto letters = read_whole(db, page);
  for (const Place& place : page) {
    list.items.push_back(std::move(letters.at({place.plugin, place.n})));
  }
  return list;
}

Result<ports::DeadLetter> read_dead_letter(Connection& db, const std::string& plugin,
                                           const std::string& id) {
  if (has_plugin(db, plugin)) {
    static const std::string kSql =
        std::string("select") + kColumns + "from ~host_dead_letter where sha256(id) = sha256($1)";
    const Rows row = db.run(schema_of(plugin), kSql.c_str(), Params(Bytes{id}));
    if (!row.empty()) return letter_of(row, 0, plugin);
  }
  return make_error(Error::Code::not_found, "plugin " + plugin + " has no dead letter " + id);
}

}  // namespace host::postgres
