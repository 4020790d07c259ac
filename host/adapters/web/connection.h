#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/adapters/web/address.h"
#include "host/adapters/web/poller.h"
#include "host/adapters/web/read_buffer.h"
#include "host/adapters/web/request_parser.h"
#include "host/adapters/web/response_head.h"
#include "host/adapters/web/server.h"
#include "host/adapters/web/tls_session.h"
#include "host/adapters/web/trusted_proxies.h"
#include "host/ports/http_server.h"

namespace host::web {

using SteadyTime = std::chrono::steady_clock::time_point;

class Connection;

/// What the connections of one server share. Only on its lane.
struct ServerCore {
  boost::asio::io_context& io;
  ports::HttpHandler& handler;
  ServerSettings settings;
  SteadyTime now = {};  // moved by the tick, never by a connection
  std::string date = {};
  bool draining = false;
  std::shared_ptr<Poller> poller = {};
  std::list<std::shared_ptr<Connection>> connections = {};
  Server::Stats stats = {};
  UniqueFunction<void()> on_removed = {};  // after each connection that went
  std::string wire = {};                   // with TLS: where bytes of a socket are read to
  std::string text = {};                   // and what they said
  std::string spare = {};                  // room for the next answers, still in the caches
};

/// One client. Requests become slots in a queue; whoever answers fills its slot; bytes leave from
/// the front of the queue only, so answers keep the order of the requests, and all that is ready
/// leaves in one write. Lives in ServerCore::connections until it is closed.
/// Only on its lane.
class Connection final : public Poller::Watcher, public std::enable_shared_from_this<Connection> {
 public:
  using SlotId = std::uint64_t;

  /// `tls` null: the client speaks HTTP as it is.
  Connection(std::shared_ptr<ServerCore> core, Socket socket, std::string address,
             std::unique_ptr<TlsSession> tls);

  void start(std::list<std::shared_ptr<Connection>>::iterator self);
  /// Answers 503 and closes, without reading a request.
  void refuse_overload();
  void on_ready(bool readable, bool writable, bool hangup) override;
  void on_turn_over() override;
  void on_tick();
  void drain();
  /// Drops the client now; whoever still answers has no effect.
  void abort();

  // For responders and streams; without effect once the slot is answered or gone.
  void respond(SlotId id, HttpResponse response);
  void begin_stream(SlotId id, HttpResponse head, ports::HttpResponder::Body body);
  void stream_write(SlotId id, std::string bytes, UniqueFunction<void(bool)> done);
  void stream_on_close(SlotId id, UniqueFunction<void()> callback);
  void stream_finish(SlotId id);
  void stream_dropped(SlotId id);
  bool client_alive() const { return !closed_ && !eof_; }

 private:
  enum class Phase { idle, header, body };
  using Done = UniqueFunction<void(bool)>;
  struct Slot {
    Framing framing;
    bool keep_alive = true;
    bool taken = false;  // answered, or a stream has begun
    bool streaming = false;
    bool whole = false;     // of a stream: to be sent to its end, or broken off
    bool complete = false;  // nothing more will come
    std::optional<HttpResponse> response;
    std::string chunks;  // of a stream that is not at the front yet
    std::vector<Done> dones;
    UniqueFunction<void()> on_close;
    bool closed = false;  // on_close has been or will be told
  };

  bool may_read() const;
  void read();
  void take();
  void on_bytes(std::size_t n);
  void on_eof();
  // connection_tls.cc
  void on_wire_bytes(std::size_t n);
  std::string_view outgoing();
  void sent(std::size_t n);

  void process();
  void on_head();
  void on_request();
  void fail(int status, std::string_view detail);
  bool paused() const;
  void set_phase(Phase phase);
  void update_read_deadline();

  Slot* find(SlotId id);
  void pump();
  void pump_slot(Slot& slot);
  void write();
  Duration time_to_take(std::size_t bytes) const;
  void flushed();
  void finish_closing();
  void end_stream(Slot& slot);
  void drop(Slot& slot);
  void tell_closed(Slot& slot);
  void tell_done(Done done, bool alive);
  bool resting() const;
  void leave();

  std::shared_ptr<ServerCore> core_;
  Socket socket_;
  std::string address_;
  std::unique_ptr<TlsSession> tls_;
  std::list<std::shared_ptr<Connection>>::iterator self_ = {};
  RequestParser parser_;
  ReadBuffer in_;
  std::deque<Slot> slots_;
  SlotId first_ = 0;  // id of slots_.front()
  std::string out_;
  std::size_t sent_ = 0;
  std::vector<Done> written_;  // wait until out_ is empty
  SteadyTime read_deadline_;
  SteadyTime write_deadline_;
  Phase phase_ = Phase::idle;
  bool served_ = false;    // a request has been read whole
  bool readable_ = false;  // as far as we know there is more to read
  bool hangup_ = false;    // and an end of it
  bool read_posted_ = false;
  bool write_due_ = false;   // when the turn is over
  bool writing_ = false;     // waits until the socket takes more
  bool processing_ = false;  // answers wait until all that was read is parsed
  bool stalled_ = false;     // parsing stopped before the end of in_: too much is unanswered
  bool process_posted_ = false;
  bool continue_wanted_ = false;
  bool input_closed_ = false;  // no more requests are taken from this client
  bool eof_ = false;           // the client sends no more
  bool closing_ = false;       // out_ holds the last bytes
  bool lingering_ = false;     // they are sent; what still comes is thrown away
  bool closed_ = false;
};

}  // namespace host::web
