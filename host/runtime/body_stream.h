#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/ports/http_server.h"
#include "host/runtime/environment.h"
#include "host/runtime/http_call.h"

namespace host::runtime {

/// Sends an answer in parts: asks its call for the next part when the client has taken the one
/// before, so a slow client holds one part and no more. A client that is gone ends the call; a call
/// that fails breaks the connection, for the head is sent already. Kept alive by the gateway until
/// `ended`. Only on its lane.
class BodyStream : public std::enable_shared_from_this<BodyStream> {
 public:
  struct Names {
    std::string plugin, route, revision, correlation_id;
  };
  BodyStream(const Environment& environment, Names names, std::shared_ptr<HttpCall> call,
             std::shared_ptr<ports::HttpStream> out, std::function<void()> ended);

  void start(std::string first);
  /// Ends it where it is: the client sees that the body is not whole.
  void abandon();

 private:
  void write(ports::BodyPart part);
  void wrote(bool last);
  void failed(const Error& error);
  void end();

  const Environment& env_;
  const Names names_;
  const std::shared_ptr<HttpCall> call_;
  std::shared_ptr<ports::HttpStream> out_;
  std::function<void()> ended_;
};

}  // namespace host::runtime
