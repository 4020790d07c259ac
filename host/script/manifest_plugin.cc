#include <algorithm>
#include <cctype>

#include "host/script/manifest_reader.h"
#include "host/script/manifest_sql.h"
#include "host/script/schema_check.h"

namespace host::script {

void ManifestReader::head(int index) {
  Manifest& manifest = out_.manifest;
  if (!get(index, "api")) {
    problem({}, "a plugin begins with api = 1", "this is the version of what the host offers");
  } else {
    if (lua_type(L_, -1) != LUA_TNUMBER || lua_tonumber(L_, -1) != 1) {
      problem({"api"}, "is not 1, the one version there is");
    }
    lua_pop(L_, 1);
  }
  manifest.name = text(index, "name", {}).value_or("");
  manifest.doc = text(index, "doc", {}).value_or("");
  const std::string& name = manifest.name;
  if (name.empty()) {
    problem({"name"}, "is missing",
            "name = \"orders\": it names the consumer group and the tables");
    return;
  }
  const bool good = name.size() <= 40 && std::islower(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return std::islower(c) || std::isdigit(c) || c == '_';
                    });
  if (!good) {
    problem({"name"}, "\"" + name + "\" is no name of a plugin",
            "small letters, digits and _, a letter first, at most 40");
  }
  if (get(index, "uses")) {
    uses(lua_gettop(L_), manifest.uses, {"uses"});
    lua_pop(L_, 1);
    for (const std::string& use : manifest.uses) {
      problem({"uses"}, "names \"" + use + "\": not in this version");
    }
  }
}

void ManifestReader::uses(int index, std::vector<std::string>& uses, const Path& at) {
  if (!need_table(index, at, "a list like { \"llm\" }")) return;
  for (const std::string& name : names(index, at, true)) {
    problem(at / name, "is not expected: uses is a list like { \"llm\" }");
  }
  const int size = static_cast<int>(lua_objlen(L_, index));
  for (int i = 1; i <= size; ++i) {
    lua_rawgeti(L_, index, i);
    const std::string use = lua_type(L_, -1) == LUA_TSTRING ? lua_tostring(L_, -1) : "";
    lua_pop(L_, 1);
    if (use == "llm" || use == "http" || use == "accounts") {
      uses.push_back(use);
    } else {
      problem(at, "names \"" + use + "\", which does not exist", "there are llm, http, accounts");
    }
  }
}

bool ManifestReader::topic(const std::string& name, const Path& at, bool wildcard) {
  std::string_view plain = name;
  if (wildcard && plain.ends_with("*")) plain.remove_suffix(1);
  const bool good = std::all_of(plain.begin(), plain.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '_' || c == '-';
  });
  if (good && !name.empty() && name.size() <= 200 && name != "." && name != "..") return true;
  problem(at, "\"" + name + "\" is no name of a topic",
          wildcard ? "letters, digits, . _ - and a * at the end" : "letters, digits, . _ -");
  return false;
}

void ManifestReader::emits(int index) {
  if (!get(index, "emits")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"emits"}, "a table: [\"topic\"] = schema")) {
    for (const std::string& name : names(table, {"emits"}, true)) {
      if (!topic(name, {"emits", name}, true)) continue;
      out_.emits.push_back({name, schema(table, name.c_str(), {"emits"})});
    }
    const int size = static_cast<int>(lua_objlen(L_, table));
    for (int i = 1; i <= size; ++i) {
      lua_rawgeti(L_, table, i);
      const std::string name = lua_type(L_, -1) == LUA_TSTRING ? lua_tostring(L_, -1) : "";
      lua_pop(L_, 1);
      const Path at{"emits", "#" + std::to_string(i)};
      if (!topic(name, at, true)) continue;
      const bool twice = std::any_of(out_.emits.begin(), out_.emits.end(),
                                     [&](const auto& emit) { return emit.topic == name; });
      if (twice) problem(at, "\"" + name + "\" is there twice");
      out_.emits.push_back({name, nullptr});
    }
  }
  lua_settop(L_, table - 1);
  for (const PluginTable::Emit& emit : out_.emits) out_.manifest.emits.push_back(emit.topic);
}

void ManifestReader::state(int index) {
  out_.state = record(index, "state", {});
  out_.manifest.has_state = out_.state != nullptr;
  if (!out_.state) return;
  for (const Schema::Field& field : out_.state->fields()) {
    if (field.schema->fills_in() || field.schema->optional()) continue;
    problem({"state", field.name}, "has no default and is not optional",
            "a key has a state before its first message: { default = ... }");
  }
}

void ManifestReader::migrate(int index) {
  if (!get(index, "migrate")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"migrate"}, "a table: [1] = function(old) return new end")) {
    if (!out_.manifest.has_state) problem({"migrate"}, "is there, but no state");
    for (const std::string& name : names(table, {"migrate"}, true)) {
      problem({"migrate", name}, "is no version: [1] = function(old) return new end");
    }
    int count = 0;
    for (lua_pushnil(L_); lua_next(L_, table); lua_pop(L_, 1)) {
      if (lua_type(L_, -2) != LUA_TNUMBER) continue;
      ++count;
      const double version = lua_tonumber(L_, -2);
      if (!lua_isfunction(L_, -1)) {
        problem({"migrate"}, "has an entry that is no function(old)");
      } else if (version >= 1 && version <= 10000 && version == static_cast<int>(version)) {
        out_.migrate[static_cast<int>(version)] = keep(lua_gettop(L_));
      }
    }
    for (int version = 1; version <= count; ++version) {
      if (out_.migrate.contains(version)) continue;
      problem({"migrate"}, "has no function from version " + std::to_string(version),
              "versions go 1, 2, 3 without holes");
      break;
    }
    out_.manifest.state_version = count + 1;
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::metrics(int index) {
  if (!get(index, "metrics")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"metrics"}, "a table: name = { \"counter\", help }")) {
    for (const std::string& name : names(table, {"metrics"})) {
      const Path at{"metrics", name};
      get(table, name.c_str());
      metric(name, lua_gettop(L_), at);
      lua_settop(L_, table);
    }
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::metric(const std::string& name, int index, const Path& at) {
  if (!identifier(name, at, "a metric")) return;
  if (!need_table(index, at, "a table: { \"counter\", \"what it counts\" }")) return;
  only_fields(index, at, {"labels"}, true);
  Manifest::Metric metric{.name = name, .help = {}, .labels = {}};
  std::string words[2];
  for (int i = 1; i <= 2; ++i) {
    lua_rawgeti(L_, index, i);
    if (lua_type(L_, -1) == LUA_TSTRING) words[i - 1] = lua_tostring(L_, -1);
    lua_pop(L_, 1);
  }
  if (words[0] == "gauge") metric.kind = Manifest::Metric::Kind::gauge;
  if (words[0] == "histogram") metric.kind = Manifest::Metric::Kind::histogram;
  if (words[0] != "gauge" && words[0] != "histogram" && words[0] != "counter") {
    problem(at, "has no kind", "{ \"counter\", ... }, \"gauge\" or \"histogram\"");
  }
  if (words[1].empty()) problem(at, "has no help", "{ \"counter\", \"what it counts\" }");
  metric.help = words[1];
  if (get(index, "labels")) {
    const int labels = lua_gettop(L_);
    const bool list = need_table(labels, at / "labels", "a list of names");
    for (int i = 1; list && i <= static_cast<int>(lua_objlen(L_, labels)); ++i) {
      lua_rawgeti(L_, labels, i);
      const std::string label = lua_type(L_, -1) == LUA_TSTRING ? lua_tostring(L_, -1) : "";
      lua_pop(L_, 1);
      if (identifier(label, at / "labels", "a label")) metric.labels.push_back(label);
    }
    lua_settop(L_, labels - 1);
  }
  out_.manifest.metrics.push_back(std::move(metric));
}

void ManifestReader::tables(int index) {
  if (!get(index, "tables")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"tables"}, "a list of SQL statements")) {
    for (const std::string& name : names(table, {"tables"}, true)) {
      problem({"tables", name}, "is not expected: tables is a list of SQL statements");
    }
    const int size = static_cast<int>(lua_objlen(L_, table));
    for (int i = 1; i <= size; ++i) {
      lua_rawgeti(L_, table, i);
      const Path at{"tables", "#" + std::to_string(i)};
      if (lua_type(L_, -1) != LUA_TSTRING) {
        problem(at, "is no text");
      } else {
        out_.manifest.tables.emplace_back(lua_tostring(L_, -1));
        const std::string why = migration_problem(out_.manifest.tables.back(), out_.manifest.name);
        if (!why.empty()) problem(at, why);
      }
      lua_pop(L_, 1);
    }
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::smoke(int index) {
  if (!get(index, "smoke")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"smoke"}, "a table: [\"sentence\"] = function(t) end")) {
    for (const std::string& sentence : names(table, {"smoke"})) {
      out_.smoke.push_back({sentence, function(table, sentence.c_str(), {"smoke"})});
    }
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::rebuild(int index) {
  out_.manifest.rebuild = flag(index, "rebuild", {}).value_or(false);
  if (!out_.manifest.rebuild) return;
  const char* hint = "a read model can be made again from the log; this cannot";
  if (!out_.emits.empty()) problem({"rebuild"}, "is there, but so is emits", hint);
  if (!out_.timers.empty()) problem({"rebuild"}, "is there, but so are timers", hint);
  if (!out_.manifest.uses.empty()) problem({"rebuild"}, "is there, but so is uses", hint);
}

}  // namespace host::script
