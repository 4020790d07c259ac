#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/core/http.h"
#include "host/core/manifest.h"
#include "host/core/message.h"
#include "host/core/unit_of_work.h"
#include "host/ports/store.h"

namespace host::ports {

/// What a script waits for. The runtime carries it out and resumes the task with the answer.
struct QueryEffect {
  SqlStatement statement;
};
struct ReadEffect {
  std::string key;
};
struct ListEffect {
  std::string after;
  std::size_t limit = 100;
};
struct AskEffect {
  Emit message;
  Duration timeout{};
};
struct YieldEffect {};  // let other keys run
/// Rows of an answer that may be long, page by page: `cursor` 0 begins with the statement.
struct RowsEffect {
  SqlStatement statement = {};
  std::uint64_t cursor = 0;
};

struct Effect {
  std::uint64_t id = 0;  // unique within its task
  std::variant<QueryEffect, ReadEffect, ListEffect, AskEffect, YieldEffect, RowsEffect> what;
};

/// One page of a RowsEffect. `cursor` asks for the next one; 0: this was the last.
struct RowsAnswer {
  SqlRows rows;
  std::uint64_t cursor = 0;
};

/// Same order as the effects; an expected failure is an Error, which the script sees as nil, err.
using EffectAnswer =
    std::variant<std::monostate, SqlRows, StateRow, StateList, std::string, Error, RowsAnswer>;

/// One call of a handler.
struct Call {
  /// `check`: of http, only whether the request fits: an HttpOutcome of 200, or its refusal.
  enum class Kind { message, http, stream_map, check };

  Kind kind = Kind::message;
  std::shared_ptr<const Message> message = nullptr;  // of message and stream_map
  std::size_t route = 0;  // index into Manifest::routes, of http and stream_map
  HttpRequest request;    // of http
  std::vector<std::pair<std::string, std::string>> params;  // decoded path parameters, of http
  std::string user;                                         // token subject, "" without
  std::vector<std::string> roles;

  PartitionNumber shard = 0;
  /// Of the key, as the earlier messages left it; it stays as it is while the task lives. Null:
  /// none.
  std::shared_ptr<const StateRow> state = nullptr;
  bool last_attempt = false;
  std::string correlation_id;  // empty: as the message's header says, else its id
  Time now{};                  // ctx:now()
  Time wall_clock{};           // what ctx:after counts from
  /// Keys random, uuid, bytes: same message, same values. Empty: made of `chance_secret`, which
  /// outlives the task, the plugin's name and the message's id.
  std::string chance_seed;
  const std::string* chance_secret = nullptr;
};

/// How an HTTP handler ended.
struct HttpOutcome {
  HttpResponse response;
  UnitOfWork unit;      // emits only
  bool failed = false;  // raised or was stopped: `response` is 500, the error is in `error`
  Error error = {};
  bool in_parts = false;  // the body follows in parts: Task::next_part()
};
/// A piece of the body of an answer that an iterator makes.
struct BodyPart {
  std::string bytes;
  bool last = false;  // the iterator has ended
};
/// What a turn led to: an outcome, or effects that were begun in it (none when the task still
/// waits for earlier ones).
struct Step {
  std::optional<Outcome> outcome = {};     // of message
  std::optional<HttpOutcome> http = {};    // of http
  std::optional<std::string> mapped = {};  // of stream_map: JSON; "" = leave the record out
  std::optional<BodyPart> part = {};       // of http that answers in parts
  std::vector<Effect> effects = {};

  /// The task is over: nothing of it runs any more.
  bool finished() const {
    return outcome || (http && !http->in_parts) || mapped || (part && part->last);
  }
};

/// One running handler: a coroutine that waits between turns. Destroying it drops the coroutine.
/// On its lane only.
class Task {
 public:
  virtual ~Task() = default;
  virtual Step resume(std::uint64_t effect, EffectAnswer answer) = 0;
  /// Of an answer in parts, after its HttpOutcome and after each part: drives the iterator until
  /// about `bytes` are there, it ends, or it waits (then resume() leads to the part). An iterator
  /// that raises ends the task with an HttpOutcome that failed.
  virtual Step next_part(std::size_t bytes) = 0;
};

/// The code of one plugin revision on one lane. On its lane only, but for the destructor's thread
/// rule: destroyed on the lane, after all of its tasks.
class Engine {
 public:
  struct Started {
    std::unique_ptr<Task> task;  // null when the first turn finished it
    Step step;
  };

  virtual ~Engine() = default;
  virtual const Manifest& manifest() const = 0;
  /// Whether memory and the number of running coroutines (1,000) allow another one.
  virtual bool admits() const = 0;
  /// Never raises: whatever the script does ends in the step's outcome.
  virtual Started start(Call&& call) = 0;
  /// The payload field that the subscription names as key, and the id that `once` names.
  struct Inspected {
    std::optional<std::string> key;
    std::optional<std::string> once;
  };
  /// Errors: invalid (payload is not JSON, or the field is no text), exhausted (memory).
  virtual Result<Inspected> inspect(const Manifest::Subscription& subscription,
                                    const std::string& payload) = 0;
  virtual std::size_t memory_bytes() const = 0;
  /// After an out-of-memory the state is not trusted any more; its owner makes a new engine.
  virtual bool broken() const = 0;
};

/// A revision that was loaded and checked in a throw-away state: can be made on any lane.
/// Immutable, thread-safe.
class Revision {
 public:
  virtual ~Revision() = default;
  virtual const Manifest& manifest() const = 0;
  virtual const std::vector<std::pair<std::string, std::string>>& files() const = 0;
  virtual Result<std::unique_ptr<Engine>> make_engine() const = 0;
};

}  // namespace host::ports
