#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/core/manifest.h"
#include "host/script/schema.h"

namespace host::script {

/// A Lua value kept in the registry of one state; -2 (LUA_NOREF): none.
using LuaRef = int;
inline constexpr LuaRef kNoRef = -2;

/// What the loader made of one plugin file inside ONE Lua state: the manifest, and beside each of
/// its entries (same index) the schemas and the registry references of its functions. The
/// references live as long as that state; the schemas are plain C++.
/// Immutable after loading; refs are used on the state's lane only.
struct PluginTable {
  /// One function, or with a tagged schema one by tag.
  struct Handler {
    LuaRef function = kNoRef;
    std::map<std::string, LuaRef, std::less<>> by_tag;

    /// Null-like kNoRef when a table of handlers lacks the tag (the loader refuses that).
    LuaRef find(std::string_view tag) const {
      if (function != kNoRef) return function;
      const auto found = by_tag.find(tag);
      return found == by_tag.end() ? kNoRef : found->second;
    }
    /// One of them, to name its place.
    LuaRef any() const {
      return function != kNoRef || by_tag.empty() ? function : by_tag.begin()->second;
    }
  };
  struct Subscription {  // manifest.on[i]
    SchemaPtr schema;    // null: any
    Handler handle;      // tagged: the message's tag is its field schema->tag_field()
  };
  struct Timer {       // manifest.timers[i]
    SchemaPtr schema;  // null: any
    Handler handle;
  };
  struct Every {  // manifest.every[i]
    LuaRef handle = kNoRef;
  };
  struct Route {             // manifest.routes[i]
    LuaRef handle = kNoRef;  // none: a stream of a topic
    LuaRef map = kNoRef;     // of a stream
    SchemaPtr params;        // a record with every parameter of the path; "*" is the rest
    SchemaPtr query;         // a record, or null: all as strings
    SchemaPtr headers;       // a record, or null: all as strings
    /// By media type. "application/json" bodies are decoded by their schema; other media types
    /// with a string schema are text. Empty: the route takes no body.
    std::vector<std::pair<std::string, SchemaPtr>> body;
    SchemaPtr returns;  // of the body of a 2xx; null: unchecked
  };
  struct Emit {
    std::string topic;  // "*" allowed as the last character
    SchemaPtr schema;   // null: any
  };
  struct Policy {
    struct Choice {
      std::string module;  // "policies.hogwarts.dice"
      LuaRef decide = kNoRef;
      LuaRef config = kNoRef;  // the third argument of decide: a table
      std::string unavailable =
          {};  // why it cannot be asked here ("uses llm: not in this version")
    };
    std::string name;
    std::vector<Choice> choices;  // in the order of the manifest
    std::size_t chosen = 0;
    SchemaPtr returns;  // null: any

    /// By whole path or last name; null when it is not listed.
    const Choice* find(std::string_view name) const;
  };
  struct Smoke {
    std::string sentence;
    LuaRef function = kNoRef;
  };

  Manifest manifest;
  std::vector<Subscription> on;
  std::vector<Timer> timers;
  std::vector<Every> every;
  std::vector<Route> routes;
  std::vector<Emit> emits;
  SchemaPtr state;                   // a record that fills in; null: no state
  LuaRef config = kNoRef;            // ctx.config: a table, {} without settings
  std::vector<std::string> secrets;  // texts of secret settings, for masking; the longest first
  std::map<int, LuaRef> migrate;     // from version -> function(old) -> new
  std::vector<Policy> policies;
  std::vector<Smoke> smoke;  // in byte order of the sentences
  /// What was read to make it: path, text. The plugin's own file is the first.
  std::vector<std::pair<std::string, std::string>> files;

  /// The rule for a topic: the exact name wins, then the longest with "*"; null: not declared.
  const Emit* find_emit(std::string_view topic) const;
  const Policy* find_policy(std::string_view name) const;
  /// Index into timers, every; size() when there is none.
  std::size_t timer_index(std::string_view name) const;
  std::size_t every_index(std::string_view name) const;
};

}  // namespace host::script
