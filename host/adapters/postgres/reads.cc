#include "host/adapters/postgres/reads.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/rows.h"

namespace host::postgres {

using ports::PendingRow;
using ports::StateRow;

std::vector<StateRow> read_states(Connection& db, const Schema& schema, PartitionNumber shard,
                                  const journal::Overlay& overlay,
                                  const std::vector<std::string>& keys) {
  const auto newer = overlay.states(keys);
  std::set<std::string_view> missing;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!newer[i]) missing.insert(keys[i]);
  }
  std::unordered_map<std::string_view, StateRow> found;
  std::optional<Rows> rows;  // holds the keys of `found`
  if (!missing.empty()) {
    Array asked(kText, missing.size());
    for (const std::string_view key : missing) asked.add(key);
    rows.emplace(db.run(schema,
                        "select key, bytes, version, quiet_until from ~host_state"
                        " where shard = $1 and key = any($2)",
                        Params(shard, std::move(asked))));
    for (int i = 0; i < rows->size(); ++i) found.emplace(rows->view(i, 0), state_row(*rows, i, 1));
  }
  std::vector<StateRow> states;
  states.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto at = found.find(keys[i]);
    states.push_back(newer[i] ? *newer[i] : at != found.end() ? at->second : StateRow{});
  }
  return states;
}

StateRow read_table_state(Connection& db, const Schema& schema, PartitionNumber shard,
                          const std::string& key) {
  const Rows row = db.run(
      schema, "select bytes, version, quiet_until from ~host_state where shard = $1 and key = $2",
      Params(shard, key));
  return row.empty() ? StateRow{} : state_row(row, 0, 0);
}

std::vector<PendingRow> read_pending(Connection& db, const Schema& schema, PartitionNumber shard,
                                     const journal::Overlay& overlay,
                                     std::vector<std::int64_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::map<std::int64_t, PendingRow> found;
  std::map<std::int64_t, PendingRow> newer;
  Array asked(kInt8, ids.size());
  for (const std::int64_t id : ids) {
    const auto known = overlay.pending(id);
    if (known && known->row) newer.emplace(id, *known->row);
    if (!known || (known->row && !known->replaces)) asked.add(id);
  }
  if (asked.size() > 0) {
    static const std::string kSql =
        std::string("select") + kPendingColumns +
        ", payload, headers from ~host_pending where shard = $1 and id = any($2)";
    const Rows rows = db.run(schema, kSql.c_str(), Params(shard, std::move(asked)));
    for (int i = 0; i < rows.size(); ++i) {
      PendingRow row = pending_row(rows, i, true);
      const std::int64_t id = row.id;
      found.emplace(id, std::move(row));
    }
  }
  for (auto& [id, row] : newer) {
    const auto at = found.find(id);
    if (at == found.end()) {
      found.emplace(id, std::move(row));
    } else {
      journal::bring_up_to_date(at->second, row);
    }
  }
  std::vector<PendingRow> rows;
  for (auto& [id, row] : found) rows.push_back(std::move(row));
  return rows;
}

std::vector<bool> read_seen(Connection& db, const Schema& schema, PartitionNumber shard,
                            const journal::Overlay& overlay, const std::vector<std::string>& ids,
                            Time now) {
  const auto newer = overlay.once(ids);
  Array asked(kBytea, ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!newer[i]) asked.add(ids[i]);
  }
  std::set<std::string> found;
  if (asked.size() > 0) {
    const Rows rows = db.run(schema,
                             "select id from ~host_once_seen where shard = $1 and until > $3"
                             " and sha256(id) in (select sha256(i) from unnest($2) as u(i))",
                             Params(shard, std::move(asked), now));
    for (int i = 0; i < rows.size(); ++i) found.insert(rows.bytes(i, 0));
  }
  std::vector<bool> seen(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    seen[i] = newer[i] ? *newer[i] > now : found.contains(ids[i]);
  }
  return seen;
}

std::optional<ports::KeptAnswer> read_answer(Connection& db, const Schema& schema,
                                             const std::string& scope, Time now) {
  const Rows row = db.run(schema,
                          "select request, status, headers, body, whole, until from ~host_answer"
                          " where sha256(scope) = sha256($1) and until > $2",
                          Params(Bytes{scope}, now));
  if (row.empty()) return std::nullopt;
  return ports::KeptAnswer{.scope = scope,
                           .request = row.bytes(0, 0),
                           .response = {.status = static_cast<int>(row.integer(0, 1)),
                                        .headers = headers_of(row.view(0, 2)),
                                        .body = row.bytes(0, 3)},
                           .whole = row.flag(0, 4),
                           .until = row.time(0, 5)};
}

std::vector<std::string> plugins_of(Connection& db) {
  const Rows rows = db.run(kCommonSchema, "select name from ~plugin order by name");
  std::vector<std::string> plugins;
  for (int i = 0; i < rows.size(); ++i) plugins.push_back(rows.bytes(i, 0));
  return plugins;
}

bool has_plugin(Connection& db, const std::string& plugin) {
  return !db.run(kCommonSchema, "select 1 from ~plugin where name = $1", Params(plugin)).empty();
}

std::vector<std::optional<std::string>> read_replies(Connection& db,
                                                     const std::vector<std::string>& ask_ids) {
  std::vector<std::optional<std::string>> replies(ask_ids.size());
  std::string sql;  // whichever plugin replied
  for (const std::string& plugin : plugins_of(db)) {
    sql += sql.empty() ? "" : " union all ";
    sql += "select ask_id, payload from " + schema_of(plugin) +
           ".host_reply where sha256(ask_id) in (select sha256(a) from unnest($1) as u(a))";
  }
  if (sql.empty() || ask_ids.empty()) return replies;
  Array asked(kBytea, ask_ids.size());
  for (const std::string& id : ask_ids) asked.add(id);
  const Rows rows = db.run("", sql.c_str(), Params(std::move(asked)));
  for (std::size_t at = 0; at < ask_ids.size(); ++at) {
    for (int i = 0; i < rows.size(); ++i) {
      if (rows.view(i, 0) == ask_ids[at]) replies[at] = rows.bytes(i, 1);
    }
  }
  return replies;
}

}  // namespace host::postgres
