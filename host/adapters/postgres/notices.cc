#include "host/adapters/postgres/notices.h"

#include <poll.h>

#include <chrono>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/names.h"

namespace host::postgres {
namespace {

constexpr auto kAgain = std::chrono::seconds(1);
constexpr int kLookAtStop = 200;  // ms: so long a stop may take

struct FreeNotice {
  void operator()(PGnotify* notice) const { PQfreemem(notice); }
};

bool any_notice(PGconn* connection) {
  bool any = false;
  while (std::unique_ptr<PGnotify, FreeNotice> notice{PQnotifies(connection)}) any = true;
  return any;
}

}  // namespace

Notices::Notices(Destination where, Limits limits, std::string channel, std::function<void()> heard)
    : where_(std::move(where)),
      limits_(limits),
      channel_(std::move(channel)),
      heard_(std::move(heard)),
      thread_([this] { loop(); }) {}

Notices::~Notices() { stop(); }

void Notices::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool Notices::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void Notices::loop() {
  while (!stopped()) {
    try {
      listen();
    } catch (const Failure&) {
      // Away: who asks the database anything is told so; a notice is a hint only.
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kAgain, [this] { return stopped_; });
  }
}

void Notices::listen() {
  Connection db(where_, limits_);
  db.run_once(("listen " + quoted(channel_)).c_str());
  heard_();
  while (!stopped()) {
    pollfd socket{.fd = PQsocket(db.native()), .events = POLLIN, .revents = 0};
    if (::poll(&socket, 1, kLookAtStop) <= 0) continue;
    if (PQconsumeInput(db.native()) == 0)
      throw Failure::lost("the connection that listens is lost");
    if (any_notice(db.native())) heard_();
  }
}

}  // namespace host::postgres
