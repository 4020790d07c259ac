#include <algorithm>
#include <cmath>

#include "host/script/manifest_reader.h"
#include "host/script/schema_check.h"
#include "host/script/values.h"

namespace host::script {

using Kind = Schema::Kind;

PluginTable::Handler ManifestReader::handler(int index, const SchemaPtr& schema, const Path& at) {
  if (!get(index, "handle")) {
    problem(at, "has no handle", "handle = function(ctx, msg) ... end");
    return {};
  }
  const int handle = lua_gettop(L_);
  PluginTable::Handler out;
  if (lua_isfunction(L_, handle)) {
    out.function = keep(handle);
  } else if (lua_istable(L_, handle) && schema && schema->kind() == Kind::tagged) {
    out = handlers_by_tag(handle, *schema, at / "handle");
  } else if (lua_istable(L_, handle)) {
    problem(at / "handle", "is a table of functions, but the schema is no spec.tagged");
  } else {
    problem(at / "handle", std::string("is a ") + luaL_typename(L_, handle) + ", not a function");
  }
  lua_pop(L_, 1);
  return out;
}

PluginTable::Handler ManifestReader::handlers_by_tag(int index, const Schema& schema,
                                                     const Path& at) {
  PluginTable::Handler out;
  std::vector<std::string_view> tags;
  for (const Schema::Field& variant : schema.fields()) tags.push_back(variant.name);
  for (const std::string& tag : names(index, at)) {
    const LuaRef ref = function(index, tag.c_str(), at);
    if (schema.find(tag)) {
      if (ref != kNoRef) out.by_tag.emplace(tag, ref);
      continue;
    }
    const std::string near = nearest(tag, tags);
    get(index, tag.c_str());
    problem_of_function(lua_gettop(L_), at,
                        "handles \"" + tag + "\", which the schema does not have",
                        near.empty() ? "" : "did you mean \"" + near + "\"?");
    lua_pop(L_, 1);
  }
  for (const std::string_view tag : tags) {
    if (get(index, std::string(tag).c_str())) {
      lua_pop(L_, 1);
    } else {
      problem(at, "has no function for \"" + std::string(tag) + "\"");
    }
  }
  return out;
}

void ManifestReader::need_text_field(const Schema* schema, const std::string& field,
                                     const Path& at) {
  if (!schema || schema->kind() == Kind::any) return;
  std::vector<const Schema*> records;
  if (schema->kind() == Kind::record) records.push_back(schema);
  if (schema->kind() == Kind::tagged) {
    for (const Schema::Field& variant : schema->fields()) records.push_back(variant.schema.get());
  }
  if (records.empty()) return problem(at, "names a field, but the schema is no record");
  for (const Schema* record : records) {
    const Schema* found = record->find(field);
    if (!found) return problem(at, "\"" + field + "\" " + unknown_field(*record, field));
    const Kind kind = found->kind();
    const bool text =
        kind == Kind::string || kind == Kind::one_of || kind == Kind::url || kind == Kind::any;
    if (!text) return problem(at, "\"" + field + "\" is " + found->describe() + ", not text");
  }
}

void ManifestReader::backoff(const std::string& text, RetryRule& rule, const Path& at) {
  const std::size_t dots = text.find("..");
  const auto from = parse_duration(text.substr(0, dots));
  const auto to = dots == std::string::npos ? from : parse_duration(text.substr(dots + 2));
  if (!from || !to || from->count() <= 0 || *to < *from) {
    return problem(at, "\"" + text + "\" is no backoff", "from..to, like \"1s..30s\"");
  }
  rule.backoff_min = *from;
  rule.backoff_max = *to;
}

RetryRule ManifestReader::retry(int index, const Path& at) {
  RetryRule rule;
  if (!get(index, "retry")) return rule;
  const int table = lua_gettop(L_);
  const Path here = at / "retry";
  if (need_table(table, here,
                 "a table: { attempts = 5, backoff = \"1s..30s\", last = \"dead\" }")) {
    only_fields(table, here, {"attempts", "backoff", "last"});
    if (get(table, "attempts")) {
      const double n = lua_type(L_, -1) == LUA_TNUMBER ? lua_tonumber(L_, -1) : 0;
      if (n >= 1 && n <= 1000 && std::floor(n) == n) {
        rule.attempts = static_cast<int>(n);
      } else {
        problem(here / "attempts", "is no whole number from 1 to 1000");
      }
      lua_pop(L_, 1);
    }
    if (const auto found = text(table, "backoff", here)) backoff(*found, rule, here / "backoff");
    const std::string last = text(table, "last", here).value_or("dead");
    if (last == "stop") rule.last = RetryRule::Last::stop;
    if (last != "stop" && last != "dead") {
      problem(here / "last", "is \"" + last + "\"", "\"dead\" (dead letter) or \"stop\" (the key)");
    }
  }
  lua_settop(L_, table - 1);
  return rule;
}

void ManifestReader::on(int index) {
  if (!get(index, "on")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"on"}, "a table: [\"topic\"] = { schema, handle }")) {
    for (const std::string& name : names(table, {"on"})) {
      const Path at{"on", name};
      if (!topic(name, at, false)) continue;
      get(table, name.c_str());
      if (need_table(lua_gettop(L_), at,
                     "a table: { schema = ..., handle = function(ctx, msg) }")) {
        subscription(name, lua_gettop(L_), at);
      }
      lua_settop(L_, table);
    }
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::subscription(const std::string& topic, int index, const Path& at) {
  only_fields(index, at, {"schema", "handle", "key", "once", "retry", "from"});
  Manifest::Subscription entry{.topic = topic, .key_field = {}, .once = {}, .retry = {}};
  PluginTable::Subscription table;
  table.schema = schema(index, "schema", at);
  table.handle = handler(index, table.schema, at);
  if (const LuaRef any = table.handle.any(); any != kNoRef) {
    lua_Debug definition;
    lua_rawgeti(L_, LUA_REGISTRYINDEX, any);
    lua_getinfo(L_, ">S", &definition);
    // The whole name; short_src is cut.
    entry.file = *definition.source == '@' ? definition.source + 1 : definition.short_src;
    entry.line = definition.linedefined;
  }
  entry.retry = retry(index, at);
  entry.key_field = text(index, "key", at).value_or("");
  if (!entry.key_field.empty()) {
    need_text_field(table.schema.get(), entry.key_field, at / "key");
  }
  const std::string from = text(index, "from", at).value_or("start");
  entry.from_now = from == "now";
  if (from != "now" && from != "start") {
    problem(at / "from", "is \"" + from + "\"", "\"start\" or \"now\"");
  }
  if (get(index, "once")) {
    const int once = lua_gettop(L_);
    const Path here = at / "once";
    if (need_table(once, here, "a table: { by = \"event_id\", within = \"7d\" }")) {
      only_fields(once, here, {"by", "within"});
      const auto by = text(once, "by", here);
      const auto within = duration(once, "within", here);
      if (!by) problem(here, "says no field", "by = \"event_id\"");
      if (!get(once, "within")) {
        problem(here, "says no time", "within = \"7d\"");
      } else {
        lua_pop(L_, 1);
      }
      if (by) need_text_field(table.schema.get(), *by, here / "by");
      if (by && within) entry.once = Manifest::Once{*by, *within};
    }
    lua_settop(L_, once - 1);
  }
  out_.manifest.on.push_back(std::move(entry));
  out_.on.push_back(std::move(table));
}

void ManifestReader::timers(int index) {
  if (!get(index, "timers")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"timers"}, "a table: name = function(ctx, payload) end")) {
    for (const std::string& name : names(table, {"timers"})) {
      const Path at{"timers", name};
      if (!identifier(name, at, "a timer")) continue;
      get(table, name.c_str());
      const int entry = lua_gettop(L_);
      PluginTable::Timer timer;
      RetryRule rule;
      if (lua_isfunction(L_, entry)) {
        timer.handle.function = keep(entry);
      } else if (need_table(entry, at, "a function or { schema = ..., handle = function }")) {
        only_fields(entry, at, {"schema", "handle", "retry"});
        timer.schema = schema(entry, "schema", at);
        timer.handle = handler(entry, timer.schema, at);
        rule = retry(entry, at);
      }
      out_.timers.push_back(std::move(timer));
      out_.manifest.timers.push_back({name, rule});
      lua_settop(L_, table);
    }
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::every(int index) {
  if (!get(index, "every")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"every"},
                 "a table: name = { period = \"1m\", handle = function(ctx) end }")) {
    for (const std::string& name : names(table, {"every"})) {
      const Path at{"every", name};
      if (!identifier(name, at, "an every")) continue;
      get(table, name.c_str());
      const int entry = lua_gettop(L_);
      if (need_table(entry, at, "a table: { period = \"1m\", handle = function(ctx) end }")) {
        only_fields(entry, at, {"period", "handle", "per", "retry"});
        Manifest::Every every{.name = name, .retry = retry(entry, at)};
        every.period = duration(entry, "period", at).value_or(Duration{0});
        if (!get(entry, "period")) {
          problem(at, "has no period", "period = \"1m\"");
        } else {
          lua_pop(L_, 1);
        }
        const std::string per = text(entry, "per", at).value_or("deployment");
        every.per_shard = per == "shard";
        if (per != "shard" && per != "deployment") {
          problem(at / "per", "is \"" + per + "\"", "\"deployment\" or \"shard\"");
        }
        const LuaRef handle = function(entry, "handle", at);
        if (!get(entry, "handle")) {
          problem(at, "has no handle", "handle = function(ctx) ... end");
        } else {
          lua_pop(L_, 1);
        }
        out_.every.push_back({handle});
        out_.manifest.every.push_back(std::move(every));
      }
      lua_settop(L_, table);
    }
  }
  lua_settop(L_, table - 1);
}

}  // namespace host::script
