#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "host/base/time.h"

struct lua_State;

namespace host::script {

class Schema;
using SchemaPtr = std::shared_ptr<const Schema>;

/// Where a value does not fit its schema: `at` is a path like "rules.pace" or "items[3].name",
/// "" for the whole value. Values of secret fields are never in `message`.
struct Violation {
  std::string at;
  std::string message;
};
using Violations = std::vector<Violation>;
/// "items[3].name: is missing; rules: ...", for logs and errors of a script.
std::string to_string(const Violations& violations);

/// Values of one_of: what JSON and Lua have in common.
using Scalar = std::variant<bool, double, std::string>;

/// What host.spec makes: the shape of a value. One schema serves decoding, encoding, text
/// parameters, defaults and JSON Schema (schema_json.h, schema_text.h use the same tree). It is
/// plain C++, knows no Lua state and outlives the one that built it, so all lanes may share it.
/// Immutable.
class Schema {
 public:
  enum class Kind {
    any,
    string,
    integer,
    number,
    boolean,
    money,
    time,
    duration,
    url,
    one_of,
    tagged,
    list,
    map,
    record,
    lines,  // a whole body, NDJSON; never inside of another
  };
  struct Field {
    std::string name;
    SchemaPtr schema;
    std::string key_json = {};  // "name": as it is written; filled in by make()
  };
  /// Everything that a schema says; filled by host.spec and then sealed by make().
  struct Parts {
    Kind kind = Kind::any;
    bool optional = false;
    bool secret = false;
    std::string doc = {};
    std::string default_json = {};  // encoded explicit default; "": none
    std::optional<double> min =
        {};  // length, count, number, seconds, money in minor units, time in us
    std::optional<double> max = {};
    std::string pattern = {};         // a Lua pattern
    std::vector<Scalar> values = {};  // one_of
    std::string tag_field = {};       // tagged
    std::vector<Field> fields = {};   // record: fields; tagged: variants, each a record
    SchemaPtr of = {};                // list, map: the items; lines: each
  };

  /// Sorts the fields by name and works out the defaults.
  static SchemaPtr make(Parts parts);

  const Parts& parts() const { return parts_; }
  Kind kind() const { return parts_.kind; }
  bool optional() const { return parts_.optional; }
  bool secret() const { return parts_.secret; }
  /// In byte order of their names: of a record its fields, of a tagged its variants.
  const std::vector<Field>& fields() const { return parts_.fields; }
  /// The field or variant of that name; null when there is none.
  const Schema* find(std::string_view name) const;
  std::size_t index_of(std::string_view name, std::size_t guess) const;  // fields().size(): none
  const std::string& tag_field() const { return parts_.tag_field; }
  /// Whether a missing value of this schema is filled in: an explicit default, a list or map
  /// (empty), or a record of which every field is optional or filled in. Optional ones without
  /// an explicit default stay absent.
  bool fills_in() const { return !filled_json_.empty(); }
  /// JSON of what is filled in; "" when nothing is.
  const std::string& filled_json() const { return filled_json_; }
  /// The explicit default as the value that Lua gets; null without one or when it is no scalar.
  const std::variant<std::monostate, bool, double, std::int64_t, std::string>& default_scalar()
      const {
    return default_scalar_;
  }
  const nlohmann::json* default_value() const { return default_value_.get(); }

  /// Why a script may not have it, or "": nested deeper than 64 levels, or defaults above 256 KiB.
  /// Both would let a few lines of a script take all of the host's stack or memory.
  std::string excess() const;

  /// JSON Schema (2020-12) of the value on the wire.
  nlohmann::json json_schema() const;
  /// "string", "list of record", for messages.
  std::string describe() const;

  Schema(Parts parts);  // NOLINT: use make()
  ~Schema();

 private:
  void work_out_defaults();

  Parts parts_;
  std::string filled_json_;
  std::variant<std::monostate, bool, double, std::int64_t, std::string> default_scalar_;
  std::unique_ptr<nlohmann::json> default_value_;
  int depth_ = 1;  // levels
};

const char* to_string(Schema::Kind kind);

/// What a reader does with fields that a record does not name.
enum class UnknownFields { drop, refuse, keep };

// The functions below run on the thread of the state, and only inside a protected call of it: they
// allocate in Lua and let its errors (out of memory) pass. They leave nothing on the stack when
// they return false; the reasons are then in `violations`, at most 100 of them.

/// Decodes JSON straight onto the stack: validates and fills in defaults in the same pass.
/// Without a schema everything is taken as it is: null is host.null, lists stay lists, integers
/// beyond 2^53 are boxed. Pushes one value. Refuses invalid UTF-8, more than 128 levels, integers
/// beyond 64 bits, anything behind the value.
bool push_json(lua_State* L, std::string_view json, const Schema* schema, Violations& violations,
               UnknownFields unknown = UnknownFields::drop);

/// Encodes the value at `index` and appends it to `out`; validates against the schema and writes
/// defaults of missing fields; fields that a record does not name are refused, with a suggestion.
/// Records come in byte order of their names, as do maps and tables without a schema: equal values
/// give equal bytes. When false, `out` is as it was.
bool append_json(lua_State* L, int index, const Schema* schema, std::string& out,
                 Violations& violations);

/// Pushes the value that a missing one is filled with (a state before its first message).
/// False when the schema has no default everywhere; `violations` names the fields.
bool push_defaults(lua_State* L, const Schema& schema, Violations& violations);

using TextPairs = std::vector<std::pair<std::string, std::string>>;
/// Path parameters, query and headers: pushes a table of the record's fields, each read from its
/// text (a list takes repeated names, the rest the last one). Without a schema: all as strings.
bool push_text(lua_State* L, const TextPairs& pairs, const Schema* record, Violations& violations,
               UnknownFields unknown = UnknownFields::drop);
/// One value from its text (an option, a variable, a column): "20", "true", "1m", JSON for lists,
/// maps and records; for `any` JSON, or the text itself where it is none.
bool push_text_value(lua_State* L, std::string_view text, const Schema& schema,
                     Violations& violations);

/// How many lines a body of spec.lines may have unless it says.
inline constexpr double kMostLines = 10'000;
/// The lines of an NDJSON body: pushes a list of { line, value } or { line, problem }; blank lines
/// are left out. False when they are more or fewer than the schema allows.
bool push_lines(lua_State* L, std::string_view body, const Schema& lines, Violations& violations);

/// The schema at `index` as host.spec gave it to the script; null when there is something else.
SchemaPtr to_schema(lua_State* L, int index);

}  // namespace host::script
