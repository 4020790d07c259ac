#include <algorithm>
#include <cmath>
#include <lua.hpp>

#include "host/script/json_write.h"
#include "host/script/schema.h"
#include "host/script/schema_check.h"
#include "host/script/schema_push.h"
#include "host/script/values.h"

namespace host::script {
namespace {

using Kind = Schema::Kind;

constexpr std::size_t kMaxBytes = 16u << 20;  // a value of a few shared tables can unfold to more

std::string_view text_at(lua_State* L, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

std::string name_at(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      return "nil";
    case LUA_TSTRING:
      return "text";
    case LUA_TNUMBER:
      return "a number";
    case LUA_TBOOLEAN:
      return "true or false";
    case LUA_TTABLE:
      return "a table";
    case LUA_TFUNCTION:
      return "a function";
    case LUA_TTHREAD:
      return "a coroutine";
    default:
      break;
  }
  if (is_null(L, index)) return "null";
  const auto kind = boxed_kind(L, index);
  if (kind == Boxed::money) return "money";
  if (kind == Boxed::time) return "a time";
  if (kind) return "an integer beyond 2^53";
  return "a value of the host";
}

constexpr std::size_t kUsualFields = 8;  // of an object: most have no more

/// A key on the stack with its value above it.
struct Entry {
  std::string_view name;
  int slot;  // of the value
};

/// Walks a Lua value and its schema together and appends as it goes. Reads tables raw; no code of
/// the script runs. Values wait on the Lua stack while their keys are sorted, so nothing is looked
/// up twice.
class Encoder {
 public:
  Encoder(lua_State* L, std::string& out, Report& report) : L_(L), out_(out), report_(report) {}

  void value(int index, const Schema* schema, const PathStep* path, int depth) {
    if (stopped_) return;
    switch (schema ? schema->kind() : Kind::any) {
      case Kind::any:
        return any(index, path, depth);
      case Kind::string:
      case Kind::url:
        return string(index, *schema, path);
      case Kind::integer:
      case Kind::number:
        return number(index, *schema, path);
      case Kind::boolean:
        if (lua_type(L_, index) != LUA_TBOOLEAN) return wrong_type(index, *schema, path);
        return boolean(index);
      case Kind::money:
        return money(index, *schema, path);
      case Kind::time:
        return time(index, *schema, path);
      case Kind::duration:
        return duration(index, *schema, path);
      case Kind::one_of:
        return one_of(index, *schema, path);
      case Kind::list:
      case Kind::lines:  // task_parts.cc writes them
      case Kind::map:
      case Kind::tagged:
      case Kind::record:
        return table(index, *schema, path, depth);
    }
  }

 private:
  void wrong(const PathStep* path, std::string message) {
    report_.add(path, std::move(message));
    if (report_.full()) stopped_ = true;
  }
  void wrong_type(int index, const Schema& schema, const PathStep* path) {
    wrong(path, script::wrong_type(schema, name_at(L_, index)));
  }
  bool refused(std::string why, const PathStep* path) {
    if (why.empty()) return false;
    wrong(path, std::move(why));
    return true;
  }

  void boolean(int index) { out_ += lua_toboolean(L_, index) ? "true" : "false"; }

  void text(std::string_view text, const PathStep* path) {
    if (!write_string(text, out_)) wrong(path, "is not valid UTF-8");
    check_size(path);
  }
  // At every text, table and item: shared tables unfold to any size without any text.
  bool check_size(const PathStep* path) {
    if (out_.size() <= kMaxBytes) return true;
    wrong(path, "is more than 16 MB together with what comes before it");
    stopped_ = true;
    return false;
  }

  void any(int index, const PathStep* path, int depth) {
    switch (lua_type(L_, index)) {
      case LUA_TSTRING:
        return text(text_at(L_, index), path);
      case LUA_TNUMBER: {
        const double value = lua_tonumber(L_, index);
        if (!std::isfinite(value)) return wrong(path, "is not a finite number");
        return write_number(value, out_);
      }
      case LUA_TBOOLEAN:
        return boolean(index);
      case LUA_TTABLE:
        return any_table(index, path, depth);
      default:
        return any_box(index, path);
    }
  }

  void any_box(int index, const PathStep* path) {
    if (is_null(L_, index)) {
      out_ += "null";
    } else if (const auto minor = to_money(L_, index)) {
      out_ += format_money(*minor);
    } else if (const auto at = to_time(L_, index)) {
      out_ += '"' + format_time(*at) + '"';
    } else if (const auto bits = to_boxed_bits(L_, index)) {
      box(index, *bits);
    } else {
      wrong(path, "is " + name_at(L_, index) + ", which JSON does not have");
    }
  }

  void box(int index, std::uint64_t bits) {
    if (boxed_kind(L_, index) == Boxed::uint64) {
      out_ += std::to_string(bits);
    } else {
      write_integer(static_cast<std::int64_t>(bits), out_);
    }
  }

  void string(int index, const Schema& schema, const PathStep* path) {
    if (lua_type(L_, index) != LUA_TSTRING) return wrong_type(index, schema, path);
    const std::string_view found = text_at(L_, index);
    if (!refused(check_string(schema, found, budget_), path)) text(found, path);
  }

  void number(int index, const Schema& schema, const PathStep* path) {
    if (const auto bits = to_boxed_bits(L_, index)) {
      const double rough = boxed_kind(L_, index) == Boxed::uint64
                               ? static_cast<double>(*bits)
                               : static_cast<double>(static_cast<std::int64_t>(*bits));
      if (!refused(check_number(schema, rough), path)) box(index, *bits);
      return;
    }
    if (lua_type(L_, index) != LUA_TNUMBER) return wrong_type(index, schema, path);
    const double value = lua_tonumber(L_, index);
    if (refused(check_number(schema, value), path)) return;
    if (schema.kind() == Kind::integer && std::abs(value) > 9007199254740992.0) {
      return wrong(path, "is beyond 2^53, where numbers are no longer exact");
    }
    write_number(value, out_);
  }

  void money(int index, const Schema& schema, const PathStep* path) {
    auto minor = to_money(L_, index);
    if (!minor && lua_type(L_, index) == LUA_TSTRING) {
      const auto parsed = parse_money(text_at(L_, index));
      if (!parsed) return wrong(path, "is not " + schema.describe());
      minor = *parsed;
    } else if (!minor && lua_type(L_, index) == LUA_TNUMBER) {
      const auto exact = money_of_number(lua_tonumber(L_, index));
      if (!exact) return wrong(path, exact.error().message);
      minor = *exact;
    }
    if (!minor) return wrong_type(index, schema, path);
    if (!refused(check_money(schema, *minor), path)) out_ += format_money(*minor);
  }

  void time(int index, const Schema& schema, const PathStep* path) {
    auto at = to_time(L_, index);
    if (!at && lua_type(L_, index) == LUA_TSTRING) {
      const auto parsed = parse_time(text_at(L_, index));
      if (!parsed) return wrong(path, "is not " + schema.describe());
      at = *parsed;
    }
    if (!at) return wrong_type(index, schema, path);
    if (!refused(check_time(schema, *at), path)) out_ += '"' + format_time(*at) + '"';
  }

  void duration(int index, const Schema& schema, const PathStep* path) {
    const int type = lua_type(L_, index);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) return wrong_type(index, schema, path);
    const Result<Duration> found = to_duration(L_, index);
    if (!found) return wrong(path, "is not " + schema.describe());
    if (refused(check_seconds(schema, static_cast<double>(found->count()) / 1e6), path)) return;
    out_ += '"' + format_duration(*found) + '"';
  }

  void one_of(int index, const Schema& schema, const PathStep* path) {
    Scalar found;
    if (lua_type(L_, index) == LUA_TSTRING) {
      found = std::string(text_at(L_, index));
    } else if (lua_type(L_, index) == LUA_TNUMBER) {
      found = lua_tonumber(L_, index);
    } else if (lua_type(L_, index) == LUA_TBOOLEAN) {
      found = lua_toboolean(L_, index) != 0;
    } else {
      return wrong_type(index, schema, path);
    }
    if (!refused(check_one_of(schema, found), path)) any(index, path, 0);
  }

  /// What every table passes: depth, cycles, room on the stack.
  bool enter(PathStep& here, const PathStep* path, int index, int depth) {
    here = PathStep{.up = path, .table = lua_topointer(L_, index)};
    if (!check_size(path)) return false;
    for (const PathStep* step = path; step; step = step->up) {
      if (step->table == here.table) {
        wrong(path, "contains itself");
        return false;
      }
    }
    if (depth > kMaxDepth || !lua_checkstack(L_, 16)) {
      wrong(path, "is nested deeper than 128 levels");
      stopped_ = true;
      return false;
    }
    return true;
  }

  void table(int index, const Schema& schema, const PathStep* path, int depth) {
    if (lua_type(L_, index) != LUA_TTABLE) return wrong_type(index, schema, path);
    PathStep here;
    if (!enter(here, path, index, depth)) return;
    const Schema* of = schema.parts().of.get();
    if (schema.kind() == Kind::list) {
      items(index, of, &schema, here, depth);
    } else if (schema.kind() == Kind::map) {
      entries(index, of, &schema, here, depth);
    } else if (schema.kind() == Kind::tagged) {
      tagged(index, schema, here, depth);
    } else {
      record(index, schema, here, depth);
    }
  }

  void any_table(int index, const PathStep* path, int depth) {
    PathStep here;
    if (!enter(here, path, index, depth)) return;
    if (lua_objlen(L_, index) > 0 || is_marked_list(L_, index)) {
      items(index, nullptr, nullptr, here, depth);
    } else {
      entries(index, nullptr, nullptr, here, depth);
    }
  }

  /// How many keys there are; a list has as many as items.
  bool only_items(int index, std::size_t size, const PathStep* path) {
    std::size_t count = 0;
    for (lua_pushnil(L_); lua_next(L_, index); lua_pop(L_, 1)) {
      if (lua_type(L_, -2) == LUA_TNUMBER) {
        ++count;
        continue;
      }
      std::string why = "is a list and has the field \"";
      why += lua_type(L_, -2) == LUA_TSTRING ? std::string(text_at(L_, -2)) : name_at(L_, -2);
      wrong(path, why + "\" too: JSON has no such thing");
      lua_pop(L_, 2);
      return false;
    }
    if (count == size) return true;
    wrong(path, "is a list with holes or with numbers as keys that are no places in it");
    return false;
  }

  void items(int index, const Schema* of, const Schema* list, const PathStep& here, int depth) {
    const std::size_t size = lua_objlen(L_, index);
    if (!only_items(index, size, &here)) return;
    if (list && refused(check_count(*list, size), &here)) return;
    out_ += '[';
    PathStep step{.up = &here};
    for (std::size_t i = 1; i <= size && !stopped_; ++i) {
      if (i > 1) out_ += ',';
      step.index = i;
      if (!check_size(&step)) break;
      lua_rawgeti(L_, index, static_cast<int>(i));
      if (of && of->optional() && is_null(L_, -1)) {
        out_ += "null";
      } else {
        value(lua_gettop(L_), of, &step, depth + 1);
      }
      lua_pop(L_, 1);
    }
    out_ += ']';
  }

  void wrong_key(const PathStep& here) {
    std::string key = name_at(L_, -2);
    if (lua_type(L_, -2) == LUA_TNUMBER) {
      key = "the number ";
      write_number(lua_tonumber(L_, -2), key);
    }
    wrong(&here, "has " + key + " as a key: keys are text (tostring)");
  }

  void entries(int index, const Schema* of, const Schema* map, const PathStep& here, int depth) {
    const int base = lua_gettop(L_);
    std::vector<Entry> found;
    found.reserve(kUsualFields);
    lua_pushnil(L_);
    while (lua_next(L_, index)) {
      if (lua_type(L_, -2) != LUA_TSTRING) {
        wrong_key(here);
        lua_settop(L_, base);
        return;
      }
      if (!lua_checkstack(L_, 16)) return wide_entries(index, base, of, map, here, depth);
      found.push_back({text_at(L_, -2), lua_gettop(L_)});
      lua_pushvalue(L_, -2);  // the key again, for lua_next; the pair stays below
    }
    std::sort(found.begin(), found.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    if (!map || !refused(check_count(*map, found.size()), &here)) {
      pairs(found, of, here, depth, [](const Entry& entry) { return entry.slot; });
    }
    lua_settop(L_, base);
  }

  template <class Slot>
  void pairs(const std::vector<Entry>& found, const Schema* of, const PathStep& here, int depth,
             Slot slot) {
    out_ += '{';
    PathStep step{.up = &here};
    bool first = true;
    for (const Entry& entry : found) {
      if (stopped_) break;
      if (!first) out_ += ',';
      first = false;
      step.name = entry.name;
      text(entry.name, &step);
      out_ += ':';
      const int at = slot(entry);
      if (of && of->optional() && is_null(L_, at)) {
        out_ += "null";
      } else {
        value(at, of, &step, depth + 1);
      }
    }
    out_ += '}';
  }

  /// More pairs than fit onto the stack: only the names are kept (the table keeps their text
  /// alive), and each value is looked up.
  void wide_entries(int index, int base, const Schema* of, const Schema* map, const PathStep& here,
                    int depth) {
    lua_settop(L_, base);
    std::vector<Entry> found;
    for (lua_pushnil(L_); lua_next(L_, index); lua_pop(L_, 1)) {
      if (lua_type(L_, -2) != LUA_TSTRING) {
        wrong_key(here);
        lua_settop(L_, base);
        return;
      }
      found.push_back({text_at(L_, -2), 0});
    }
    std::sort(found.begin(), found.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    if (map && refused(check_count(*map, found.size()), &here)) return;
    pairs(found, of, here, depth, [&](const Entry& entry) {
      lua_settop(L_, base);
      lua_pushlstring(L_, entry.name.data(), entry.name.size());
      lua_rawget(L_, index);
      return base + 1;
    });
    lua_settop(L_, base);
  }

  void tagged(int index, const Schema& schema, const PathStep& here, int depth) {
    const PathStep tag_step{.up = &here, .name = schema.tag_field()};
    lua_pushlstring(L_, schema.tag_field().data(), schema.tag_field().size());
    lua_rawget(L_, index);
    const Schema* variant = nullptr;
    if (lua_type(L_, -1) == LUA_TSTRING) {
      variant = schema.find(text_at(L_, -1));
      if (!variant) wrong(&tag_step, unknown_tag(schema));
    } else {
      wrong(&tag_step, lua_isnil(L_, -1) ? "is missing" : "is " + name_at(L_, -1) + ", not text");
    }
    lua_pop(L_, 1);
    if (variant) record(index, *variant, here, depth);
  }

  /// Brings the values of known fields onto the stack, in any order; slots[i] is 0 without one.
  bool gather(int index, const Schema& schema, const PathStep& here, int* slots) {
    std::size_t guess = 0;
    lua_pushnil(L_);
    while (lua_next(L_, index)) {
      if (lua_type(L_, -2) != LUA_TSTRING) {
        wrong_key(here);
        return false;
      }
      const std::string_view name = text_at(L_, -2);
      const std::size_t field = schema.index_of(name, guess);
      if (field == schema.fields().size()) {
        const PathStep step{.up = &here, .name = name};
        wrong(&step, unknown_field(schema, name));
        lua_pop(L_, 1);
        continue;
      }
      guess = field + 1;
      slots[field] = lua_gettop(L_) - 1;
      lua_insert(L_, -2);  // the value below, its key on top for lua_next
    }
    return true;
  }

  void record(int index, const Schema& schema, const PathStep& here, int depth) {
    const std::vector<Schema::Field>& fields = schema.fields();
    const int base = lua_gettop(L_);
    constexpr std::size_t kFew = 64;
    int few[kFew] = {};
    std::vector<int> many(fields.size() > kFew ? fields.size() : 0);
    int* const slots = fields.size() > kFew ? many.data() : few;
    if (!lua_checkstack(L_, static_cast<int>(fields.size()) + 16)) {
      wrong(&here, "has too many fields at this depth");
      stopped_ = true;
      return;
    }
    if (gather(index, schema, here, slots)) {
      out_ += '{';
      bool first = true;
      for (std::size_t i = 0; i < fields.size() && !stopped_; ++i) {
        field(fields[i], slots[i], here, depth, first);
      }
      out_ += '}';
    }
    lua_settop(L_, base);
  }

  void field(const Schema::Field& named, int slot, const PathStep& here, int depth, bool& first) {
    const Schema& schema = *named.schema;
    const bool absent =
        slot == 0 || (schema.optional() && schema.kind() != Kind::any && is_null(L_, slot));
    if (absent && !schema.fills_in()) {
      if (schema.optional()) return;
      const PathStep step{.up = &here, .name = named.name};
      return wrong(&step, "is missing");
    }
    if (!first) out_ += ',';
    first = false;
    out_ += named.key_json;
    if (absent) {
      out_ += schema.filled_json();
      return;
    }
    const PathStep step{.up = &here, .name = named.name};
    value(slot, &schema, &step, depth + 1);
  }

  lua_State* L_;
  std::string& out_;
  Report& report_;
  PatternBudget budget_;
  bool stopped_ = false;
};

}  // namespace

bool append_json(lua_State* L, int index, const Schema* schema, std::string& out,
                 Violations& violations) {
  const std::size_t before = out.size();
  const int base = lua_gettop(L);
  if (index < 0 && index > LUA_REGISTRYINDEX) index = base + 1 + index;
  luaL_checkstack(L, 16, "a value is too deep");
  Report report(violations);
  if (schema && schema->fills_in() && lua_isnil(L, index)) {
    out += schema->filled_json();
    return true;
  }
  Encoder(L, out, report).value(index, schema, nullptr, 1);
  lua_settop(L, base);
  if (report.clean()) return true;
  out.resize(before);
  return false;
}

}  // namespace host::script
