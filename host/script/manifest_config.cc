#include <algorithm>

#include "host/script/lua_state.h"
#include "host/script/manifest_reader.h"
#include "host/script/schema_check.h"
#include "host/script/schema_of.h"
#include "host/script/schema_push.h"

namespace host::script {
namespace {

constexpr const char* kNotYet = "not in this version";

bool holds_secret(const Schema& schema) {
  const auto& fields = schema.fields();
  return schema.secret() || (schema.parts().of && holds_secret(*schema.parts().of)) ||
         std::any_of(fields.begin(), fields.end(),
                     [](const Schema::Field& field) { return holds_secret(*field.schema); });
}

/// The texts in the value at `index` that are secret, or inside of something that is.
void collect_secrets(lua_State* L, int index, const Schema& schema, bool inside,
                     std::vector<std::string>& out) {
  const bool secret = inside || schema.secret();
  if (lua_type(L, index) == LUA_TSTRING && secret) out.emplace_back(lua_tostring(L, index));
  if (lua_type(L, index) != LUA_TTABLE) return;
  luaL_checkstack(L, 8, "a setting is too deep");
  for (const Schema::Field& field : schema.fields()) {
    if (schema.kind() == Schema::Kind::tagged) {
      collect_secrets(L, index, *field.schema, secret, out);
      continue;
    }
    lua_getfield(L, index, field.name.c_str());
    collect_secrets(L, lua_gettop(L), *field.schema, secret, out);
    lua_pop(L, 1);
  }
  if (!schema.parts().of) return;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    collect_secrets(L, lua_gettop(L), *schema.parts().of, secret, out);
  }
}

}  // namespace

bool ManifestReader::push_setting(const Schema& schema, const Setting& setting,
                                  const std::string& name, const Path& at) {
  if (setting.from_command_line && holds_secret(schema)) {
    problem(at, "is a secret and comes from the command line",
            "set it by environment or deployment file: others see command lines");
    return false;
  }
  Violations violations;
  const bool good = setting.is_json
                        ? push_json(L_, setting.text, &schema, violations, UnknownFields::refuse)
                        : push_text_value(L_, setting.text, schema, violations);
  if (good) {
    collect_secrets(L_, lua_gettop(L_), schema, false, out_.secrets);
    return true;
  }
  for (const Violation& violation : violations) {
    const bool inside = !violation.at.empty();
    const std::string place = inside ? (violation.at[0] == '[' ? "" : ".") + violation.at : "";
    problem(at, "is set to a value that does not fit: " + name + place + " " + violation.message);
  }
  return false;
}

void ManifestReader::push_settings(const Schema& schema,
                                   const std::map<std::string, Setting>& given,
                                   const std::string& prefix, const Path& at) {
  lua_createtable(L_, 0, static_cast<int>(schema.fields().size()));
  for (const Schema::Field& field : schema.fields()) {
    const Path here = at / field.name;
    const std::string name = prefix + "." + field.name;
    const auto found = given.find(field.name);
    lua_pushlstring(L_, field.name.data(), field.name.size());
    if (found != given.end()) {
      if (!push_setting(*field.schema, found->second, name, here)) lua_pushnil(L_);
    } else if (field.schema->fills_in()) {
      push_filled(L_, *field.schema);
    } else {
      lua_pushnil(L_);
      if (!field.schema->optional() && !request_.without_settings) {
        problem(here, "has no value and no default", "set " + name);
      }
    }
    lua_rawset(L_, -3);
  }
  for (const auto& [name, setting] : given) {
    if (!schema.find(name)) {
      problem(at, "has a value for \"" + name + "\", which " + unknown_field(schema, name));
    }
  }
}

void ManifestReader::config(int index) {
  SchemaPtr schema = record(index, "config", {});
  if (!schema) schema = Schema::make({.kind = Schema::Kind::record});
  push_settings(*schema, request_.config, out_.manifest.name, {"config"});
  out_.config = luaL_ref(L_, LUA_REGISTRYINDEX);
}

void ManifestReader::policies(int index) {
  if (get(index, "policies")) {
    const int table = lua_gettop(L_);
    if (need_table(table, {"policies"}, "a table: name = { \"policies.a\", returns = schema }")) {
      for (const std::string& name : names(table, {"policies"})) {
        const Path at{"policies", name};
        if (!identifier(name, at, "a policy")) continue;
        get(table, name.c_str());
        if (need_table(lua_gettop(L_), at, "a table: { \"policies.a\", returns = schema }")) {
          policy(name, lua_gettop(L_), at);
        }
        lua_settop(L_, table);
      }
    }
    lua_settop(L_, table - 1);
  }
  std::vector<std::string_view> known;
  for (const PluginTable::Policy& policy : out_.policies) known.push_back(policy.name);
  for (const auto& [name, chosen] : request_.policies) {
    if (out_.find_policy(name)) continue;
    const std::string near = nearest(name, known);
    problem({"policies"}, "has no \"" + name + "\", which the deployment chooses",
            near.empty() ? "" : "did you mean \"" + near + "\"?");
  }
}

void ManifestReader::policy(const std::string& name, int index, const Path& at) {
  only_fields(index, at, {"returns"}, true);
  PluginTable::Policy policy;
  policy.name = name;
  policy.returns = schema(index, "returns", at);
  std::vector<std::string> modules;
  for (int i = 1; i <= static_cast<int>(lua_objlen(L_, index)); ++i) {
    lua_rawgeti(L_, index, i);
    if (lua_type(L_, -1) == LUA_TSTRING) {
      modules.emplace_back(lua_tostring(L_, -1));
    } else {
      problem(at, "names a module that is no text");
    }
    lua_pop(L_, 1);
  }
  if (modules.empty()) return problem(at, "names no module", "{ \"policies.tollgate.flat\" }");
  for (const std::string& module : modules) policy.choices.push_back({.module = module});
  if (const auto wish = request_.policies.find(name); wish != request_.policies.end()) {
    const PluginTable::Policy::Choice* choice = policy.find(wish->second);
    if (!choice) {
      problem(at, "does not list \"" + wish->second + "\", which the deployment chooses");
    } else {
      policy.chosen = static_cast<std::size_t>(choice - policy.choices.data());
    }
  }
  for (std::size_t i = 0; i < modules.size(); ++i) {
    policy_module(policy.choices[i], name, i == policy.chosen, at);
  }
  out_.policies.push_back(std::move(policy));
}

void ManifestReader::policy_module(PluginTable::Policy::Choice& choice, const std::string& policy,
                                   bool chosen, const Path& at) {
  const int base = lua_gettop(L_);
  // Called through Lua, so that a module that does not load is one problem among the others.
  requirer_.push_function(L_);
  lua_pushstring(L_, choice.module.c_str());
  if (const int status = lua_pcall(L_, 1, 1, 0); status != 0) {
    const Error error = error_from(L_, -1, status);
    lua_settop(L_, base);
    problem(at, "cannot load \"" + choice.module + "\": " + error.message);
    if (error.line > 0) {
      problems_.back().file = error.file;
      problems_.back().line = error.line;
    }
    return;
  }
  const int module = lua_gettop(L_);
  const std::string file = sources_.path_of(choice.module);
  const auto wrong = [&](const char* field, const std::string& message) {
    const auto files = sources_.files();
    const SourceLines::Place place = SourceLines(files).find_in(file, {field});
    problems_.push_back({.file = place.file, .line = place.line, .message = message, .hint = {}});
  };
  if (!lua_istable(L_, module)) {
    lua_settop(L_, base);
    return wrong("decide", "a policy returns a table with decide(ctx, input, config)");
  }
  if (get(module, "decide") && lua_isfunction(L_, -1)) {
    choice.decide = keep(lua_gettop(L_));
  } else {
    wrong("decide", "a policy has a function decide(ctx, input, config)");
  }
  lua_settop(L_, module);
  if (get(module, "uses")) {
    std::vector<std::string> used;
    uses(lua_gettop(L_), used, at);
    for (const std::string& use : used) choice.unavailable = "it uses " + use + ": " + kNotYet;
    if (chosen && !used.empty()) {
      wrong("uses", choice.module + " is chosen and uses \"" + used.front() + "\": " + kNotYet);
    }
    lua_settop(L_, module);
  }
  policy_config(choice, policy, module, at);
  lua_settop(L_, base);
}

void ManifestReader::policy_config(PluginTable::Policy::Choice& choice, const std::string& policy,
                                   int module, const Path& at) {
  SchemaPtr schema = Schema::make({.kind = Schema::Kind::record});
  if (get(module, "config")) {
    std::string why;
    const SchemaPtr given = schema_of(L_, lua_gettop(L_), why);
    if (given && given->kind() == Schema::Kind::record) {
      schema = given;
    } else {
      problem(at, "config of " + choice.module + " is no record" + (why.empty() ? "" : ": " + why));
    }
    lua_pop(L_, 1);
  }
  static const std::map<std::string, Setting> kNone;
  const auto given = request_.policy_config.find(policy);
  push_settings(*schema, given == request_.policy_config.end() ? kNone : given->second,
                out_.manifest.name + ".policies." + policy, at);
  choice.config = luaL_ref(L_, LUA_REGISTRYINDEX);
}

}  // namespace host::script
