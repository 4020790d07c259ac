#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/core/http.h"
#include "host/core/user.h"
#include "host/script/schema.h"

namespace host::bindings {

/// What the `t` of a test drives: plugins on virtual time. Errors are misuse of the test's author
/// (an unknown topic, a payload that its handler refuses). Only on its thread.
class TestDriver {
 public:
  struct Sent {
    std::string topic;
    std::optional<std::string> key;
    std::string payload;  // JSON
  };
  struct State {
    std::optional<std::string> json;  // nothing: the key has none
    script::SchemaPtr schema;
  };
  struct Handled {
    State state;
    std::vector<Sent> sent;
    std::optional<std::string> reply;  // JSON
  };
  struct Request {
    std::string method;
    std::string target;  // path and query
    std::optional<std::string> body;
    std::string media_type = "application/json";
    Headers headers;
    std::optional<User> user = {};  // nothing: somebody with every role
  };

  virtual ~TestDriver() = default;
  /// Puts the message into the topic and runs until nothing is left to do now.
  virtual Result<Handled> send(const std::string& topic, std::optional<std::string> key,
                               std::string payload) = 0;
  /// One request; time passes as far as its handler waits.
  virtual Result<HttpResponse> request(Request request) = 0;
  virtual Result<void> advance(Duration duration) = 0;
  virtual Result<void> run(Duration most) = 0;
  /// As last committed. Without a plugin: of the only one.
  virtual Result<State> state(const std::string& plugin, const std::string& key) = 0;
  /// Everything that handlers sent so far, oldest first; of one topic, or "" for all.
  virtual Result<std::vector<Sent>> sent(const std::string& topic) = 0;
};

}  // namespace host::bindings
