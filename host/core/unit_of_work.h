#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/core/message.h"

namespace host {

/// A message that is to be sent. The runtime adds the host's own headers.
struct Emit {
  std::string topic;
  std::optional<std::string> key;
  std::string payload;
  Headers headers;
};

/// A parameter or a column: NULL, an exact integer, a number, or text (UTF-8, may hold NUL).
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string>;
using SqlParameters = std::map<std::string, SqlValue, std::less<>>;

/// One statement with named parameters (":name"), apart from its text.
struct SqlStatement {
  std::string text;
  SqlParameters parameters;
  std::string file = {};  // where the script called it
  int line = 0;
};

struct SqlRows {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
};

struct TimerSet {
  std::string id;
  std::string name;
  Time due{};
  std::string payload;
  Headers headers = {};  // correlation and trace of who set it; the runtime fills them in
};
/// Ends a timer of the same key by its id, or all of one name.
struct TimerCancel {
  std::string id_or_name;
};
using TimerChange = std::variant<TimerSet, TimerCancel>;

/// What becomes of the key's state. `bytes` empty: it is forgotten, with all of the key's timers,
/// and messages for the key are dropped and counted until `quiet_until`.
struct StateChange {
  std::optional<std::string> bytes;
  std::optional<Time> quiet_until = {};
};

/// Everything that one handled message wants to change; visible all at once or not at all.
struct UnitOfWork {
  std::optional<StateChange> state;  // nothing: unchanged
  std::vector<Emit> emits;
  std::vector<TimerChange> timers;  // in the order of the calls
  std::vector<SqlStatement> sql;
  std::optional<std::string> reply;  // answers the ask that sent the message

  bool empty() const { return !state && emits.empty() && timers.empty() && sql.empty() && !reply; }
};

/// How a handler ended.
struct Outcome {
  enum class Kind {
    done,    // it returned: `unit` is to be committed
    retry,   // it left by ctx:retry: again after `delay`, or by the retry rule's backoff
    dead,    // it left by ctx:dead, or the input does not decode: into the dead letters
    failed,  // it raised: the retry rule decides; timeout, exhausted: it is not tried again
    again,   // the host could not run it (memory, revision dropped): no attempt is counted
  };

  Kind kind = Kind::done;
  UnitOfWork unit;
  std::optional<Duration> delay = {};
  Error error = {};  // the reason, of every kind but done
};

}  // namespace host
