#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "host/runtime/environment.h"

namespace host::runtime {

/// Requests that carry an Idempotency-Key: of those with one scope one runs at a time, those that
/// come meanwhile wait for what becomes of it, and later ones are given the answer that the store
/// keeps. What runs is known to this process only; that nothing is done twice is decided by the
/// store, which takes one answer for a scope (ports::ShardCommit::answers).
/// One for all lanes of a process, made by make_shared. Thread-safe.
class Idempotency : public std::enable_shared_from_this<Idempotency> {
 public:
  /// What a request stands for.
  struct Request {
    std::string plugin;
    std::string scope;    // of plugin, route, user and key
    std::string content;  // of what is asked: a repeat asks the same
  };
  /// It runs now, until the attempt is destroyed.
  struct Run {};
  /// `Run`, the answer that is kept, or the refusal.
  using Verdict = std::variant<Run, ports::KeptAnswer, HttpResponse>;
  using Callback = UniqueFunction<void(Verdict)>;

  /// One request on its way: waiting, looked up, or running. Destroying it, in any state and on its
  /// lane, lets the next one of its scope go on; the verdict does not come any more.
  class Attempt;

  /// The verdict comes once, on the lane, not inside the call.
  std::shared_ptr<Attempt> begin(const Environment& environment, Executor& lane, Request request,
                                 Callback callback);

  /// For how long a request waits for another one with its key; then it is told to come again.
  static constexpr Duration kWait = std::chrono::seconds(5);

 private:
  enum class Entered { first, waits, differs };
  struct Waiter {
    const Attempt* attempt;  // its destructor takes it out of here
    Executor* lane;
    std::weak_ptr<Attempt> weak;  // looked at on its lane only
  };
  struct Running {
    const Attempt* owner;
    std::string content;
    std::vector<Waiter> waiting;
  };
  Entered enter(Attempt& attempt);
  void leave(const Attempt& attempt);

  std::mutex mutex_;
  std::unordered_map<std::string, Running> running_;  // by scope
};

class Idempotency::Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<Idempotency> all, const Environment& environment, Executor& lane,
          Request request, Callback callback);
  ~Attempt();
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  const Request& request() const { return request_; }
  /// The answer as it is kept with the commit of what the request did.
  ports::KeptAnswer answer(const HttpResponse& response, bool in_parts) const;

 private:
  friend class Idempotency;
  void start();
  void wait();
  void look_up();
  void looked_up(Result<std::optional<ports::KeptAnswer>> kept);
  void decide(Verdict verdict);

  const std::shared_ptr<Idempotency> all_;  // a door may hold an attempt longer than its gateway
  const Environment& env_;
  Executor& lane_;
  const Request request_;
  Callback callback_;
  Executor::TimerId deadline_ = 0;
};

}  // namespace host::runtime
