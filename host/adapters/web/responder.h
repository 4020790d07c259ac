#pragma once

#include <memory>

#include "host/adapters/web/connection.h"
#include "host/ports/http_server.h"

namespace host::web {

/// What a handler answers one request with; dropping it unanswered answers 500. It, and the stream
/// that it may give, hold the connection weakly: once that is gone they have no effect, and what is
/// written is answered with false. Only on its lane.
std::unique_ptr<ports::HttpResponder> make_responder(std::shared_ptr<ServerCore> core,
                                                     std::weak_ptr<Connection> connection,
                                                     Connection::SlotId id);

}  // namespace host::web
